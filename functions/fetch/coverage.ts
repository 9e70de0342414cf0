import type { Coverage } from '../database/coverage.ts';
import type { Source } from '../database/sources.ts';
import type { NostrEvent } from '../nostr/event.ts';
import type { Filter } from '../nostr/filter.ts';
import type { Items } from '../nostr/negentropy/items.ts';
import type { Connection } from '../upstream/connection.ts';
import { UpstreamFailure } from '../upstream/failure.ts';
import { query } from '../upstream/query.ts';
import { reconcile } from '../upstream/reconcile.ts';
import { lotsOfIds } from './by-id.ts';
import { frameBytesMaxOf } from './comparing.ts';
import { MISSING_LOOKED_AT, RECONCILED_IDS_MAX, ROUNDS_MAX, SAMPLES } from './limits.ts';
import { notedInformation } from './log-in.ts';
import type { RangePorts } from './range-work.ts';
import type { Range } from './ranges.ts';

/** What a measurement reaches of the database. */
export interface CoveragePorts extends Pick<RangePorts, 'held' | 'nowMs'> {
  /** Of these events, those that we want and do not have. */
  wanted(events: readonly NostrEvent[]): Promise<readonly NostrEvent[]>;
  /** From 0 to 1. */
  chance(): number;
}

/** A measurement, and where events are missing. */
export interface Measured extends Pick<Coverage, 'theirs' | 'held' | 'method'> {
  /** To be fetched again; empty where nothing is missing. */
  readonly incomplete: readonly Range[];
}

/** Which part of a source is to be measured. */
export interface Question {
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
  const frameBytesMax = frameBytesMaxOf(notedInformation(source));
  if (source.nip77 !== false && frameBytesMax !== undefined) {
    const ours = await ports.held(filter, window, RECONCILED_IDS_MAX, signal);
    const exact =
      ours && (await byReconciliation(connection, question, ours, frameBytesMax, ports));
    if (exact !== undefined) return exact;
  }
  return bySamples(connection, question, ports);
}

async function byReconciliation(
  connection: Connection,
  { source, filter, window, signal }: Question,
  items: Items,
  frameBytesMax: number,
  ports: CoveragePorts,
): Promise<Measured | undefined> {
  try {
    const { have, need, complete } = await reconcile(connection, {
      filter: { ...filter, ...window },
      items,
      frameBytesMax,
      roundsMax: ROUNDS_MAX,
      idsMax: RECONCILED_IDS_MAX,
      signal,
    });
    if (!complete) return undefined;
    const missing = await reallyMissing(connection, source, need, ports);
    const held = items.size - have.length;
    return {
      theirs: held + missing,
      held,
      method: 'negentropy',
      incomplete: missing === 0 ? [] : [window],
    };
  } catch (error) {
    const tooMuch =
      error instanceof UpstreamFailure && ['unsupported', 'refused'].includes(error.code);
    if (tooMuch) return undefined;
    throw error;
  }
}

/**
 * How many of the ids that we lack are events that we want: some were deleted here, or have a newer
 * version, or are not taken by our rules. Where there are many, some are looked at.
 */
async function reallyMissing(
  connection: Connection,
  source: Source,
  need: readonly string[],
  ports: CoveragePorts,
): Promise<number> {
  const step = Math.max(1, Math.ceil(need.length / MISSING_LOOKED_AT));
  const looked = need.filter((_, n) => n % step === 0);
  let seen = 0;
  let missing = 0;
  const [lot = 1] = lotsOfIds(notedInformation(source));
  for (let at = 0; at < looked.length; at += lot) {
    const events = await collect(connection, { ids: looked.slice(at, at + lot), limit: lot });
    const wanted = await ports.wanted(events);
    seen += events.length;
    missing += wanted.length;
  }
  // Of ids that it names and does not give, the others' share is supposed to be wanted.
  return seen === 0 ? 0 : Math.ceil((need.length * missing) / seen);
}

/**
 * Each sample is a page that begins at its moment; its oldest second may be cut, and is left out.
 * The moments differ each time. Where events are missing, all between the two nearest samples that
 * are held whole is incomplete; where that is so at several places, so is most likely what lies
 * between samples that are whole, and everything counts as incomplete.
 */
async function bySamples(
  connection: Connection,
  { filter, window, signal }: Question,
  ports: CoveragePorts,
): Promise<Measured> {
  const asked = { ...filter, since: window.since };
  const seen = new Map<string, boolean>();
  const newest = await page(connection, asked, window.until, signal);
  const oldest = await oldestOf(connection, asked, window, newest);
  const end = newest[0]?.created_at ?? window.until;
  const samples: { until: number; last: number; whole: boolean }[] = [];
  for (let n = 0; n < SAMPLES; n += 1) {
    const place = n === 0 ? 0 : (n + ports.chance() - 0.5) / SAMPLES;
    const until = Math.round(end - (end - oldest) * place);
    const events = n === 0 ? newest : await page(connection, asked, until, signal);
    const last = Math.min(until, ...events.map(({ created_at }) => created_at));
    const sure = events.filter(({ created_at }) => created_at > last);
    const sample = sure.length > 0 ? sure : events;
    const missing = new Set((await ports.wanted(sample)).map(({ id }) => id));
    for (const { id } of sample) seen.set(id, !missing.has(id));
    samples.push({ until: n === 0 ? window.until : until, last, whole: missing.size === 0 });
  }
  const held = [...seen.values()].filter(Boolean).length;
  const incomplete = betweenWhole(samples, window);
  return {
    theirs: seen.size,
    held,
    method: 'sampled',
    incomplete: incomplete.length > 1 ? [window] : incomplete,
  };
}

/** @param samples from new to old. */
function betweenWhole(
  samples: readonly { readonly until: number; readonly last: number; readonly whole: boolean }[],
  window: Range,
): Range[] {
  const incomplete: Range[] = [];
  let until = window.until;
  let open = false;
  for (const sample of samples) {
    if (!sample.whole) open = true;
    else {
      if (open) incomplete.push({ since: Math.min(sample.until + 1, until), until });
      open = false;
      until = sample.last;
    }
  }
  if (open) incomplete.push({ since: window.since, until });
  return incomplete;
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
