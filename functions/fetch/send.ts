import type { ArrivalsRead, LogPlace } from '../database/arrivals.ts';
import type { Sent } from '../database/sent.ts';
import type { Source } from '../database/sources.ts';
import type { NostrEvent } from '../nostr/event.ts';
import type { Filter } from '../nostr/filter.ts';
import { compileFilter } from '../nostr/matcher.ts';
import type { Items } from '../nostr/negentropy/items.ts';
import type { Connection } from '../upstream/connection.ts';
import { type FilterPart, partsOf } from './filter-parts.ts';
import { GROWTH_MAX, SENT_AT_A_TIME, SENT_IDS_MAX } from './limits.ts';
import { Offering } from './offering.ts';
import { missingRanges, newerPart, type Range } from './ranges.ts';
import type { Tally } from './tally.ts';

/** What sending reaches of the database. */
export interface SendPorts {
  covered(source: number, filterKey: string): Promise<readonly Range[]>;
  cover(range: Range & { readonly source: number; readonly filterKey: string }): Promise<void>;
  uncover(range: Range & { readonly source: number; readonly filterKey: string }): Promise<void>;
  held(
    filter: Filter,
    range: Range,
    idsMax: number,
    signal: AbortSignal,
  ): Promise<Items | undefined>;
  /** What was stored after a place of our log, in the order of the log. */
  arrivals(after: LogPlace, rowsMax: number): Promise<ArrivalsRead>;
  /** The place of our log after which whatever is not to be seen yet will stand. */
  logEnd(): Promise<LogPlace>;
  /** How far the log has been sent to a source. */
  sent(source: number): Promise<Sent | undefined>;
  noteSent(source: number, sent: Sent): Promise<void>;
  /** Those of these events that we hold and did not first see at this source, in the same order. */
  notFrom(
    source: number,
    events: readonly { readonly id: string; readonly createdAt: number }[],
  ): Promise<readonly NostrEvent[]>;
  readonly nowMs: () => number;
}

export interface SendLimits {
  /** Events that one visit offers. */
  readonly eventsMax: number;
  /** Events before this second are not sent. */
  readonly sinceSeconds: number;
}

interface ToSend {
  readonly source: Source;
  readonly ports: SendPorts;
  readonly limits: SendLimits;
  readonly signal: AbortSignal;
}

/** All seconds that an event may have. */
const EVER: Range = { since: 0, until: Number.MAX_SAFE_INTEGER };

/**
 * Sends what we hold of a source's filters to it: what was stored since the last visit, in the
 * order in which it was stored, whatever its created_at; and before or beside that once the past,
 * newest first. How far either has come is noted only when the source has answered. What it gave
 * us itself, and what it refuses, is not offered again.
 * @returns false where its answers or a bound ended it and there is more.
 * @throws UpstreamFailure where it does not answer.
 */
export async function sendEvents(
  connection: Connection,
  toSend: ToSend,
  tally: Tally,
): Promise<boolean> {
  const { source, ports, limits, signal } = toSend;
  const before = await begin(source, ports);
  const offering = new Offering(connection, tally, {
    eventsMax: limits.eventsMax,
    signal,
    stalled: before.stalled,
  });
  const sent = await sendNews(toSend, offering, before);
  if (!offering.ended) {
    offering.turn();
    await sendPast(toSend, offering);
  }
  const { stalled } = offering;
  if (stalled !== sent.stalled) await ports.noteSent(source.id, { ...sent, stalled });
  offering.throwFailure();
  return !offering.ended;
}

/** Ranges of sending stand beside those of fetching, under a name of their own. */
const pastKey = ({ key }: FilterPart): string => `up:${key}`;

/**
 * Where sending goes on. Filters that were not followed up to there begin anew with their past,
 * which then is read after the place is chosen: what is stored in between is in the one or other.
 */
async function begin(source: Source, ports: SendPorts): Promise<Sent> {
  const parts = partsOf(source.filters);
  const filterKeys = [...new Set(parts.map(({ key }) => key))].sort();
  const before = await ports.sent(source.id);
  const followed = new Set(before?.filterKeys);
  const news = parts.filter(({ key }) => !followed.has(key));
  if (before !== undefined && news.length === 0 && followed.size === filterKeys.length) {
    return before;
  }
  return beginAnew(source, ports, news, {
    place: before?.place ?? (await ports.logEnd()),
    filterKeys,
    stalled: before?.stalled ?? 0,
  });
}

async function beginAnew(
  source: Source,
  ports: SendPorts,
  parts: readonly FilterPart[],
  sent: Sent,
): Promise<Sent> {
  for (const part of parts) {
    await ports.uncover({ source: source.id, filterKey: pastKey(part), ...EVER });
  }
  await ports.noteSent(source.id, sent);
  return sent;
}

/** Protected events are for their authors to publish (NIP-70), messages for those involved. */
const maySend = ({ kind, tags }: NostrEvent): boolean =>
  kind !== 4 && kind !== 1_059 && !tags.some(([name]) => name === '-');

/** Sends what was stored since, and gives how far that has come. */
async function sendNews(
  { source, ports, limits }: ToSend,
  offering: Offering,
  before: Sent,
): Promise<Sent> {
  const matchers = source.filters.map(compileFilter);
  let sent = before;
  let noted = before;
  while (!offering.ended) {
    const read = await ports.arrivals(sent.place, SENT_AT_A_TIME);
    if (read.gap) {
      // What has left the log unread can be found in the past alone.
      const place = await ports.logEnd();
      return beginAnew(source, ports, partsOf(source.filters), { ...sent, place });
    }
    const wanted = read.arrivals.flatMap(({ seenFrom, createdAt, text, at }) => {
      if (seenFrom === source.id || createdAt < limits.sinceSeconds) return [];
      const event = JSON.parse(text) as NostrEvent;
      return maySend(event) && matchers.some((matches) => matches(event)) ? [{ event, at }] : [];
    });
    const answered = await offering.offer(wanted.map(({ event }) => event));
    const waiting = wanted[answered];
    const place = waiting === undefined ? read.place : placeBefore(read.arrivals, waiting.at);
    if (place !== undefined) sent = { ...sent, place };
    if (place !== undefined && answered > 0) {
      await ports.noteSent(source.id, sent);
      noted = sent;
      offering.moved();
    }
    if (read.complete) break;
  }
  // What is not wanted costs little to pass by again, so that it is not noted lot by lot.
  if (sent !== noted) await ports.noteSent(source.id, sent);
  return sent;
}

/** The place of the row that stands before another; undefined where that is the first one. */
function placeBefore(
  arrivals: readonly { readonly at: LogPlace }[],
  place: LogPlace,
): LogPlace | undefined {
  return arrivals[arrivals.findIndex(({ at }) => at === place) - 1]?.at;
}

/** Sends what was stored before sending began, newest first, and remembers the ranges of it. */
async function sendPast(toSend: ToSend, offering: Offering): Promise<void> {
  const { source, ports, limits, signal } = toSend;
  // What lies ahead of the clock is a part of its own: else the halves of eternity would be tried.
  const now = Math.floor(ports.nowMs() / 1_000);
  for (const part of partsOf(source.filters)) {
    const covered = await ports.covered(source.id, pastKey(part));
    const gaps = [
      ...missingRanges(covered, { ...EVER, since: Math.max(now, limits.sinceSeconds) }),
      ...missingRanges(covered, { since: limits.sinceSeconds, until: now - 1 }),
    ];
    for (const gap of gaps) {
      let { until } = gap;
      let seconds = Number.POSITIVE_INFINITY;
      while (until >= gap.since && !offering.ended) {
        const next = { since: Math.max(gap.since, until - seconds + 1), until };
        const { range, held } = await newestHeld(part.filter, next, ports, signal);
        await sendRange(toSend, offering, pastKey(part), range, held);
        until = range.since - 1;
        seconds = secondsAfter(range, held.size);
      }
    }
  }
}

/** How long a range the next step tries, so that it holds half of what a step sends at most. */
function secondsAfter({ since, until }: Range, events: number): number {
  const times = Math.min(GROWTH_MAX, SENT_IDS_MAX / 2 / Math.max(1, events));
  return Math.ceil((until - since + 1) * times);
}

/** The newest part of a range that holds no more events than one step sends. */
async function newestHeld(
  filter: Filter,
  whole: Range,
  ports: SendPorts,
  signal: AbortSignal,
): Promise<{ range: Range; held: Items }> {
  for (let range = whole; ; range = newerPart(range)) {
    const idsMax = range.since === range.until ? Number.MAX_SAFE_INTEGER : SENT_IDS_MAX;
    const held = await ports.held(filter, range, idsMax, signal);
    if (held !== undefined) return { range, held };
  }
}

/** Sends the events of a range, newest first, and notes after each lot which seconds are done. */
async function sendRange(
  { source, ports }: ToSend,
  offering: Offering,
  key: string,
  range: Range,
  held: Items,
): Promise<void> {
  const cover = async (since: number): Promise<void> => {
    if (since > range.until) return;
    await ports.cover({ source: source.id, filterKey: key, since, until: range.until });
    offering.moved();
  };
  // The items stand from old to new.
  for (let to = held.size; to > 0; to -= SENT_AT_A_TIME) {
    if (offering.ended) return;
    const from = Math.max(0, to - SENT_AT_A_TIME);
    const lot = Array.from({ length: to - from }, (_, n) => to - 1 - n).map((at) => ({
      id: held.id(at),
      createdAt: held.createdAt(at),
    }));
    const events = (await ports.notFrom(source.id, lot)).filter(maySend);
    const waiting = events[await offering.offer(events)];
    // The second at the end of the lot may go on in the next one.
    if (waiting !== undefined || from > 0) {
      await cover((waiting?.created_at ?? held.createdAt(from)) + 1);
    }
    if (waiting !== undefined) return;
  }
  await cover(range.since);
}
