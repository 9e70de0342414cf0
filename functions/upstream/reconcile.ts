import type { Filter } from '../nostr/filter.ts';
import { hexOf, type Items } from '../nostr/negentropy/items.ts';
import { initiate, reconcile as learn } from '../nostr/negentropy/reconcile.ts';
import type { Connection } from './connection.ts';
import { UpstreamFailure } from './failure.ts';
import { plainFilter } from './messages.ts';
import type { ChannelMessage, NegentropyChannel } from './negentropy-channel.ts';
import { prefixOf, saysSlowDown } from './prefix.ts';

export interface ReconcileOptions {
  readonly filter: Filter;
  /** What we have of the filter. */
  readonly items: Items;
  /** Bytes of one of our messages, before it is written in hex; 4,096 at least. */
  readonly frameBytesMax?: number;
  /** Messages of ours after which it ends, with what is known by then. */
  readonly roundsMax?: number;
  /** Ids in `have` and `need` together after which it ends, with what is known by then. */
  readonly idsMax?: number;
  /** The same for those in `need` alone, each of which crosses the wire. */
  readonly needMax?: number;
  /** How long the relay may take for its first answer: it has to find its set first. */
  readonly firstAnswerTimeoutMs?: number;
  /** How long it may take for any other. */
  readonly answerTimeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface Reconciled {
  /** Ids that we have and the relay lacks. */
  readonly have: string[];
  /** Ids that the relay says it has and we lack. */
  readonly need: string[];
  /** False where a bound, or a relay that asks for patience, ended it: there may be more of both. */
  readonly complete: boolean;
  /** Of all that is older than this second, `have` and `need` hold everything. */
  readonly settledBefore: number;
  /** The relay's words where it asked for patience in the middle. */
  readonly slowed?: UpstreamFailure;
  /** Messages of ours. */
  readonly rounds: number;
  /** Characters of all messages, in hex as they are sent. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/** What strfry's own client sends at most, so every relay takes it. */
const FRAME_BYTES_DEFAULT = 60_000;
const ROUNDS_DEFAULT = 1_000;
const IDS_DEFAULT = 1_000_000;

/** A relay that has never heard of NIP-77 may say nothing; a large set takes strfry some seconds. */
const FIRST_ANSWER_TIMEOUT_MS = 15_000;
const ANSWER_TIMEOUT_MS = 20_000;

/** NOTICEs that are let pass before the first answer: some greet, some warn. */
const NOTICES_MAX = 20;

/** How relays say that they do not know a verb, or have it turned off. */
const NOT_SPOKEN =
  /neg(-|entropy| )|unknown|unsupported|unrecogni[sz]ed|not (supported|offered|recogni[sz]ed|implemented|enabled)|invalid|bad (msg|message)|disabled|could ?n.t parse|failed to parse|command|verb|message type/i;

/** How they say that they know it, and will not now. */
const NOT_NOW = /too many|too big|too large|\brate|limit|auth-required|restricted|blocked/i;

/**
 * Learns by negentropy (NIP-77) what we and the relay lack of each other's events. The connection
 * stays of use whatever comes of it.
 * @throws UpstreamFailure `unsupported` where the relay does not speak NIP-77 (silence, NOTICE,
 *   CLOSED or an error that says so), `refused` with its reason where it will not for this filter
 *   or not so fast (`rate-limited:`, whatever the relay's words),
 *   `misbehaved` where it breaks the protocol, `timeout`, or why the connection ended.
 */
export async function reconcile(
  connection: Connection,
  options: ReconcileOptions,
): Promise<Reconciled> {
  options.signal?.throwIfAborted();
  const channel = connection.openNegentropy();
  try {
    return await converse(channel, options);
  } finally {
    channel.close();
  }
}

async function converse(
  channel: NegentropyChannel,
  options: ReconcileOptions,
): Promise<Reconciled> {
  const { filter, items, signal } = options;
  const { frameBytesMax = FRAME_BYTES_DEFAULT, roundsMax = ROUNDS_DEFAULT } = options;
  const { idsMax = IDS_DEFAULT, needMax = idsMax } = options;
  const have = new Set<string>();
  const need = new Set<string>();
  const sum = { rounds: 0, bytesSent: 0, bytesReceived: 0 };
  let settledBefore = 0;
  const result = (slowed?: UpstreamFailure): Reconciled => ({
    have: [...have],
    need: [...need],
    complete: settledBefore === Number.POSITIVE_INFINITY,
    settledBefore,
    ...(slowed && { slowed }),
    ...sum,
  });
  let message: Uint8Array | undefined = initiate(items);
  while (message !== undefined) {
    if (sum.rounds >= roundsMax || have.size + need.size >= idsMax || need.size >= needMax) {
      return result();
    }
    const hex = hexOf(message);
    const first = sum.rounds === 0;
    const text = first
      ? JSON.stringify(['NEG-OPEN', channel.id, plainFilter(filter), hex])
      : JSON.stringify(['NEG-MSG', channel.id, hex]);
    let answer: string;
    try {
      answer = first
        ? await firstAnswer(channel, text, options)
        : await laterAnswer(channel, text, options.answerTimeoutMs ?? ANSWER_TIMEOUT_MS, signal);
    } catch (error) {
      // What was learnt before is not lost.
      if (first || !isSlowDown(error)) throw error;
      return result(error);
    }
    sum.rounds += 1;
    sum.bytesSent += hex.length;
    sum.bytesReceived += answer.length;
    const lesson = learn(items, bytesOf(answer), frameBytesMax);
    if (!lesson.ok) throw new UpstreamFailure('misbehaved', `negentropy: ${lesson.reason}`);
    for (const id of lesson.value.have) have.add(id);
    for (const id of lesson.value.need) need.add(id);
    settledBefore = Math.max(settledBefore, lesson.value.settledBefore);
    message = lesson.value.reply;
  }
  return result();
}

/** True where a relay asked us to come more slowly. */
const isSlowDown = (error: unknown): error is UpstreamFailure =>
  error instanceof UpstreamFailure &&
  error.code === 'refused' &&
  prefixOf(error.message) === 'rate-limited';

const slowDown = (words: string): UpstreamFailure =>
  new UpstreamFailure(
    'refused',
    prefixOf(words) === 'rate-limited' ? words : `rate-limited: ${words}`,
  );

/** Silence or strange words before the first answer mean that the relay does not speak NIP-77. */
async function firstAnswer(
  channel: NegentropyChannel,
  text: string,
  options: ReconcileOptions,
): Promise<string> {
  const timeoutMs = options.firstAnswerTimeoutMs ?? FIRST_ANSWER_TIMEOUT_MS;
  try {
    let answer = await channel.ask(text, timeoutMs, options.signal);
    for (let notices = 0; answer.type === 'NOTICE'; notices += 1) {
      const { message } = answer;
      if (saysSlowDown(message)) throw slowDown(message);
      if (NOT_NOW.test(message)) throw new UpstreamFailure('refused', message);
      if (NOT_SPOKEN.test(message) || notices >= NOTICES_MAX) {
        throw new UpstreamFailure('unsupported', message);
      }
      answer = await channel.next(timeoutMs, options.signal);
    }
    return payloadOf(answer);
  } catch (error) {
    if (!(error instanceof UpstreamFailure) || error.code !== 'timeout') throw error;
    throw new UpstreamFailure('unsupported', 'no answer to NEG-OPEN', error);
  }
}

async function laterAnswer(
  channel: NegentropyChannel,
  text: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<string> {
  let answer = await channel.ask(text, timeoutMs, signal);
  // By now it speaks NIP-77, so a NOTICE is about something else, or about our haste.
  for (let notices = 0; answer.type === 'NOTICE' && notices < NOTICES_MAX; notices += 1) {
    if (saysSlowDown(answer.message)) throw slowDown(answer.message);
    answer = await channel.next(timeoutMs, signal);
  }
  return payloadOf(answer);
}

function payloadOf(answer: ChannelMessage): string {
  switch (answer.type) {
    case 'NEG-MSG':
      return answer.hex;
    case 'NEG-ERR': {
      if (saysSlowDown(answer.reason)) throw slowDown(answer.reason);
      const unsupported = /^unsupported:|NIP-?77.*not|negentropy.*(not|disabled)/i;
      const code = unsupported.test(answer.reason) ? 'unsupported' : 'refused';
      throw new UpstreamFailure(code, answer.reason);
    }
    case 'CLOSED': {
      if (saysSlowDown(answer.message)) throw slowDown(answer.message);
      const code = NOT_NOW.test(answer.message) ? 'refused' : 'unsupported';
      throw new UpstreamFailure(code, answer.message || 'CLOSED in answer to NEG-OPEN');
    }
    case 'NOTICE':
      throw new UpstreamFailure('misbehaved', `negentropy: ${answer.message}`);
  }
}

/** Whole bytes; anything that is not hex is no message, which `learn` says by name. */
function bytesOf(hex: string): Uint8Array {
  const bytes = Buffer.from(hex, 'hex');
  return bytes.length * 2 === hex.length ? bytes : new Uint8Array(0);
}
