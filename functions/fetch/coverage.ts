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
import {
  MISSING_LOOKED_AT,
  RECONCILED_IDS_MAX,
  ROUNDS_MAX,
  SAMPLES,
  WITNESSES_A_SAMPLE,
} from './limits.ts';
import { notedInformation } from './log-in.ts';
import type { RangePorts } from './range-work.ts';
import type { Range } from './ranges.ts';

/** What a measurement reaches of the database. */
export interface CoveragePorts extends Pick<RangePorts, 'held' | 'nowMs'> {
  /** Of these events, those that we want and do not have. */
  wanted(events: readonly NostrEvent[]): Promise<readonly NostrEvent[]>;
  /** Has events stored that a measurement met; resolves when Pub/Sub has them. */
  bring(source: Source, events: readonly NostrEvent[]): Promise<void>;
  /** From 0 to 1. */
  chance(): number;
}

/** What says of an event what becomes of it here; all of it may be large. */
export type Witness = NostrEvent;

/** A measurement, and what is known of the events that are missing. */
export interface Measured extends Pick<Coverage, 'theirs' | 'held' | 'method'> {
  /** Some of the missing events, all of which were brought to us. */
  readonly brought: readonly Witness[];
  /** What is to be fetched again, by which of them were stored; empty where none was. */
  incomplete(isStored: (id: string) => boolean): readonly Range[];
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
    const { missing, brought, isAll } = await reallyMissing(connection, source, need, ports);
    const held = items.size - have.length;
    return {
      theirs: held + missing,
      held,
      method: 'negentropy',
      brought,
      incomplete: (isStored) => (!isAll && brought.some(({ id }) => isStored(id)) ? [window] : []),
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
 * version, or are not taken by our rules. Where there are many, some are looked at. Those that are
 * wanted are brought to us: of a few that is all there is to do.
 */
async function reallyMissing(
  connection: Connection,
  source: Source,
  need: readonly string[],
  ports: CoveragePorts,
): Promise<{ missing: number; brought: readonly Witness[]; isAll: boolean }> {
  const looked = evenly(need, MISSING_LOOKED_AT);
  let seen = 0;
  const brought: Witness[] = [];
  const [lot = 1] = lotsOfIds(notedInformation(source));
  for (let at = 0; at < looked.length; at += lot) {
    const events = await collect(connection, { ids: looked.slice(at, at + lot), limit: lot });
    const wanted = await ports.wanted(events);
    seen += events.length;
    await ports.bring(source, wanted);
    brought.push(...wanted.map(witnessOf));
  }
  // Of ids that it names and does not give, the others' share is supposed to be wanted.
  const missing = seen === 0 ? 0 : Math.ceil((need.length * brought.length) / seen);
  return { missing, brought, isAll: seen === need.length };
}

/** The same event without what may be large and says nothing of what becomes of it. */
const witnessOf = (event: NostrEvent): Witness => ({
  ...event,
  content: '',
  sig: '',
  tags: event.tags.filter(([letter]) => letter === 'd').slice(0, 1),
});

/** A page of what the source has, and what of it we lack. */
interface Sample {
  readonly until: number;
  readonly last: number;
  /** The missing events that were brought to us. */
  readonly brought: readonly Witness[];
}

/**
 * Each sample is a page that begins at its moment; its oldest second may be cut, and is left out.
 * The moments differ each time. Where events were lost, all between the two nearest samples without
 * such a loss is incomplete; where that is so at several places, so is most likely what lies
 * between samples that are whole, and everything counts as incomplete.
 */
async function bySamples(
  connection: Connection,
  { source, filter, window, signal }: Question,
  ports: CoveragePorts,
): Promise<Measured> {
  const asked = { ...filter, since: window.since };
  const seen = new Map<string, boolean>();
  const newest = await page(connection, asked, window.until, signal);
  const oldest = await oldestOf(connection, asked, window, newest);
  const end = newest[0]?.created_at ?? window.until;
  const samples: Sample[] = [];
  for (let n = 0; n < SAMPLES; n += 1) {
    const place = n === 0 ? 0 : (n + ports.chance() - 0.5) / SAMPLES;
    const until = Math.round(end - (end - oldest) * place);
    const events = n === 0 ? newest : await page(connection, asked, until, signal);
    const last = Math.min(until, ...events.map(({ created_at }) => created_at));
    const sure = events.filter(({ created_at }) => created_at > last);
    const sample = sure.length > 0 ? sure : events;
    const wanted = await ports.wanted(sample);
    const missing = new Set(wanted.map(({ id }) => id));
    for (const { id } of sample) {
      // What an overlapping sample lacked counts, though it was brought meanwhile.
      if (!seen.has(id)) seen.set(id, !missing.has(id));
    }
    const some = evenly(wanted, WITNESSES_A_SAMPLE);
    await ports.bring(source, some);
    const brought = some.map(witnessOf);
    samples.push({ until: n === 0 ? window.until : until, last, brought });
  }
  const held = [...seen.values()].filter(Boolean).length;
  return {
    theirs: seen.size,
    held,
    method: 'sampled',
    brought: samples.flatMap(({ brought }) => brought),
    incomplete(isStored) {
      const incomplete = betweenWhole(samples, window, isStored);
      return incomplete.length > 1 ? [window] : incomplete;
    },
  };
}

/** @param samples from new to old. */
function betweenWhole(
  samples: readonly Sample[],
  window: Range,
  isStored: (id: string) => boolean,
): Range[] {
  const incomplete: Range[] = [];
  let until = window.until;
  let open = false;
  for (const sample of samples) {
    if (sample.brought.some(({ id }) => isStored(id))) open = true;
    else {
      if (open) incomplete.push({ since: Math.min(sample.until + 1, until), until });
      open = false;
      until = sample.last;
    }
  }
  if (open) incomplete.push({ since: window.since, until });
  return incomplete;
}

/** So many of a list, from all of it. */
const evenly = <T>(list: readonly T[], count: number): readonly T[] => {
  const step = Math.max(1, Math.ceil(list.length / count));
  return list.filter((_, n) => n % step === 0);
};

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
