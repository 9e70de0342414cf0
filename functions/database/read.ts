import pg from 'pg';
import { compareEvents, type NostrEvent } from '../nostr/event.ts';
import { type Filter, matchesFilter } from '../nostr/filter.ts';
import { cancellable } from './cancel.ts';
import { probesOf, shapeOf } from './read-shape.ts';
import { buildQuery, type Statement } from './read-sql.ts';
import { BEGIN_SNAPSHOT, withSession, withTransaction } from './session.ts';
import { type StoredEvent, storedEvent } from './stored-event.ts';

export type { StoredEvent } from './stored-event.ts';

/** From this many walks on, time is walked in steps: each walk costs a probe a partition. */
const STEPPED_PROBES_MIN = 24;
const FIRST_STEP_SECONDS = 30 * 24 * 3_600;
const STEP_FACTOR = 4;

export interface QueryOptions {
  /** Not more events than this; the filter's own limit is the caller's business. */
  readonly limit: number;
  /** Ends the running statement in the server, too. */
  readonly signal?: AbortSignal;
  /** Told of each text's size as it comes in; what it throws ends the query and comes out of it. */
  readonly take?: (bytes: number) => void;
  /** Called on the connection before each statement; what it throws ends the query. */
  readonly prepare?: (client: pg.PoolClient) => Promise<void>;
}

/** The stored events that a filter gets: newest first, ties by lowest id. */
export async function queryEvents(
  pool: pg.Pool,
  filter: Filter,
  options: QueryOptions,
): Promise<StoredEvent[]> {
  const { limit, take, prepare } = options;
  const refusal = take && new AbortController();
  const signals = [options.signal, refusal?.signal].filter((each) => each !== undefined);
  const signal = signals.length > 1 ? AbortSignal.any(signals) : signals[0];
  signal?.throwIfAborted();
  const steps = stepsOf(filter, Math.floor(Date.now() / 1_000));
  const first = buildQuery({ ...filter, ...steps[0] }, limit);
  if (first === undefined) return [];
  const ask = (client: pg.PoolClient, statement: Statement): Promise<StoredEvent[]> =>
    cancellable(pool, client, signal, async () => {
      if (prepare !== undefined) await prepare(client);
      const texts = await textsOf(client, statement, (bytes) => {
        try {
          take?.(bytes);
        } catch (error) {
          refusal?.abort(error);
        }
        return refusal?.signal.aborted !== true;
      });
      return texts.map(storedEvent);
    });
  if (filter.ids !== undefined) {
    const found = await withSession(pool, (client) => ask(client, first));
    return ofThese(filter, found).slice(0, limit);
  }
  if (steps.length === 1) return withSession(pool, (client) => ask(client, first));
  // One snapshot for all steps: between two of them a version could else come and another go.
  return withTransaction(pool, BEGIN_SNAPSHOT, async (client) => {
    const events: StoredEvent[] = [];
    for (const step of steps) {
      const statement = buildQuery({ ...filter, ...step }, limit - events.length);
      if (statement === undefined) break;
      events.push(...(await ask(client, statement)));
    }
    return events;
  });
}

/** The texts that a statement gives, as they come in; they are let go once `take` says no. */
function textsOf(
  client: pg.PoolClient,
  { name, text, values }: Statement,
  take: (bytes: number) => boolean,
): Promise<string[]> {
  return new Promise((resolve, reject) => {
    let texts: string[] = [];
    const query = { name, text, values: [...values], rowMode: 'array' as const };
    // A callback rather than the events: with a time limit of the client's own, node-pg sets one
    // itself, and then no event tells of an error.
    const done = (error: Error | null): void => (error ? reject(error) : resolve(texts));
    const running = new pg.Query<[string]>(query, done);
    running.on('row', (row, result) => {
      // The types know only rows that are objects.
      const [found] = row as unknown as [string];
      if (take(Buffer.byteLength(found))) texts.push(found);
      else texts = [];
      // With a callback node-pg gathers the rows as well.
      if (result !== undefined) result.rows.length = 0;
    });
    client.query(running);
  });
}

/** By id the keys were looked up, so the whole id and all else is checked here. */
function ofThese(filter: Filter, found: readonly StoredEvent[]): StoredEvent[] {
  return found
    .filter(({ text }) => matchesFilter(filter, JSON.parse(text) as NostrEvent))
    .sort((a, b) =>
      compareEvents({ created_at: a.createdAt, id: a.id }, { created_at: b.createdAt, id: b.id }),
    );
}

interface Step {
  readonly since?: number;
  readonly until?: number;
}

/**
 * The times to ask for one after the other, newest first, until the limit is filled. Many walks
 * over all partitions would cost a probe of each; most answers are in the newest. The clock says
 * only where the newest events may be expected, the answer does not depend on it.
 */
export function stepsOf(filter: Filter, nowSeconds: number): Step[] {
  const shape = filter.ids === undefined ? shapeOf(filter) : undefined;
  const whole: Step = {
    ...(filter.since !== undefined && { since: filter.since }),
    ...(filter.until !== undefined && { until: filter.until }),
  };
  if (shape === undefined || !shape.tables.includes('events')) return [whole];
  if (probesOf(shape.driver) < STEPPED_PROBES_MIN) return [whole];
  const since = filter.since ?? 0;
  const steps: Step[] = [];
  let until = filter.until;
  let length = FIRST_STEP_SECONDS;
  let from = Math.min(nowSeconds, until ?? nowSeconds) - length;
  while (from > since) {
    steps.push({ since: from, ...(until !== undefined && { until }) });
    until = from - 1;
    length *= STEP_FACTOR;
    from = until - length;
  }
  return [...steps, { since, ...(until !== undefined && { until }) }];
}
