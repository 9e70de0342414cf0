import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PubSub } from '@google-cloud/pubsub';
import { openPuller, type PulledMessage } from '../../functions/cloud/pull.ts';
import type { NostrEvent } from '../../functions/nostr/event.ts';
import { until } from './until.ts';

/**
 * What Pub/Sub's Cloud Storage subscription of `infra/archive.tf` does, with a folder in place of
 * the bucket: payloads as they are, separated by a newline; an object when it is full or its time
 * is over; acknowledged only after the object is whole, so that a fault between the two brings the
 * same messages in another object; objects named by the time at which they began, and a UUID.
 */
export interface CloudStorageSubscription {
  /** Writes what comes until it has written all these events; gives the paths of the objects. */
  write(events: readonly NostrEvent[], options?: WriteOptions): Promise<string[]>;
  close(): Promise<void>;
}

export interface WriteOptions {
  /** Messages of an object; Google takes no fewer than 1,000. */
  readonly messagesMax?: number;
  /** The first object is written, but what becomes of that is not heard: it is written again. */
  readonly forgetFirst?: boolean;
}

const TIMEOUT_MS = 60_000;

export async function subscribeStorage(
  pubsub: PubSub,
  topic: string,
  bucket: string,
): Promise<CloudStorageSubscription> {
  const name = `${topic}-archive`;
  await pubsub.createSubscription(topic, name, { ackDeadlineSeconds: 10 });
  const puller = await openPuller(pubsub, name);
  const pullObject = async (messagesMax: number): Promise<readonly PulledMessage[]> => {
    const messages: PulledMessage[] = [];
    while (messages.length < messagesMax) {
      const more = await puller.pull(messagesMax - messages.length);
      if (more.length === 0) break;
      messages.push(...more);
    }
    return messages;
  };
  return {
    async write(events, { messagesMax = 1_000, forgetFirst = false } = {}) {
      const objects: string[] = [];
      const missing = new Set(events.map(({ id }) => id));
      let isForgotten = forgetFirst;
      const writeOne = async (): Promise<boolean> => {
        const messages = await pullObject(messagesMax);
        if (messages.length === 0) return false;
        const path = await writeObject(bucket, messages);
        objects.push(path);
        if (isForgotten) {
          isForgotten = false;
          return false;
        }
        await puller.acknowledge(messages.map(({ ackId }) => ackId));
        const content = await readFile(path, 'utf8');
        for (const id of missing) if (content.includes(id)) missing.delete(id);
        return missing.size === 0;
      };
      await until(writeOne, { timeoutMs: TIMEOUT_MS, what: `${events.length} archived events` });
      return objects;
    },
    close: () => puller.close(),
  };
}

const NEWLINE = Buffer.from('\n');

async function writeObject(bucket: string, messages: readonly PulledMessage[]): Promise<string> {
  const time = new Date().toISOString();
  const name = `${time.slice(0, 10)}/${time.slice(11, 19).replaceAll(':', '_')}Z_${randomUUID()}`;
  const path = join(bucket, `${name}.jsonl`);
  await mkdir(dirname(path), { recursive: true });
  const parts = messages.flatMap(({ data }, index) => (index === 0 ? [data] : [NEWLINE, data]));
  await writeFile(path, Buffer.concat(parts));
  return path;
}
