import type { Source } from '../database/sources.ts';
import type { NostrEvent } from '../nostr/event.ts';
import type { Filter } from '../nostr/filter.ts';
import type { Items } from '../nostr/negentropy/items.ts';
import type { Connection } from '../upstream/connection.ts';
import { partsOf } from './filter-parts.ts';
import { SENT_AT_A_TIME, SENT_IDS_MAX } from './limits.ts';
import { missingRanges, newerPart, type Range } from './ranges.ts';
import type { Tally } from './tally.ts';

/** What sending reaches of the database. */
export interface SendPorts {
  covered(source: number, filterKey: string): Promise<readonly Range[]>;
  cover(range: Range & { readonly source: number; readonly filterKey: string }): Promise<void>;
  held(
    filter: Filter,
    range: Range,
    idsMax: number,
    signal: AbortSignal,
  ): Promise<Items | undefined>;
  /** Our events with these ids. */
  events(ids: readonly string[]): Promise<readonly NostrEvent[]>;
  readonly nowMs: () => number;
}

interface ToSend {
  readonly source: Source;
  readonly ports: SendPorts;
  readonly limits: { readonly overlapSeconds: number; readonly sinceSeconds: number };
  readonly signal: AbortSignal;
}

/** Answers after which it is no use to go on now. */
const LATER = /^(rate-limited|error|auth-required):/;

/**
 * Sends what we hold of a source's filters to it, newest first, and remembers the ranges that it
 * has answered for. An event that it refuses is not offered again.
 * @returns how many events it took, those that it had already included.
 * @throws UpstreamFailure where it does not answer.
 */
export async function sendEvents(
  connection: Connection,
  { source, ports, limits, signal }: ToSend,
  tally: Tally,
): Promise<number> {
  let sent = 0;
  for (const { filter, key: partKey } of partsOf(source.filters)) {
    // Ranges of sending stand beside those of fetching, under a name of their own.
    const key = `up:${partKey}`;
    const now = Math.floor(ports.nowMs() / 1_000);
    const covered = [...(await ports.covered(source.id, key))];
    const last = covered.pop();
    if (last !== undefined) covered.push({ ...last, until: last.until - limits.overlapSeconds });
    const window = { since: limits.sinceSeconds, until: now };
    for (const gap of missingRanges(covered, window)) {
      let { until } = gap;
      while (until >= gap.since && !signal.aborted) {
        const { part, held } = await newestHeld(filter, { since: gap.since, until }, ports, signal);
        const took = await sendAll(connection, held, ports, tally, signal);
        if (took === undefined) return sent;
        sent += took;
        await ports.cover({ source: source.id, filterKey: key, ...part });
        until = part.since - 1;
      }
    }
  }
  return sent;
}

/** The newest part of a range that holds no more events than one step sends. */
async function newestHeld(
  filter: Filter,
  range: Range,
  ports: SendPorts,
  signal: AbortSignal,
): Promise<{ part: Range; held: Items }> {
  for (let part = range; ; part = newerPart(part)) {
    const idsMax = part.since === part.until ? Number.MAX_SAFE_INTEGER : SENT_IDS_MAX;
    const held = await ports.held(filter, part, idsMax, signal);
    if (held !== undefined) return { part, held };
  }
}

/** Protected events are for their authors to publish (NIP-70), messages for those involved. */
const maySend = ({ kind, tags }: NostrEvent): boolean =>
  kind !== 4 && kind !== 1_059 && !tags.some(([name]) => name === '-');

/** @returns how many were taken; undefined where the relay wants no more for now. */
async function sendAll(
  connection: Connection,
  held: Items,
  ports: SendPorts,
  tally: Tally,
  signal: AbortSignal,
): Promise<number | undefined> {
  let took = 0;
  // The items stand from old to new.
  for (let to = held.size; to > 0; to -= SENT_AT_A_TIME) {
    if (signal.aborted) return undefined;
    const from = Math.max(0, to - SENT_AT_A_TIME);
    const ids = Array.from({ length: to - from }, (_, n) => held.id(to - 1 - n));
    const events = (await ports.events(ids)).filter(maySend);
    let answers = await Promise.all(events.map((event) => connection.publish(event)));
    tally.requests += events.length;
    if (answers.some(({ message }) => /^auth-required:/.test(message))) {
      // With an answer to who we are (NIP-42) the same may be offered again.
      if (!(await connection.authenticate()).accepted) return undefined;
      answers = await Promise.all(events.map((event) => connection.publish(event)));
    }
    if (answers.some(({ accepted, message }) => !accepted && LATER.test(message))) return undefined;
    took += answers.filter(({ accepted }) => accepted).length;
  }
  return took;
}
