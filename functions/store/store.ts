import { decodeLines, type IncomingMeta, type StoredMeta } from '../cloud/envelope.ts';
import type { Journey } from '../cloud/journey.ts';
import type { Log } from '../cloud/log.ts';
import type { Line } from '../cloud/publisher.ts';
import { type Push, parsePush } from '../cloud/push.ts';
import type { WriteOutcome } from '../database/write.ts';
import type { Verifier } from '../nostr/verify.ts';
import type { DeadLetter } from './dead-letter.ts';
import { deadEvent, deadMessage } from './dead-letter.ts';
import type { Settled, StoreMeter } from './meter.ts';
import { OUTCOMES, type StoreOutcome } from './outcomes.ts';
import { report } from './report.ts';
import { type Refusal, type Screened, type ScreenLimits, screen } from './screen.ts';
import { type Write, type Written, writeBatch } from './write-batch.ts';

/** What store reaches of the world. */
export interface StorePorts {
  readonly write: Write;
  /** Tells every relay instance; resolves when Pub/Sub has it. */
  readonly announce: (line: Line) => Promise<unknown>;
  /** Puts away what cannot be stored; resolves when Pub/Sub has it. */
  readonly bury: (letter: DeadLetter) => Promise<unknown>;
  readonly verifier: Verifier;
  readonly limits: ScreenLimits;
  /** Unix time in milliseconds. */
  readonly nowMs: () => number;
  readonly journey: Journey;
  readonly log: Log;
  readonly meter: StoreMeter;
}

/** What a message leads to: true acknowledges it, false has it delivered again. */
export interface Verdict {
  readonly acknowledge: boolean;
  /** How many lines of the message came to which outcome. */
  readonly counts: Readonly<Partial<Record<StoreOutcome, number>>>;
}

/** One line's fate, and what of it goes where. */
export interface Fate {
  readonly outcome: StoreOutcome;
  readonly id?: string | undefined;
  readonly kind?: number;
  readonly reason?: string;
  readonly line?: Line;
  readonly letter?: DeadLetter;
}

/**
 * Takes one push call: validates its events, writes them, tells every relay instance the outcome
 * of each, and only then lets Pub/Sub forget the message. Doing it twice changes nothing. Never
 * rejects.
 * @param raw the body as it came, for the dead letters when nothing can be read from it.
 */
export async function storePush(body: unknown, raw: Buffer, ports: StorePorts): Promise<Verdict> {
  const startedAt = ports.nowMs();
  const push = parsePush(body);
  let fates: readonly Fate[];
  if (push.ok) {
    fates = await fatesOf(push.value, ports);
  } else {
    const letter = deadMessage(raw, {}, push.reason);
    fates = [{ outcome: 'unreadable', reason: push.reason, letter }];
  }
  const settled = await tell(fates, ports);
  const tookMs = ports.nowMs() - startedAt;
  const value = push.ok ? push.value : undefined;
  ports.meter.handled(settled.map(settledOf), value?.deliveryAttempt, tookMs);
  report(settled, value, tookMs, ports);
  const counts: Partial<Record<StoreOutcome, number>> = {};
  for (const { outcome } of settled) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return { acknowledge: settled.every(({ outcome }) => OUTCOMES[outcome].acknowledge), counts };
}

async function fatesOf(push: Push, ports: StorePorts): Promise<readonly Fate[]> {
  const { format } = push.attributes;
  const lines = decodeLines(push.data, format);
  if (lines === undefined) {
    const reason = `format ${format ?? '(none)'} is not known here`;
    return [
      { outcome: 'unreadable', reason, letter: deadMessage(push.data, push.attributes, reason) },
    ];
  }
  const fallback: IncomingMeta = {
    acceptedAt: push.publishedAt ?? ports.nowMs(),
    trace: '',
    source: '',
    keys: [],
  };
  const fates: Fate[] = [];
  const events: Screened[] = [];
  for (const line of lines) {
    if ('fault' in line) {
      fates.push({ outcome: 'refused', reason: line.fault });
      continue;
    }
    const screened = screen(line, fallback, ports.limits, ports.verifier);
    if (screened.ok) events.push(screened.value);
    else fates.push(fateOfRefusal(screened.refusal));
  }
  const batch = await writeBatch(events, ports.write);
  const committedAt = ports.nowMs();
  for (const written of batch) {
    const { source, acceptedAt } = written.event.meta;
    const fate = fateOf(written);
    if (fate.outcome === 'stored') ports.meter.stored(source, committedAt - acceptedAt);
    fates.push(fate);
  }
  return fates;
}

/** The line that tells relay instances what became of an event. */
function outcomeLine(
  id: string,
  meta: IncomingMeta,
  outcome: StoredMeta['outcome'],
  more: Pick<StoredMeta, 'reason' | 'change'> = {},
  text?: string,
): Line {
  const { acceptedAt, trace } = meta;
  const stored: StoredMeta = { id, outcome, acceptedAt, trace, ...more };
  return text === undefined ? { meta: stored } : { meta: stored, text };
}

/**
 * What can never be valid is told of and forgotten: to keep it would let whoever sends it fill the
 * database. What is valid and too large may have had its OK under another limit, so it is kept.
 */
function fateOfRefusal({ id, meta, reason, text }: Refusal): Fate {
  if (id === undefined) return { outcome: 'refused', reason };
  const line = outcomeLine(id, meta, 'refused', { reason });
  const letter = text === undefined ? undefined : deadEvent({ meta, text }, reason);
  return { outcome: 'refused', id, reason, line, ...(letter && { letter }) };
}

function fateOf(written: Written<Screened>): Fate {
  const { event, text, meta } = written.event;
  const { id, kind } = event;
  if ('fault' in written) {
    const { blame, sqlstate } = written.fault;
    if (blame !== 'event') {
      return { outcome: 'unavailable', id, kind, reason: sqlstate || 'no answer' };
    }
    const reason = `the database refuses it (${sqlstate})`;
    return {
      outcome: 'poison',
      id,
      kind,
      reason,
      line: outcomeLine(id, meta, 'refused', { reason }),
      letter: deadEvent({ meta, text }, reason, sqlstate),
    };
  }
  const { result, transaction } = written;
  return { outcome: result.outcome, id, kind, line: lineOf(id, meta, text, result, transaction) };
}

function lineOf(
  id: string,
  meta: IncomingMeta,
  text: string,
  result: WriteOutcome,
  transaction: number,
): Line {
  if (result.outcome !== 'stored') return outcomeLine(id, meta, result.outcome);
  const change = { transaction, seq: result.seq, removed: result.removed };
  return outcomeLine(id, meta, 'stored', { change }, text);
}

/** Publishes what the fates ask for. A fate whose news nobody took becomes `unpublished`. */
function tell(fates: readonly Fate[], ports: StorePorts): Promise<readonly Fate[]> {
  return Promise.all(
    fates.map(async (fate): Promise<Fate> => {
      try {
        await Promise.all([
          fate.letter === undefined ? undefined : ports.bury(fate.letter),
          fate.line === undefined ? undefined : ports.announce(fate.line),
        ]);
        return fate;
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : 'failed';
        const { id, kind } = fate;
        return { outcome: 'unpublished', id, reason: code, ...(kind !== undefined && { kind }) };
      }
    }),
  );
}

const settledOf = ({ outcome, kind, letter }: Fate): Settled => ({
  outcome,
  kind,
  buried: letter !== undefined,
});
