import { randomUUID } from 'node:crypto';
import type { Log } from '../cloud/log.ts';
import type { RecentEvents, Source, SourceRun } from '../database/sources.ts';
import type { Connection, Fault } from '../upstream/connection.ts';
import { type FailureCode, reasonOf, UpstreamFailure } from '../upstream/failure.ts';
import type { RelayInformation } from '../upstream/information.ts';
import { Delivery, type DeliveryPorts } from './delivery.ts';
import { partsOf } from './filter-parts.ts';
import { invalidReason } from './judge.ts';
import { logIn, notedInformation } from './log-in.ts';
import { type RangePorts, RangeWork } from './range-work.ts';
import { scheduleSource } from './schedule-source.ts';
import { type SendPorts, sendEvents } from './send.ts';
import { newTally } from './tally.ts';
import { type TurnLimits, takeTurns } from './turns.ts';

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
  /** Notes what came of the visit, and gives what the source sent of late. */
  record(sourceId: number, run: SourceRun): Promise<RecentEvents>;
  quarantine(sourceId: number, reason: string): Promise<void>;
  /** From 0 to 1. */
  chance(): number;
  readonly log: Log;
}

export interface PieceLimits extends TurnLimits {
  /** From the first connection to the last acknowledgement. */
  readonly pieceMs: number;
  readonly eventsMax: number;
  readonly bytesMax: number;
  readonly requestsMax: number;
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
  /** False where bounds ended it and there is more to fetch or to send. */
  readonly finished: boolean;
  readonly failure: string | undefined;
  readonly failureCode: FailureCode | undefined;
}

/**
 * Does one source's piece of work: each filter's missing ranges, newest first, within the bounds.
 * What is covered is noted step by step, only after Pub/Sub has the events, so that a kill at any
 * moment repeats a step and loses nothing. Whatever the source does ends up in its record.
 * A failure of our own side stands there, too, and is no fault of the source. Rejects only where
 * that cannot be noted.
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
  let ours: unknown;
  let unread: unknown;
  let finished = source.direction === 'up';
  let sentAll = true;
  let invalid = 0;
  let work: RangeWork | undefined;
  let information: RelayInformation | undefined;
  try {
    information = (await ports.information(source)) ?? notedInformation(source);
    connection = await ports.connect(source, deadline, ({ reason }) => {
      if (!HARMLESS_FAULT.test(reason)) invalid += 1;
    });
    work = new RangeWork(connection, ports, delivery, tally, {
      ...limits,
      signal: deadline,
      endsAtMs,
      information,
      gaveBefore: source.counts.events > 0,
      nip77: speaksNip77(source, information),
    });
    // Whatever waits for the source's next word ends with the time.
    deadline.addEventListener('abort', () => void connection?.close(), { once: true });
    await logIn(connection, source, information);
    if (source.direction !== 'up') {
      const parts = partsOf(source.filters, information);
      const turns = { sourceId: source.id, parts, ports, limits, work, endsAtMs };
      finished = await takeTurns(turns).catch((error: unknown) => {
        // What it does not let us read says nothing of what it takes.
        if (source.direction === 'down' || connection?.failure !== undefined) throw error;
        unread = error;
        return false;
      });
    }
    if (source.direction !== 'down') {
      const toSend = { source, ports, limits, signal: deadline };
      sentAll = await sendEvents(connection, toSend, tally).catch((error: unknown) => {
        throw unread ?? error;
      });
    }
    if (unread !== undefined) throw unread;
  } catch (error) {
    failure = reasonOf(error);
    if (!(error instanceof UpstreamFailure) && !deadline.aborted) {
      ours = error;
      failure = `our own side: ${failure}`;
    }
    if (error instanceof UpstreamFailure && !deadline.aborted) failureCode = error.code;
    // Work that takes longer than a piece is no failure of the source, if it brought anything.
    if (deadline.aborted && delivery.counts.events > 0) failure = undefined;
    else if (deadline.aborted) failure = `no answer within ${limits.pieceMs / 1_000} s`;
  } finally {
    await connection?.close();
  }
  if (lost.aborted) throw lost.reason;
  const { sent } = tally;
  // Rounds of NIP-77 are no sign of anything: some relay may go on with them for ever.
  const brought = delivery.counts.events + (work?.covered ?? 0) + sent;
  if (!finished && brought === 0) {
    const { requests } = tally;
    failure ??=
      work?.impatient ?? `nothing came within ${limits.pieceMs / 1_000} s and ${requests} requests`;
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
    finished: finished && sentAll,
    failure,
    failureCode: failure === undefined || ours !== undefined ? undefined : failureCode,
  };
  await record(source, report, ports, {
    nip77: work?.nip77,
    information,
    progress: (work?.covered ?? 0) > 0 || delivery.counts.fresh > 0 || sent > 0,
    ours,
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

/** The bounds of a visit, lowered to those that an operator gave the source. */
export function withSourceLimits(limits: PieceLimits, { limits: own }: Source): PieceLimits {
  return {
    ...limits,
    eventsMax: Math.min(limits.eventsMax, own.eventsMax ?? limits.eventsMax),
    bytesMax: Math.min(limits.bytesMax, own.bytesMax ?? limits.bytesMax),
    requestsMax: Math.min(limits.requestsMax, own.requestsMax ?? limits.requestsMax),
    pieceMs: Math.min(limits.pieceMs, 1_000 * (own.secondsMax ?? limits.pieceMs)),
  };
}

async function record(
  source: Source,
  report: PieceReport,
  ports: PiecePorts,
  found: {
    readonly nip77: boolean | undefined;
    readonly information: RelayInformation | undefined;
    readonly progress: boolean;
    /** What failed of our own side, if anything. */
    readonly ours: unknown;
  },
): Promise<void> {
  const { requests, events, fresh, sent, invalid, bytes, failure, finished } = report;
  const visit = {
    requests,
    newEvents: fresh,
    // One that came on, and was then told to wait, is asked to go on soon.
    failed: failure !== undefined && !found.progress && found.ours === undefined,
    // Where something was sent, more may soon be.
    unfinished: (!finished || sent > 0) && found.progress,
    ours: found.ours !== undefined,
  };
  const { standing, nextInSeconds } = scheduleSource(source.standing, visit, ports.chance());
  const recent = await ports.record(source.id, {
    requests,
    events,
    newEvents: fresh,
    bytes,
    invalid,
    withheld: report.withheld,
    suspect: report.suspect,
    standing,
    nextInSeconds,
    ...(failure !== undefined && { failure }),
    ...(found.nip77 !== undefined && { nip77: found.nip77 }),
    ...(found.information !== undefined && { information: { ...found.information } }),
  });
  const reason = invalidReason({ seen: events + invalid, invalid }, recent);
  if (reason !== undefined) {
    await ports.quarantine(source.id, reason);
    ports.log.warning('source is quarantined', { source: source.url, reason });
  }
  if (found.ours !== undefined) {
    ports.log.error('a visit failed on our own side', { source: source.url, error: found.ours });
  }
  ports.log[failure === undefined ? 'info' : 'warning']('source visited', {
    source: source.url,
    ...report,
  });
}
