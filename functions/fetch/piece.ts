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
import { newTally, type Tally } from './tally.ts';
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
  const { pieceMs } = limits;
  const tally = newTally();
  const delivery = new Delivery(ports, source, `fetch-${source.id}-${randomUUID().slice(0, 8)}`);
  const deadline = AbortSignal.any([AbortSignal.timeout(pieceMs), lost]);
  const visit: Visit = { finished: source.direction === 'up', sentAll: true, invalid: 0 };
  let ending: Ending = {};
  try {
    await goThrough(visit, { source, ports, limits, tally, delivery, deadline });
  } catch (error) {
    const brought = delivery.counts.events > 0;
    ending = deadline.aborted ? outOfTime(brought, pieceMs) : endingOf(error);
  } finally {
    await visit.connection?.close();
  }
  if (lost.aborted) throw lost.reason;
  const { sent, requests } = tally;
  const covered = visit.work?.covered ?? 0;
  let { failure } = ending;
  // Rounds of NIP-77 are no sign of anything: some relay may go on with them for ever.
  if (!visit.finished && delivery.counts.events + covered + sent === 0) {
    failure ??=
      visit.work?.impatient ?? `nothing came within ${pieceMs / 1_000} s and ${requests} requests`;
  }
  const failed = failure !== undefined && ending.ours === undefined;
  const report: PieceReport = {
    requests,
    events: delivery.counts.events,
    fresh: delivery.counts.fresh,
    sent,
    invalid: visit.invalid,
    bytes: visit.connection?.bytesReceived ?? 0,
    rounds: tally.rounds,
    withheld: tally.withheld,
    suspect: tally.suspect,
    finished: visit.finished && visit.sentAll,
    failure,
    // What ends by itself ends for want of time.
    failureCode: failed ? (ending.code ?? 'timeout') : undefined,
  };
  await record(source, report, ports, {
    nip77: visit.work?.nip77,
    information: visit.information,
    progress: covered > 0 || delivery.counts.fresh > 0 || sent > 0,
    ours: ending.ours,
  });
  return report;
}

/** How far a visit has come; it may end at any point. */
interface Visit {
  connection?: Connection;
  information?: RelayInformation | undefined;
  work?: RangeWork;
  /** Everything that is missing here has been fetched. */
  finished: boolean;
  sentAll: boolean;
  /** Faults of the source. */
  invalid: number;
}

interface VisitParts {
  readonly source: Source;
  readonly ports: PiecePorts;
  readonly limits: PieceLimits;
  readonly tally: Tally;
  readonly delivery: Delivery;
  readonly deadline: AbortSignal;
}

/** Connects, logs in, fetches and sends. */
async function goThrough(visit: Visit, parts: VisitParts): Promise<void> {
  const { source, ports, limits, tally, delivery, deadline } = parts;
  const share = source.direction === 'both' ? FETCHING_SHARE : 1;
  const endsAtMs = ports.nowMs() + share * limits.pieceMs;
  const information = (await ports.information(source)) ?? notedInformation(source);
  visit.information = information;
  const connection = await ports.connect(source, deadline, ({ reason }) => {
    if (!HARMLESS_FAULT.test(reason)) visit.invalid += 1;
  });
  visit.connection = connection;
  const work = new RangeWork(connection, ports, delivery, tally, {
    ...limits,
    signal: deadline,
    endsAtMs,
    information,
    gaveBefore: source.counts.events > 0,
    nip77: speaksNip77(source, information),
  });
  visit.work = work;
  // Whatever waits for the source's next word ends with the time.
  deadline.addEventListener('abort', () => void connection.close(), { once: true });
  await logIn(connection, source, information);
  let unread: unknown;
  if (source.direction !== 'up') {
    const filters = partsOf(source.filters, information);
    const turns = { sourceId: source.id, parts: filters, ports, limits, work, endsAtMs };
    visit.finished = await takeTurns(turns).catch((error: unknown) => {
      // What it does not let us read says nothing of what it takes.
      if (source.direction === 'down' || connection.failure !== undefined) throw error;
      unread = error;
      return false;
    });
  }
  if (source.direction !== 'down') {
    const toSend = { source, ports, limits, signal: deadline };
    visit.sentAll = await sendEvents(connection, toSend, tally).catch((error: unknown) => {
      throw unread ?? error;
    });
  }
  if (unread !== undefined) throw unread;
}

/** Why a visit ended before its end, if it did. */
interface Ending {
  readonly failure?: string;
  readonly code?: FailureCode;
  /** What failed of our own side. */
  readonly ours?: unknown;
}

function endingOf(error: unknown): Ending {
  const failure = reasonOf(error);
  if (error instanceof UpstreamFailure) return { failure, code: error.code };
  return { failure: `our own side: ${failure}`, ours: error };
}

/** Work that takes longer than a piece is no failure of the source, if it brought anything. */
const outOfTime = (broughtAnything: boolean, pieceMs: number): Ending =>
  broughtAnything ? {} : { failure: `no answer within ${pieceMs / 1_000} s` };

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
