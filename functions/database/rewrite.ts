import type pg from 'pg';
import { alone, inTurn, TIME_TABLES, type TimeTable } from './alone.ts';
import { plainArray } from './array.ts';
import { bringOver } from './bring-over.ts';
import { currentPosition } from './changes.ts';
import {
  boundsOf,
  madeOf,
  noteDropped,
  type Partition,
  type Rewrite,
  type Running,
  sourcesOf,
} from './rewrite-plan.ts';

/**
 * Pages of a source that one transaction copies: 8 MB, well within every statement's time. It is
 * bounded since the changes log can be read only up to the oldest transaction that still writes.
 */
const PAGES_A_STEP = 1_000;

/** Events first: of one that leaves meanwhile, the text then says which tags it had. */
const COPIED: readonly TimeTable[] = ['events', 'event_tags'];

/**
 * Writes partitions anew. Readers and writers go on: pieces are copied in short transactions, what
 * changes meanwhile comes from the changes log, and only the exchange of the tables is exclusive.
 * When the signal aborts, the next call goes on from there. One that is under way for something
 * else is done first, and nothing but that.
 * @returns whether this rewrite is done.
 */
export async function rewrite(
  pool: pg.Pool,
  plan: Rewrite,
  signal?: AbortSignal,
): Promise<boolean> {
  const asked = await begin(pool, plan);
  return (await continueRewrite(pool, signal)) && asked;
}

/** Goes on with what is under way. @returns false where it was not finished or has become void. */
export async function continueRewrite(pool: pg.Pool, signal?: AbortSignal): Promise<boolean> {
  while (signal?.aborted !== true) {
    const did = await stepRewrite(pool);
    if (did !== 'step') return did === 'nothing';
  }
  return false;
}

/** Does the next piece of what is under way, in a short time. */
export async function stepRewrite(pool: pg.Pool): Promise<'step' | 'nothing' | 'void'> {
  const running = await inTurn(pool, (client) => read(client));
  if (running === undefined) return 'nothing';
  if (running === 'void') {
    await giveUp(pool);
    return 'void';
  }
  await step(pool, running);
  return 'step';
}

/** Finishes an exchange that was done for one of the tables only, so that both agree again. */
export async function finishExchange(pool: pg.Pool): Promise<void> {
  const running = await inTurn(pool, (client) => read(client));
  if (running !== undefined && running !== 'void' && running.phase === 'events') {
    await exchange(pool, running, 'events');
  }
}

/** Makes the empty tables, unless there is a rewrite already. @returns whether it is this one. */
async function begin(pool: pg.Pool, { target, sources, kinds }: Rewrite): Promise<boolean> {
  // Infinity is not for JSON; null stands for it.
  const from = Number.isFinite(target.from) ? target.from : null;
  const plan = JSON.stringify({ target: { ...target, from }, sources, kinds });
  return inTurn(pool, async (client) => {
    const { rows } = await client.query<{ same: boolean }>(
      'select plan = $1::jsonb as same from rewrites',
      [plan],
    );
    if (rows[0] !== undefined) return rows[0].same;
    const range = `${from === null ? '' : `created_at >= ${from} and `}created_at < ${target.to}`;
    const given: Rewrite = { target, sources, kinds };
    const were = await lookAt(client, given);
    for (const table of tablesOf(were)) {
      const made = madeOf(table, given);
      await client.query(`drop table if exists ${made}`);
      // The indexes too: made afterwards, each would be one long transaction.
      await client.query(`create table ${made} (like ${table} including all)`);
      // It spares the attachment a look at every row.
      await client.query(`alter table ${made} add constraint in_range check (${range})`);
    }
    await client.query('insert into rewrites (plan, sources_were, position) values ($1, $2, $3)', [
      plan,
      JSON.stringify(were),
      await currentPosition(client),
    ]);
    return true;
  });
}

type SourcesWere = Readonly<Record<TimeTable, string>>;

const tablesOf = (were: SourcesWere): TimeTable[] => COPIED.filter((table) => were[table] !== '');

/** Files and bounds of the sources: what is truncated, dropped or moved has others. */
async function lookAt(client: pg.ClientBase, plan: Rewrite): Promise<SourcesWere> {
  const look = async (table: TimeTable): Promise<string> => {
    const { rows } = await client.query<{ looks: string | null }>(
      `select string_agg(
          concat_ws(' ', c.relname, pg_relation_filenode(c.oid), pg_get_expr(c.relpartbound, c.oid)),
          ', ' order by c.relname) as looks
        from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = $1::regclass and c.relname = any($2::text[])`,
      [table, sourcesOf(table, plan)],
    );
    return rows[0]?.looks ?? '';
  };
  return { events: await look('events'), event_tags: await look('event_tags') };
}

interface Row {
  readonly plan: Omit<Rewrite, 'target'> & {
    readonly target: Omit<Partition, 'from'> & { readonly from: number | null };
  };
  readonly sources_were: SourcesWere;
  readonly position: string;
  readonly phase: Running['phase'];
  readonly part: number;
  readonly page: string;
  readonly copied_before: string | null;
  readonly trimmed: boolean;
}

/** What is under way; `void` where the sources are no longer what they were, or the log is cut. */
async function read(client: pg.ClientBase): Promise<Running | 'void' | undefined> {
  const { rows } = await client.query<Row>(
    `select rewrites.*, below::text::bigint > position as trimmed
      from rewrites cross join changes_trimmed`,
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  const { target, sources, kinds } = row.plan;
  const { phase, part } = row;
  const plan = { sources, kinds, target: { ...target, from: target.from ?? -Infinity } };
  const are = await lookAt(client, plan);
  const tagsAreAsTheyWere = phase === 'events' || are.event_tags === row.sources_were.event_tags;
  if (row.trimmed || are.events !== row.sources_were.events || !tagsAreAsTheyWere) return 'void';
  return {
    ...plan,
    phase,
    position: Number(row.position),
    tables: tablesOf(row.sources_were),
    part,
    page: Number(row.page),
    copiedBefore: row.copied_before === null ? undefined : Number(row.copied_before),
  };
}

/** Throws away what was made. Tags that were exchanged already stay so; the next one does without. */
async function giveUp(pool: pg.Pool): Promise<void> {
  await inTurn(pool, async (client) => {
    if ((await read(client)) !== 'void') return;
    const { rows } = await client.query<Pick<Row, 'plan'>>('delete from rewrites returning plan');
    for (const { plan } of rows) {
      for (const table of COPIED) {
        await client.query(`drop table if exists ${table}_${plan.target.name}_new`);
      }
    }
  });
}

async function step(pool: pg.Pool, running: Running): Promise<void> {
  switch (running.phase) {
    case 'copy':
      return copyPages(pool);
    case 'follow':
      return follow(pool);
    case 'event_tags':
      // So that plans need not wait for autovacuum to come by; it does come, so no failure matters.
      await pool
        .query(`analyze ${COPIED.map((table) => madeOf(table, running)).join()}`)
        .catch(() => undefined);
      return exchange(pool, running, 'event_tags');
    case 'events':
      return exchange(pool, running, 'events');
  }
}

async function copyPages(pool: pg.Pool): Promise<void> {
  await inTurn(pool, async (client) => {
    const running = await read(client);
    if (running === undefined || running === 'void' || running.phase !== 'copy') return;
    const { tables, part, page, kinds } = running;
    const parts = tables.flatMap((table) =>
      sourcesOf(table, running).map((source) => ({ source, made: madeOf(table, running) })),
    );
    const now = parts[part];
    if (now === undefined) {
      await client.query(`update rewrites set phase = 'follow',
        copied_before = pg_snapshot_xmax(pg_current_snapshot())::text::bigint`);
      return;
    }
    const { rows } = await client.query<{ pages: string }>(
      `select pg_relation_size($1::regclass) / current_setting('block_size')::int as pages`,
      [now.source],
    );
    if (page >= Number(rows[0]?.pages)) {
      await client.query('update rewrites set part = part + 1, page = 0');
      return;
    }
    const next = page + PAGES_A_STEP;
    // By place, since the tags have no index by time. Rows stay where they are; one that comes to
    // a place that was passed is in the log.
    await client.query(`
      insert into ${now.made} select * from ${now.source}
      where ctid >= '(${page},0)'::tid and ctid < '(${next},0)'::tid
        and kind <> all('${plainArray(kinds)}'::int[])
      on conflict do nothing`);
    await client.query('update rewrites set page = $1', [next]);
  });
}

/** Brings most changes over while nobody waits, so that few are left for the exchange. */
async function follow(pool: pg.Pool): Promise<void> {
  await inTurn(pool, async (client) => {
    const running = await read(client);
    if (running === undefined || running === 'void' || running.phase !== 'follow') return;
    const { position, complete } = await bringOver(client, running, 'some');
    await client.query('update rewrites set position = $1, phase = $2', [
      position,
      complete ? TIME_TABLES.find((table) => running.tables.includes(table)) : 'follow',
    ]);
  });
}

async function exchange(pool: pg.Pool, { sources }: Running, table: TimeTable): Promise<void> {
  await alone(pool, table, sources, async (client) => {
    const running = await read(client);
    if (running === undefined || running === 'void' || running.phase !== table) return;
    const { target, kinds } = running;
    const { position, complete } = await bringOver(client, running, 'all');
    if (!complete) {
      await client.query(`update rewrites set phase = 'follow'`);
      return;
    }
    for (const source of sourcesOf(table, running)) await client.query(`drop table ${source}`);
    const partition = `${table}_${target.name}`;
    await client.query(`alter table ${madeOf(table, running)} rename to ${partition}`);
    await client.query(`alter table ${table} attach partition ${partition} ${boundsOf(target)}`);
    await client.query(`alter table ${partition} drop constraint in_range`);
    if (table === 'event_tags') {
      await client.query(`update rewrites set phase = 'events', position = $1`, [position]);
      return;
    }
    if (kinds.length > 0) await noteDropped(client, target, kinds);
    await client.query('delete from rewrites');
  });
}
