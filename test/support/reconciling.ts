import { createHash } from 'node:crypto';
import { ItemsBuilder } from '../../functions/nostr/negentropy/builder.ts';
import type { Items } from '../../functions/nostr/negentropy/items.ts';
import { initiate, reconcile, respond } from '../../functions/nostr/negentropy/reconcile.ts';
import { randomOf } from './random.ts';

/** An event as negentropy knows it. */
export interface Item {
  readonly createdAt: number;
  readonly id: string;
}

/** Items of true chance, a few of them in each second. */
export function randomItems(count: number, seed: number, seconds = count): Item[] {
  const random = randomOf(seed);
  return Array.from({ length: count }, (_, n) => ({
    createdAt: 1_700_000_000 + random.below(seconds),
    id: createHash('sha256').update(`${seed}:${n}`).digest('hex'),
  }));
}

export function sealed(items: Iterable<Item>): Items {
  const builder = new ItemsBuilder();
  for (const { createdAt, id } of items) builder.add(createdAt, id);
  return builder.seal();
}

export interface Talk {
  readonly have: string[];
  readonly need: string[];
  /** Messages of the initiator. */
  readonly rounds: number;
  /** Bytes of both sides. */
  readonly bytes: number;
}

/** Both sides are ours. @throws when they do not come to an end. */
export function talk(ours: Items, theirs: Items, frameBytesMax: number, roundsMax = 10_000): Talk {
  const have: string[] = [];
  const need: string[] = [];
  let bytes = 0;
  let message: Uint8Array | undefined = initiate(ours);
  for (let rounds = 1; rounds <= roundsMax; rounds += 1) {
    const answer = respond(theirs, message, frameBytesMax);
    if (!answer.ok) throw new Error(answer.reason);
    bytes += message.length + answer.value.length;
    const lesson = reconcile(ours, answer.value, frameBytesMax);
    if (!lesson.ok) throw new Error(lesson.reason);
    have.push(...lesson.value.have);
    need.push(...lesson.value.need);
    message = lesson.value.reply;
    if (message === undefined) return { have, need, rounds, bytes };
  }
  throw new Error(`no end after ${roundsMax} rounds`);
}
