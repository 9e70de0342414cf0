import { migrate } from '../../functions/database/migrate.ts';
import { monthAt } from '../../functions/database/months.ts';
import { makeMonth } from '../../functions/database/partitions.ts';
import { queryEvents } from '../../functions/database/read.ts';
import { probesOf, shapeOf } from '../../functions/database/read-shape.ts';
import { buildQuery } from '../../functions/database/read-sql.ts';
import { withSession } from '../../functions/database/session.ts';
import type { Filter } from '../../functions/nostr/filter.ts';
import { copyEvents, hexOf, manyEvents } from '../support/many-events.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';

/** What EXPLAIN (FORMAT JSON) says of one node, as far as it matters here. */
interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Actual Rows'?: number;
  readonly 'Shared Hit Blocks'?: number;
  readonly 'Shared Read Blocks'?: number;
  readonly Plans?: readonly PlanNode[];
}

const EVENTS = 200_000;
const AUTHORS = 2_000;
const MONTHS = 28;
const FROM = Date.UTC(2024, 6, 1) / 1_000;
const END = monthAt(FROM, MONTHS - 1).to;

const people = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => hexOf('a', from + n));
const tag = (letter: string, ...values: string[]) => new Map([[letter, values]]);

const SHAPES: readonly (readonly [string, Filter, number])[] = [
  ['by id', { ids: [hexOf('', 7)] }, 1],
  ['an author', { authors: people(3, 1) }, 20],
  ['a quiet author', { authors: people(1_900, 1) }, 20],
  ['an author with a rare kind', { authors: people(0, 1), kinds: [1_984] }, 20],
  ['300 authors with kinds', { authors: people(200, 300), kinds: [1, 6] }, 500],
  ['300 busy authors with kinds', { authors: people(0, 300), kinds: [1, 6] }, 500],
  ['300 profiles', { authors: people(0, 300), kinds: [0] }, 500],
  ['#e', { tags: tag('e', hexOf('e', 4)) }, 100],
  ['#e, 50 values, with kinds', { tags: tag('e', ...people(0, 50)), kinds: [7] }, 100],
  ['#p of a popular person', { tags: tag('p', hexOf('a', 0)) }, 100],
  ['#p with kinds', { tags: tag('p', hexOf('a', 5)), kinds: [1, 6, 7, 9_735] }, 100],
  ['#d with kind and author', { authors: people(1, 1), kinds: [30_023], tags: tag('d', 'x') }, 10],
  ['#t with authors', { tags: tag('t', 'topic3'), authors: people(0, 40) }, 100],
  ['kinds only', { kinds: [1] }, 500],
  ['several kinds', { kinds: [1, 6, 7, 30_023] }, 500],
  ['a rare kind', { kinds: [1_984] }, 500],
  ['no condition', {}, 500],
  ['a window of time', { since: FROM + 10_000_000, until: FROM + 11_000_000 }, 500],
  ['an old end of time', { until: FROM + 1_000, kinds: [1] }, 500],
];

function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}

describe(`plans at ${EVENTS} events in ${MONTHS + 2} partitions`, () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createDatabase();
    await migrate(database.url);
    for (let n = 0; n < MONTHS; n += 1) await makeMonth(database.pool, monthAt(FROM, n));
    const seconds = END - FROM;
    await copyEvents(
      database.pool,
      manyEvents({ count: EVENTS, authors: AUTHORS, from: FROM, seconds, seed: 1 }),
    );
  }, 120_000);
  afterAll(() => database.drop());

  async function explain(filter: Filter, limit: number) {
    const statement = buildQuery(filter, limit);
    if (statement === undefined) throw new Error('nothing to ask');
    // The generic plan of a prepared statement, as the relay's sessions use it.
    return withSession(database.pool, async (client) => {
      const values = statement.values.map((value) => client.escapeLiteral(String(value)));
      await client.query(`prepare shown as ${statement.text}`);
      try {
        const { rows } = await client.query<{
          'QUERY PLAN': { Plan: PlanNode; 'Planning Time': number }[];
        }>(`explain (analyze, buffers, format json) execute shown (${values.join()})`);
        const [plan] = rows[0]?.['QUERY PLAN'] ?? [];
        if (plan === undefined) throw new Error('no plan');
        return plan;
      } finally {
        await client.query('deallocate shown');
      }
    });
  }

  it.each(SHAPES)('%s is answered by index probes', async (_name, filter, limit) => {
    const { Plan } = await explain(filter, limit);
    const nodes = nodesOf(Plan);
    const scanned = nodes.filter((node) => node['Node Type'] === 'Seq Scan');
    expect(scanned.map((node) => node['Relation Name'])).toEqual([]);
    const shape = filter.ids === undefined ? shapeOf(filter) : undefined;
    const probes = filter.ids?.length ?? (shape ? probesOf(shape.driver) : 1);
    const tables = 2;
    for (const node of nodes.filter((each) => each['Node Type'].includes('Sort'))) {
      const sorted = Math.max(...(node.Plans ?? []).map((input) => input['Actual Rows'] ?? 0));
      expect(sorted).toBeLessThanOrEqual(limit * probes * tables);
    }
  });

  it('an id is looked up without reading an index from end to end', async () => {
    const { Plan } = await explain({ ids: [hexOf('', 7)] }, 1);
    const blocks = (Plan['Shared Hit Blocks'] ?? 0) + (Plan['Shared Read Blocks'] ?? 0);
    // Two or three blocks a partition; the index by time alone has more than a thousand.
    expect(blocks).toBeLessThan(300);
  });

  it('prints what each shape takes, planning included, and says nothing of good or bad', async () => {
    const lines: string[] = [];
    for (const [name, filter, limit] of SHAPES) {
      const plan = await explain(filter, limit);
      const times: number[] = [];
      let rows = 0;
      for (let n = 0; n < 7; n += 1) {
        const began = performance.now();
        rows = (await queryEvents(database.pool, filter, { limit })).length;
        times.push(performance.now() - began);
      }
      const median = times.sort((a, b) => a - b)[3] ?? 0;
      const planning = plan['Planning Time'].toFixed(1);
      lines.push(
        `${name.padEnd(30)} ${String(rows).padStart(4)} rows ${median.toFixed(2).padStart(8)} ms asked as the relay does; planned alone in ${planning} ms`,
      );
    }
    process.stdout.write(`${lines.join('\n')}\n`);
    expect(lines).toHaveLength(SHAPES.length);
  });
});
