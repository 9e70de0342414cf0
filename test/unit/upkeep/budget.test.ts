import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import {
  chooseBudgetSteps,
  readBudget,
  readBudgetChanges,
} from '../../../functions/database/budget.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import { Ladder } from '../../../functions/upkeep/budget.ts';
import { parseBudgetRules } from '../../../functions/upkeep/budget-rules.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { recordingLog } from '../../support/recording-log.ts';

const NOW = Date.parse('2026-11-25T12:00:00Z');
const NOVEMBER = '2026-11-01T00:00:00Z';

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabase();
  await migrate(database.url);
});
afterEach(() => database.drop());

function ladder(rules = '0.8:fetch,0.9:limits,1.2:read-only', nowMs = NOW) {
  const parsed = parseBudgetRules(rules);
  if (!parsed.ok) throw new Error(parsed.reason);
  const metrics = new Registry('upkeep');
  const { log, lines } = recordingLog();
  const { pool } = database;
  const it = new Ladder({ pool, rules: parsed.value, metrics, log, nowMs: () => nowMs });
  const hear = (cost: number, { at = 0, month = NOVEMBER } = {}) =>
    it.hear(push({ costAmount: cost, budgetAmount: 100, costIntervalStart: month }, at));
  const run = () => it.job.run(new AbortController().signal);
  return { ladder: it, hear, run, metrics, lines };
}

/** A push of a notification that was published so many minutes after noon. */
const push = (body: object, minutes: number) => ({
  message: {
    data: Buffer.from(JSON.stringify({ currencyCode: 'EUR', ...body })).toString('base64'),
    attributes: { budgetId: 'x' },
    messageId: `${minutes}`,
    publishTime: new Date(NOW + minutes * 60_000).toISOString(),
  },
});
const steps = async () => (await readBudget(database.pool)).steps;

/** What was written of the budget, and by which labels. */
const gauges = (metrics: Registry) =>
  Object.fromEntries(
    metrics
      .snapshot()
      .filter(({ name }) => name.startsWith('budget_'))
      .map(({ labels, value }) => [labels['step'] ?? 'spent', value]),
  );

describe('the budget ladder', () => {
  it('takes one step after the other, and all back when a new month begins', async () => {
    const { hear } = ladder();
    expect(await steps()).toEqual([]);
    await hear(85, { at: 1 });
    expect(await steps()).toEqual(['fetch']);
    await hear(130, { at: 2 });
    expect(await steps()).toEqual(['fetch', 'limits', 'read-only']);
    await hear(0.4, { at: 3, month: '2026-11-26T00:00:00Z' });
    expect(await steps()).toEqual([]);
  });

  it('goes back within a month too, when a credit or a larger budget comes', async () => {
    const { hear } = ladder();
    await hear(130, { at: 1 });
    await hear(82, { at: 2 });
    expect(await steps()).toEqual(['fetch']);
  });

  it('is not moved by notifications that come late, twice, or of a month that is over', async () => {
    const { hear } = ladder();
    await hear(95, { at: 5 });
    await hear(10, { at: 4 });
    await hear(10, { at: 5 });
    await hear(500, { at: 9, month: '2026-10-01T00:00:00Z' });
    expect(await readBudget(database.pool)).toMatchObject({
      spend: { cost: 95, intervalStart: new Date(NOVEMBER) },
      steps: ['fetch', 'limits'],
    });
    expect(await readBudgetChanges(database.pool, 10)).toHaveLength(1);
  });

  it('ends a step with a warning where nobody has said for three days what was spent', async () => {
    await ladder().hear(95, { at: 0 });
    const days = (count: number) => ladder(undefined, NOW + count * 86_400_000);
    await days(3).run();
    expect(await steps()).toEqual(['fetch', 'limits']);
    const later = days(3.01);
    await later.run();
    expect(await steps()).toEqual([]);
    expect(later.lines).toEqual([
      [
        'warning',
        'steps of the budget changed: for days nobody said what was spent',
        expect.objectContaining({ steps: [], before: ['fetch', 'limits'], cost: 95 }),
      ],
    ]);
  });

  it('believes an earlier period of a notification that was published days later', async () => {
    const { hear } = ladder(undefined, NOW + 5 * 86_400_000);
    await hear(95, { at: 0, month: '2026-11-20T00:00:00Z' });
    await hear(82, { at: 4 * 1_440 });
    expect(await steps()).toEqual(['fetch']);
  });

  it('ends at the newest of many that come at once, and notes each change once', async () => {
    const { hear } = ladder();
    const order = [7, 2, 9, 4, 1, 8, 3, 6, 5];
    await Promise.all(order.map((at) => hear(at * 10, { at })));
    expect(await readBudget(database.pool)).toMatchObject({ spend: { cost: 90 } });
    expect(await steps()).toEqual(['fetch', 'limits']);
    const changes = await readBudgetChanges(database.pool, 10);
    const told = changes.map((change) => change.steps.join());
    expect(told.filter((each, n) => each === told[n + 1])).toEqual([]);
    expect(told[0]).toBe('fetch,limits');
  });

  it('logs what it cannot read, and neither fails nor changes anything', async () => {
    const { ladder: it, hear, lines } = ladder();
    await hear(85, { at: 1 });
    lines.length = 0;
    for (const body of [
      { message: 7 },
      push({ costAmount: 1 }, 2),
      { message: { data: 'e30=', attributes: { budgetId: 7 } } },
    ]) {
      await it.hear(body);
    }
    expect(lines).toEqual([
      ['error', 'a budget notification cannot be read', { reason: 'body has no message' }],
      [
        'error',
        'a budget notification cannot be read',
        { reason: expect.stringContaining('budgetAmount') },
      ],
      ['error', 'a budget notification cannot be read', { reason: 'an attribute is no string' }],
    ]);
    expect(await steps()).toEqual(['fetch']);
  });

  it('warns of each step that comes on, and tells of those that go', async () => {
    const { hear, lines } = ladder();
    await hear(10, { at: 1 });
    await hear(85, { at: 2 });
    await hear(86, { at: 3 });
    await hear(12, { at: 4 });
    expect(lines).toEqual([
      [
        'warning',
        'steps of the budget changed',
        expect.objectContaining({ steps: ['fetch'], before: [], cost: 85, amount: 100 }),
      ],
      [
        'info',
        'steps of the budget changed',
        expect.objectContaining({ steps: [], before: ['fetch'], cost: 12 }),
      ],
    ]);
  });

  it('has what holds, and the share that is spent, in the metrics with every run', async () => {
    const first = ladder();
    await first.run();
    expect(gauges(first.metrics)).toEqual({ fetch: 0, limits: 0, 'read-only': 0 });
    await first.hear(95, { at: 1 });
    const second = ladder();
    await second.run();
    expect(gauges(second.metrics)).toEqual({ fetch: 1, limits: 1, 'read-only': 0, spent: 0.95 });
  });

  it('follows another configuration at the next run', async () => {
    await ladder().hear(95, { at: 1 });
    const { run, lines } = ladder('off');
    await run();
    expect(await steps()).toEqual([]);
    expect(lines).toEqual([['info', 'steps of the budget changed', expect.anything()]]);
    expect(await readBudgetChanges(database.pool, 10)).toMatchObject([
      { cause: 'configuration', steps: [] },
      { cause: 'notification', steps: ['fetch', 'limits'] },
    ]);
  });

  it("keeps to an operator's word whatever is spent, until that is taken back", async () => {
    const { hear, run, metrics } = ladder();
    const who = { by: 'alice', why: 'a drill' };
    await chooseBudgetSteps(database.pool, ['read-only'], who);
    await hear(85, { at: 1 });
    expect(await steps()).toEqual(['read-only']);
    await run();
    expect(gauges(metrics)).toMatchObject({ fetch: 0, 'read-only': 1 });
    await chooseBudgetSteps(database.pool, [], who);
    expect(await steps()).toEqual([]);
    await chooseBudgetSteps(database.pool, undefined, who);
    expect(await steps()).toEqual(['fetch']);
    expect(await readBudgetChanges(database.pool, 10)).toMatchObject([
      { cause: 'operator', steps: ['fetch'], by: 'alice', why: 'a drill' },
      { cause: 'operator', steps: [] },
      { cause: 'operator', steps: ['read-only'] },
    ]);
  });

  it('leaves out steps that a newer version wrote and this one does not know', async () => {
    await database.pool.query(`update budget set reckoned = '{search,fetch}'`);
    expect(await steps()).toEqual(['fetch']);
  });
});
