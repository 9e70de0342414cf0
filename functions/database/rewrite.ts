import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { alone, inTurn, isLockedOut, type TimeTable, yieldToOthers } from './alone.ts';
import { plainArray } from './array.ts';
import { bringOver, fewAreLeft } from './bring-over.ts';
import { currentPosition } from './changes.ts';
import {
  boundsOf,
  madeOf,
  noteDropped,
  type Partition,
  type Rewrite,
  type Running,
} from './rewrite-plan.ts';
import { unevenRange } from './uneven.ts';

/**
 * Pages of a source that one transaction copies: 8 MB, well within every statement's time. It is
 * bounded since the changes log can be read only up to the oldest transaction that still writes.
 */
const PAGES_A_STEP = 1_000;

/** Events first: only what has an event in the copy gets its tags copied. */
const COPIED: readonly TimeTable[] = ['events', 'event_tags'];

/**
 * Tries to get at a table whose writers are ahead of us, before it is left for the next call: they
 * may be for a while, or a transaction may be open for long, up to which the log cannot be read.
 */
const ROUNDS_MAX = 5;
const ROUND_PAUSE_MS = 500;

/**
 * How far a rewrite has come: `done` where nothing is under way any more, `unfinished` where the
 * time was over, `void` where it has to be begun anew, `waits` where others would not let it.
 */
export type Progress = 'done' | 'unfinished' | 'void' | 'waits';

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
  return (await continueRewrite(pool, signal)) === 'done' && asked;
}

/** Goes on with what is under way. */
export async function continueRewrite(pool: pg.Pool, signal?: AbortSignal): Promise<Progress> {
  return goOn(pool, () => true, signal);
}

/**
 * Finishes an exchange that was done for one of the tables only, so that both agree again. Once it
 * has come so far it is never given up, unless by hand.
 */
export async function finishExchange(pool: pg.Pool, signal?: AbortSignal): Promise<Progress> {
  return goOn(pool, (phase) => phase === 'events', signal);
}

/** Makes both tables have the same partitions where they have not. @returns whether they do. */
export async function evenOut(pool: pg.Pool, signal?: AbortSignal): Promise<boolean> {
  const plan = await unevenRange(pool);
  return plan === undefined || rewrite(pool, plan, signal);
}

async function goOn(
  pool: pg.Pool,
  isMeant: (phase: Running['phase']) => boolean,
  signal: AbortSignal | undefined,
): Promise<Progress> {
  let rounds = 0;
  while (signal?.aborted !== true) {
    const did = await stepRewrite(pool, isMeant);
    if (did === 'nothing') return 'done';
    if (did === 'void') return 'void';
    if (did === 'step') continue;
    rounds += 1;
    if (rounds === ROUNDS_MAX) return 'waits';
    await pause(ROUND_PAUSE_MS);
  }
  return 'unfinished';
}

/** Does the next piece of what is under way, in a short time, if its phase is one that is meant. */
export async function stepRewrite(
  pool: pg.Pool,
  isMeant: (phase: Running['phase']) => boolean = () => true,
): Promise<'step' | 'nothing' | 'void' | 'waits'> {
  const running = await inTurn(pool, (client) => read(client));
  if (running === undefined) return 'nothing';
  if (running === 'void') {
    await giveUp(pool);
    return 'void';
  }
  if (!isMeant(running.phase)) return 'nothing';
  switch (running.phase) {
    case 'copy':
      await copyPages(pool);
      return 'step';
    case 'follow':
      if (await follow(pool)) await analyze(pool, running);
      return 'step';
    default:
      return approach(pool, running.phase);
  }
}

/**
 * Makes the empty tables, unless there is a rewrite already. Where the partitions of the two tables
 * are not the same, they are made so first.
 * @returns whether it is this one.
 */
async function begin(pool: pg.Pool, asked: Rewrite): Promise<boolean> {
  return inTurn(pool, async (client) => {
    const under = await client.query<{ same: boolean }>(
      'select plan = $1::jsonb as same from rewrites',
      [asJson(asked)],
    );
    if (under.rows[0] !== undefined) return under.rows[0].same;
    const half = await client.query('select from half_drops');
    if (half.rows.length > 0) return false;
    const plan = (await unevenRange(client)) ?? asked;
    const { from, to } = plan.target;
    const lower = Number.isFinite(from) ? `created_at >= ${from} and ` : '';
    for (const table of COPIED) {
      const made = madeOf(table, plan);
      await client.query(`drop table if exists ${made}`);
      // The indexes too: made afterwards, each would be one long transaction.
      await client.query(`create table ${made} (like ${table} including all)`);
      // It spares the attachment a look at every row.
      await client.query(
        `alter table ${made} add constraint in_range check (${lower}created_at < ${to})`,
      );
    }
    const { looks } = await lookAt(client, plan);
    await client.query('insert into rewrites (plan, sources_were, position) values ($1, $2, $3)', [
      asJson(plan),
      JSON.stringify(looks),
      await currentPosition(client),
    ]);
    return asJson(plan) === asJson(asked);
  });
}

/** Infinity is not for JSON; null stands for it. */
function asJson({ target, sources, kinds }: Rewrite): string {
  const from = Number.isFinite(target.from) ? target.from : null;
  return JSON.stringify({ target: { name: target.name, from, to: target.to }, sources, kinds });
}

interface Sources {
  /** Files and bounds: what is truncated, dropped or moved has others. */
  readonly looks: Readonly<Record<TimeTable, string>>;
  readonly parts: Running['parts'];
}

/** The sources of both tables that exist. */
async function lookAt(client: pg.ClientBase, { sources }: Rewrite): Promise<Sources> {
  const look = async (table: TimeTable) => {
    const { rows } = await client.query<{ look: string; names: string[] }>(
      `select coalesce(string_agg(
          concat_ws(' ', c.relname, pg_relation_filenode(c.oid), pg_get_expr(c.relpartbound, c.oid)),
          ', ' order by c.relname), '') as look,
          coalesce(array_agg(c.relname::text order by c.relname), '{}') as names
        from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = $1::regclass and c.relname = any($2::text[])`,
      [table, sources.map((name) => `${table}_${name}`)],
    );
    return rows[0] ?? { look: '', names: [] };
  };
  const [events, tags] = [await look('events'), await look('event_tags')];
  return {
    looks: { events: events.look, event_tags: tags.look },
    parts: { events: events.names, event_tags: tags.names },
  };
}

interface Row {
  readonly plan: Omit<Rewrite, 'target'> & {
    readonly target: Omit<Partition, 'from'> & { readonly from: number | null };
  };
  readonly sources_were: Sources['looks'];
  readonly position: string;
  readonly phase: Running['phase'];
  readonly part: number;
  readonly page: string;
  readonly trimmed: boolean;
}

/**
 * What is under way; `void` where the sources are no longer what they were, or the log is cut.
 * Once the tags are exchanged the events must follow: all of them are copied by then, wherever
 * their old tables are, and the log is not trimmed.
 */
async function read(client: pg.ClientBase): Promise<Running | 'void' | undefined> {
  const { rows } = await client.query<Row>(
    `select rewrites.*, below::text::bigint > position as trimmed
      from rewrites cross join changes_trimmed`,
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  const { target, sources, kinds } = row.plan;
  const { phase, part, sources_were: were } = row;
  const plan = { sources, kinds, target: { ...target, from: target.from ?? -Infinity } };
  const { looks, parts } = await lookAt(client, plan);
  const asTheyWere = looks.events === were.events && looks.event_tags === were.event_tags;
  if (row.trimmed || (phase !== 'events' && !asTheyWere)) return 'void';
  return {
    ...plan,
    parts,
    phase,
    position: Number(row.position),
    part,
    page: Number(row.page),
  };
}

/** Throws away what was made; where tags were exchanged already, the next one makes both even. */
async function giveUp(pool: pg.Pool): Promise<void> {
  await inTurn(pool, async (client) => {
    if ((await read(client)) !== 'void') return;
    const { rows } = await client.query<Pick<Row, 'plan'>>('delete from rewrites returning plan');
    for (const { plan } of rows) {
      for (const table of COPIED) await client.query(`drop table if exists ${madeOf(table, plan)}`);
    }
  });
}

/** What is under way, if it still is in this phase. */
async function inPhase(
  client: pg.ClientBase,
  phase: Running['phase'],
): Promise<Running | undefined> {
  const running = await read(client);
  return running === 'void' || running?.phase !== phase ? undefined : running;
}

async function copyPages(pool: pg.Pool): Promise<void> {
  await inTurn(pool, async (client) => {
    const running = await inPhase(client, 'copy');
    if (running === undefined) return;
    const { parts, part, page, kinds } = running;
    const all = COPIED.flatMap((table) => parts[table].map((source) => ({ table, source })));
    const now = all[part];
    if (now === undefined) {
      await client.query(`update rewrites set phase = 'follow'`);
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
    // Tags only of events that were copied: of one that leaves meanwhile, its text says which they
    // were. Those of events that came later are in the log, and what has no event stays behind.
    const which =
      now.table === 'events'
        ? `kind <> all('${plainArray(kinds)}'::int[])`
        : `exists (select from ${madeOf('events', running)} as e
            where e.created_at = given.created_at and e.key = given.key)`;
    // By place, since the tags have no index by time. Rows stay where they are; one that comes to
    // a place that was passed is in the log.
    await client.query(`
      insert into ${madeOf(now.table, running)} select * from ${now.source} as given
      where ctid >= '(${page},0)'::tid and ctid < '(${next},0)'::tid and ${which}
      on conflict do nothing`);
    await client.query('update rewrites set page = $1', [next]);
  });
}

/** Brings changes over while nobody waits. @returns whether all are that can be now. */
async function follow(pool: pg.Pool, phase: Running['phase'] = 'follow'): Promise<boolean> {
  return inTurn(pool, async (client) => {
    const running = await inPhase(client, phase);
    if (running === undefined) return false;
    // Now also in a table that others write to.
    if (phase === 'events') await yieldToOthers(client);
    const { position, complete } = await bringOver(client, running, 'some');
    const next = phase === 'follow' && complete ? 'event_tags' : phase;
    await client.query('update rewrites set position = $1, phase = $2', [position, next]);
    return complete;
  });
}

/** So that plans need not wait for autovacuum to come by; it does come, so no failure matters. */
async function analyze(pool: pg.Pool, running: Running): Promise<void> {
  const made = COPIED.map((table) => madeOf(table, running)).join();
  await pool.query(`analyze ${made}`).catch(() => undefined);
}

/** Exchanges a table once few changes are left for the time when everybody else has to wait. */
async function approach(pool: pg.Pool, table: TimeTable): Promise<'step' | 'waits'> {
  try {
    if (!(await follow(pool, table))) return 'step';
  } catch (error) {
    if (isLockedOut(error)) return 'waits';
    throw error;
  }
  const running = await inTurn(pool, (client) => inPhase(client, table));
  if (running === undefined) return 'step';
  return (await fewAreLeft(pool, running)) ? exchange(pool, running, table) : 'waits';
}

async function exchange(
  pool: pg.Pool,
  before: Running,
  table: TimeTable,
): Promise<'step' | 'waits'> {
  const tables = [...before.parts[table], madeOf(table, before)];
  return alone(pool, table, tables, async (client) => {
    const running = await inPhase(client, table);
    if (running === undefined) return 'step';
    // Others may have written much before they gave way.
    if (!(await fewAreLeft(client, running))) return 'waits';
    const { target, kinds } = running;
    const { position } = await bringOver(client, running, 'all');
    for (const source of running.parts[table]) await client.query(`drop table ${source}`);
    const partition = `${table}_${target.name}`;
    await client.query(`alter table ${madeOf(table, running)} rename to ${partition}`);
    await client.query(`alter table ${table} attach partition ${partition} ${boundsOf(target)}`);
    await client.query(`alter table ${partition} drop constraint in_range`);
    if (table === 'event_tags') {
      await client.query(`update rewrites set phase = 'events', position = $1`, [position]);
      return 'step';
    }
    if (kinds.length > 0) await noteDropped(client, target, kinds);
    await client.query('delete from rewrites');
    return 'step';
  });
}
