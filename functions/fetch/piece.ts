import { randomUUID } from 'node:crypto';
import type { Log } from '../cloud/log.ts';
import type { Source, SourceRun } from '../database/sources.ts';
import { filterKey } from '../nostr/filter-key.ts';
import type { Connection, Fault } from '../upstream/connection.ts';
import { type FailureCode, reasonOf, UpstreamFailure } from '../upstream/failure.ts';
import type { RelayInformation } from '../upstream/information.ts';
import { Delivery, type DeliveryPorts } from './delivery.ts';
import { FILTER_MS_MIN, INVALID_JUDGED_FROM, INVALID_SHARE_MAX } from './limits.ts';
import { type RangePorts, RangeWork } from './range-work.ts';
import { missingRanges, type Range } from './ranges.ts';
import { scheduleSource } from './schedule-source.ts';
import { type SendPorts, sendEvents } from './send.ts';
import { newTally } from './tally.ts';

/** What a piece of work reaches of the world. */
export interface PiecePorts extends DeliveryPorts, RangePorts, SendPorts {
  /** Opens a guarded and bounded connection; logs in where it is asked and we have a key. */
  connect(
    source: Source,
    signal: AbortSignal,
    onFault?: (fault: Fault) => void,
  ): Promise<Connection>;
  /** Its NIP-11 document; undefined where it shows none. */
  information(source: Source): Promise<RelayInformation | undefined>;
  record(sourceId: number, run: SourceRun): Promise<void>;
  quarantine(sourceId: number, reason: string): Promise<void>;
  /** From 0 to 1. */
  chance(): number;
  readonly log: Log;
}

export interface PieceLimits {
  /** From the first connection to the last acknowledgement. */
  readonly pieceMs: number;
  readonly eventsMax: number;
  readonly bytesMax: number;
  readonly requestsMax: number;
  /** The newest covered seconds are looked at again: some events arrive late. */
  readonly overlapSeconds: number;
  /** Events before this second are not fetched. */
  readonly sinceSeconds: number;
}

/** What came of a piece, for the log and for tests. */
export interface PieceReport {
  readonly requests: number;
  readonly events: number;
  readonly fresh: number;
  readonly sent: number;
  readonly invalid: number;
  readonly bytes: number;
  readonly rounds: number;
  readonly withheld: number;
  readonly suspect: number;
  /** False where bounds ended it and there is more to fetch. */
  readonly finished: boolean;
  readonly failure: string | undefined;
  readonly failureCode: FailureCode | undefined;
}

/**
 * Does one source's piece of work: each filter's missing ranges, newest first, within the bounds.
 * What is covered is noted step by step, only after Pub/Sub has the events, so that a kill at any
 * moment repeats a step and loses nothing. Whatever the source does ends up in its record.
 * Rejects only where our own side fails.
 * @param lost says that another piece has taken the source.
 */
export async function runPiece(
  source: Source,
  ports: PiecePorts,
  given: PieceLimits,
  lost: AbortSignal,
): Promise<PieceReport> {
  const limits = withSourceLimits(given, source);
  const tally = newTally();
  const delivery = new Delivery(ports, source, `fetch-${source.id}-${randomUUID().slice(0, 8)}`);
  const deadline = AbortSignal.any([AbortSignal.timeout(limits.pieceMs), lost]);
  const share = source.direction === 'both' ? FETCHING_SHARE : 1;
  const endsAtMs = ports.nowMs() + share * limits.pieceMs;
  let connection: Connection | undefined;
  let failure: string | undefined;
  // What ends by itself ends for want of time.
  let failureCode: FailureCode = 'timeout';
  let finished = false;
  let sent = 0;
  let invalid = 0;
  let work: RangeWork | undefined;
  let information: RelayInformation | undefined;
  try {
    information = await ports.information(source);
    connection = await ports.connect(source, deadline, ({ reason }) => {
      if (!HARMLESS_FAULT.test(reason)) invalid += 1;
    });
    work = new RangeWork(connection, ports, delivery, tally, {
      ...limits,
      signal: deadline,
      limitMax: information?.limitMax,
      gaveBefore: source.counts.events > 0,
      nip77: speaksNip77(source, information),
    });
    // Whatever waits for the source's next word ends with the time.
    deadline.addEventListener('abort', () => void connection?.close(), { once: true });
    if (source.direction !== 'up') {
      finished = await fetchAll(source, ports, limits, work, endsAtMs);
    }
    if (source.direction !== 'down') {
      const toSend = { source, ports, limits, signal: deadline };
      sent = await sendEvents(connection, toSend, tally);
    }
  } catch (error) {
    const ours = !(error instanceof UpstreamFailure) && !deadline.aborted;
    failure = reasonOf(error);
    if (error instanceof UpstreamFailure && !deadline.aborted) failureCode = error.code;
    if (ours) throw error;
    // Work that takes longer than a piece is no failure of the source, if it brought anything.
    if (deadline.aborted && delivery.counts.events > 0) failure = undefined;
    else if (deadline.aborted) failure = `no answer within ${limits.pieceMs / 1_000} s`;
  } finally {
    await connection?.close();
  }
  if (lost.aborted) throw lost.reason;
  const brought = delivery.counts.events + tally.rounds + sent;
  if (!finished && brought === 0 && source.direction !== 'up') {
    failure ??= `nothing came within ${limits.pieceMs / 1_000} s`;
  }
  const report: PieceReport = {
    requests: tally.requests,
    events: delivery.counts.events,
    fresh: delivery.counts.fresh,
    sent,
    invalid,
    bytes: connection?.bytesReceived ?? 0,
    rounds: tally.rounds,
    withheld: tally.withheld,
    suspect: tally.suspect,
    finished,
    failure,
    failureCode: failure === undefined ? undefined : failureCode,
  };
  await record(source, report, ports, {
    nip77: work?.nip77,
    information,
    progress: (work?.covered ?? 0) > 0 || delivery.counts.fresh > 0 || sent > 0,
  });
  return report;
}

/** A long backfill must not keep what we have from being sent. */
const FETCHING_SHARE = 0.7;

/** What honest relays do: ignore a limit, or hold events larger than we take. */
const HARMLESS_FAULT = /more events than the limit|event of \d+ bytes/;

/** A relay that lists NIP-77 is asked again, whatever was found out once. */
function speaksNip77(source: Source, information: RelayInformation | undefined): boolean {
  const claims = information?.supportedNips?.includes(77);
  return claims === true || (source.nip77 ?? claims ?? true);
}

function withSourceLimits(limits: PieceLimits, { limits: own }: Source): PieceLimits {
  return {
    ...limits,
    eventsMax: Math.min(limits.eventsMax, own.eventsMax ?? limits.eventsMax),
    bytesMax: Math.min(limits.bytesMax, own.bytesMax ?? limits.bytesMax),
    requestsMax: Math.min(limits.requestsMax, own.requestsMax ?? limits.requestsMax),
  };
}

/** Fetches every filter of a source; false where time or another bound ended it before. */
async function fetchAll(
  source: Source,
  ports: PiecePorts,
  limits: PieceLimits,
  work: RangeWork,
  endsAtMs: number,
): Promise<boolean> {
  let finished = true;
  const { filters } = source;
  for (const [n, filter] of filters.entries()) {
    const leftMs = endsAtMs - ports.nowMs();
    const shareMs = Math.max(FILTER_MS_MIN, leftMs / (filters.length - n));
    const key = filterKey(filter);
    const gaps = await missing(source, key, ports, limits);
    const untilMs = ports.nowMs() + Math.min(leftMs, shareMs);
    const done = await work.fetch(filter, gaps, untilMs, (range) =>
      ports.cover({ source: source.id, filterKey: key, ...range }),
    );
    finished &&= done;
  }
  return finished;
}

/**
 * What is not covered yet, newest first. The newest covered seconds are taken back first: some
 * events arrive late, and a clock that was ahead may have covered what was still to come. The
 * second that runs is left for the next visit.
 */
async function missing(
  source: Source,
  key: string,
  ports: PiecePorts,
  { overlapSeconds, sinceSeconds }: PieceLimits,
): Promise<Range[]> {
  const until = Math.floor(ports.nowMs() / 1_000) - 1;
  const newest = (await ports.covered(source.id, key)).at(-1);
  if (newest !== undefined) {
    const since = Math.min(newest.until - overlapSeconds, until) + 1;
    const again = { since: Math.max(0, since), until: Number.MAX_SAFE_INTEGER };
    await ports.uncover({ source: source.id, filterKey: key, ...again });
  }
  const covered = await ports.covered(source.id, key);
  return missingRanges(covered, { since: sinceSeconds, until });
}

async function record(
  source: Source,
  report: PieceReport,
  ports: PiecePorts,
  found: {
    readonly nip77: boolean | undefined;
    readonly information: RelayInformation | undefined;
    readonly progress: boolean;
  },
): Promise<void> {
  const { requests, events, fresh, invalid, bytes, failure, finished } = report;
  const visit = {
    requests,
    newEvents: fresh,
    // One that came on, and was then told to wait, is asked to go on soon.
    failed: failure !== undefined && !found.progress,
    unfinished: !finished && found.progress,
  };
  const { standing, nextInSeconds } = scheduleSource(source.standing, visit, ports.chance());
  await ports.record(source.id, {
    requests,
    events,
    newEvents: fresh,
    bytes,
    invalid,
    standing,
    nextInSeconds,
    ...(failure !== undefined && { failure }),
    ...(found.nip77 !== undefined && { nip77: found.nip77 }),
    ...(found.information !== undefined && { information: { ...found.information } }),
  });
  const seen = events + invalid;
  if (invalid >= INVALID_JUDGED_FROM && invalid > INVALID_SHARE_MAX * seen) {
    const reason = `${invalid} of ${seen} events were invalid or not what was asked for`;
    await ports.quarantine(source.id, reason);
    ports.log.warning('source is quarantined', { source: source.url, reason });
  }
  ports.log[failure === undefined ? 'info' : 'warning']('source visited', {
    source: source.url,
    ...report,
  });
}
