import type { Metrics } from '../cloud/metrics/registry.ts';
import type { BuriedMessage } from '../database/dead-letters.ts';

/** A message of the dead-letter subscription. */
export interface DeadMessage {
  readonly ackId: string;
  readonly messageId: string;
  readonly data: Buffer;
  readonly attributes: Readonly<Record<string, string>>;
}

/** What the replay reaches of the world. */
export interface ReplayPorts {
  /** The next dead letters, at most a batch; empty when there are none. */
  pull(): Promise<readonly DeadMessage[]>;
  /** Puts a message into `incoming` again; resolves when Pub/Sub has it. */
  publish(data: Buffer, attributes: Readonly<Record<string, string>>): Promise<unknown>;
  /** Keeps what can never be stored for people to look at. */
  bury(messages: readonly BuriedMessage[]): Promise<void>;
  acknowledge(ackIds: readonly string[]): Promise<void>;
  readonly metrics: Metrics;
}

export interface ReplayResult {
  readonly replayed: number;
  readonly buried: number;
}

/** Pub/Sub's own notes on a dead letter; they would only grow with each round. */
const ADDED_BY_PUBSUB = 'CloudPubSubDeadLetter';

/**
 * Empties the dead letters. What Pub/Sub put there after too many attempts (an outage) goes to
 * `incoming` once more; what store put there carries a `reason`, would fail again, and is kept in
 * the database. A message is acknowledged only when its copy is safe, so one that is interrupted
 * is done twice rather than lost: store takes duplicates calmly.
 */
export async function replayDeadLetters(
  ports: ReplayPorts,
  bounds: { readonly messagesMax: number; readonly signal: AbortSignal },
): Promise<ReplayResult> {
  let replayed = 0;
  let buried = 0;
  while (replayed + buried < bounds.messagesMax && !bounds.signal.aborted) {
    const messages = await ports.pull();
    if (messages.length === 0) break;
    const [hopeless, outage] = split(messages);
    await ports.bury(hopeless.map(asBuried));
    await Promise.all(
      outage.map(({ data, attributes }) => ports.publish(data, withoutNotes(attributes))),
    );
    await ports.acknowledge(messages.map(({ ackId }) => ackId));
    ports.metrics.counter('dead_letters_total', { action: 'replayed' }).add(outage.length);
    ports.metrics.counter('dead_letters_total', { action: 'kept' }).add(hopeless.length);
    replayed += outage.length;
    buried += hopeless.length;
  }
  return { replayed, buried };
}

function split(messages: readonly DeadMessage[]): [DeadMessage[], DeadMessage[]] {
  const hopeless = messages.filter(({ attributes }) => attributes['reason'] !== undefined);
  const outage = messages.filter(({ attributes }) => attributes['reason'] === undefined);
  return [hopeless, outage];
}

function asBuried({ messageId, data, attributes }: DeadMessage): BuriedMessage {
  const { reason = '', sqlstate } = attributes;
  return { messageId, reason, sqlstate, attributes, data };
}

function withoutNotes(attributes: Readonly<Record<string, string>>): Record<string, string> {
  const kept = Object.entries(attributes).filter(([name]) => !name.startsWith(ADDED_BY_PUBSUB));
  return Object.fromEntries(kept);
}
