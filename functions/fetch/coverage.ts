import type { Coverage } from '../database/coverage.ts';
import type { Source } from '../database/sources.ts';
import type { NostrEvent } from '../nostr/event.ts';
import type { Filter } from '../nostr/filter.ts';
import type { Items } from '../nostr/negentropy/items.ts';
import type { Connection } from '../upstream/connection.ts';
import { UpstreamFailure } from '../upstream/failure.ts';
import { query } from '../upstream/query.ts';
import { reconcile } from '../upstream/reconcile.ts';
import { filterKey } from '../nostr/filter-key.ts';
import { FRAME_BYTES_MAX, RECONCILED_IDS_MAX, ROUNDS_MAX, SAMPLES } from './limits.ts';
import type { RangePorts } from './range-work.ts';
import type { Range } from './ranges.ts';

/** What a measurement reaches of the database. */
export interface CoveragePorts extends Pick<RangePorts, 'held' | 'nowMs'> {
  known(events: readonly NostrEvent[]): Promise<ReadonlySet<string>>;
}

/** A measurement, and where events are missing. */
export interface Measured extends Coverage {
  /** To be fetched again; empty where nothing is missing. */
  readonly incomplete: readonly Range[];
}

interface Question {
  readonly source: Source;
  readonly filter: Filter;
  readonly window: Range;
  readonly signal: AbortSignal;
}

/** Events that a sampled window asks for. */
const SAMPLE_EVENTS = 100;

/**
 * What share of a source's events for a filter we hold: exactly, by reconciliation (NIP-77), where
 * both sides can; else from windows spread evenly over what it has.
 * @throws UpstreamFailure where the source does not answer.
 */
export async function measureCoverage(
  connection: Connection,
  question: Question,
  ports: CoveragePorts,
): Promise<Measured> {
  const { source, filter, window, signal } = question;
  if (source.nip77 !== false) {
    const ours = await ports.held(filter, window, RECONCILED_IDS_MAX, signal);
    const exact = ours && (await byReconciliation(connection, question, ours));
    if (exact !== undefined) return exact;
  }
  return bySamples(connection, question, ports);
}

async function byReconciliation(
  connection: Connection,
  { source, filter, window, signal }: Question,
  items: Items,
): Promise<Measured | undefined> {
  try {
    const { have, need, complete } = await reconcile(connection, {
      filter: { ...filter, ...window },
      items,
      frameBytesMax: FRAME_BYTES_MAX,
      roundsMax: ROUNDS_MAX,
      idsMax: RECONCILED_IDS_MAX,
      signal,
    });
    if (!complete) return undefined;
    const held = items.size - have.length;
    return {
      source: source.id,
      filterKey: filterKey(filter),
      theirs: held + need.length,
      held,
      method: 'negentropy',
      ...window,
      incomplete: need.length === 0 ? [] : [window],
    };
  } catch (error) {
    const tooMuch =
      error instanceof UpstreamFailure && ['unsupported', 'refused'].includes(error.code);
    if (tooMuch) return undefined;
    throw error;
  }
}

/** Each sample is a page that begins at its moment; its oldest second may be cut, and is left out. */
async function bySamples(
  connection: Connection,
  { source, filter, window, signal }: Question,
  ports: CoveragePorts,
): Promise<Measured> {
  const incomplete: Range[] = [];
  const seen = new Map<string, boolean>();
  const newest = await page(connection, filter, window.until, signal);
  const oldest = await oldestOf(connection, filter, window, newest);
  const end = newest[0]?.created_at ?? window.until;
  for (let n = 0; n < SAMPLES; n += 1) {
    const until = Math.round(end - ((end - oldest) * n) / SAMPLES);
    const events = n === 0 ? newest : await page(connection, filter, until, signal);
    const last = Math.min(...events.map(({ created_at }) => created_at));
    const whole = events.filter(({ created_at }) => created_at > last);
    const sample = whole.length > 0 ? whole : events;
    if (sample.length === 0) continue;
    const known = await ports.known(sample);
    for (const { id } of sample) seen.set(id, known.has(id));
    if (sample.every(({ id }) => known.has(id))) continue;
    incomplete.push({ since: Math.max(last, 0), until });
  }
  const held = [...seen.values()].filter(Boolean).length;
  return {
    source: source.id,
    filterKey: filterKey(filter),
    theirs: seen.size,
    held,
    method: 'sampled',
    ...window,
    incomplete,
  };
}

/** A moment at or before which the source has little or nothing, found by halving. */
async function oldestOf(
  connection: Connection,
  filter: Filter,
  window: Range,
  newest: readonly NostrEvent[],
): Promise<number> {
  let high = newest.at(-1)?.created_at ?? window.until;
  let low = window.since;
  while (high - low > SECONDS_FINE) {
    const middle = Math.floor((low + high) / 2);
    const [found] = await collect(connection, { ...filter, until: middle, limit: 1 });
    if (found === undefined) low = middle;
    else high = Math.min(high - 1, found.created_at);
  }
  return low;
}

/** A day more or less makes no difference to samples of years. */
const SECONDS_FINE = 86_400;

async function page(
  connection: Connection,
  filter: Filter,
  until: number,
  signal: AbortSignal,
): Promise<NostrEvent[]> {
  signal.throwIfAborted();
  const events = await collect(connection, { ...filter, until, limit: SAMPLE_EVENTS });
  return events.sort((a, b) => b.created_at - a.created_at);
}

async function collect(connection: Connection, filter: Filter): Promise<NostrEvent[]> {
  const events: NostrEvent[] = [];
  for await (const event of query(connection, [filter])) events.push(event);
  return events;
}
