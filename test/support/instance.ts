import { openLog } from '../../functions/cloud/log.ts';
import { Registry } from '../../functions/cloud/metrics/registry.ts';
import type { Change } from '../../functions/database/changes.ts';
import { eventText, type NostrEvent } from '../../functions/nostr/event.ts';
import type { QueryStored } from '../../functions/relay/answers.ts';
import { assembleInstance } from '../../functions/relay/instance.ts';
import { quietJourney } from './journey.ts';

const origin = { trace: 'trace', source: 'client', keys: [] };

/** A relay instance whose topics the test answers, over an empty database. */
export async function instanceWith(
  options: {
    readonly pendingBytesMax?: number;
    readonly windowEventsMax?: number;
    readonly stored?: readonly NostrEvent[];
    readonly queryStored?: QueryStored;
    readonly queryDeadlineMs?: number;
    /** Takes the lines of the log. */
    readonly onLine?: (line: string) => void;
  } = {},
) {
  const clock = { nowMs: 1_000 };
  const metrics = new Registry('relay');
  /** What the next read of the log tells. */
  const changes: Change[] = [];
  const published: { id: string; settle: (error?: Error) => void; meta: object }[] = [];
  const topic = {
    publish: ({ meta, text }: { meta: object; text: string }) =>
      new Promise<string>((resolve, reject) => {
        const settle = (error?: Error) => (error ? reject(error) : resolve('7'));
        published.push({ id: text.slice(7, 71), meta, settle });
      }),
  };
  const events = (options.stored ?? []).map((event) => ({
    id: event.id,
    createdAt: event.created_at,
    kind: event.kind,
    text: eventText(event),
  }));
  const instance = assembleInstance(
    {
      incoming: topic,
      stored: topic,
      readChanges: async () => {
        const read = changes.splice(0);
        return { gap: false, changes: read, position: 1, next: 1, complete: true };
      },
      listStored: async function* () {},
      queryStored:
        options.queryStored ??
        (async (_filter, { signal }) => {
          signal.throwIfAborted();
          return [];
        }),
      storedVersions: async (addresses) => addresses.map(() => undefined),
      loadRecent: async () => ({ position: 1, events, completeSince: 0 }),
      nowMs: () => clock.nowMs,
      monotonicMs: () => clock.nowMs,
      random: Math.random,
      journey: quietJourney,
      log: openLog(
        { level: options.onLine ? 'warning' : 'error', format: 'json', component: 'test' },
        options.onLine && { write: options.onLine },
      ),
      metrics,
    },
    {
      window: { eventsMax: options.windowEventsMax ?? 100, bytesMax: 1e9 },
      pendingBytesMax: options.pendingBytesMax ?? 1e9,
      lag: { lagMs: 30_000, bytesMax: 1e9 },
      queryDeadlineMs: options.queryDeadlineMs ?? 1_000,
      limitDefault: 500,
      limitMax: 500,
      requestEventsMax: 500,
      answerBytesMax: 1e9,
      answersBytesMax: 1e9,
    },
  );
  await instance.follower.catchUp();
  const take = (event: NostrEvent) => instance.intake.take(event, eventText(event), origin);
  const live: string[] = [];
  instance.subscriptions.open([{ limit: 0 }], {
    event: (text) => live.push(text.slice(7, 71)),
    eose: () => live.push('EOSE'),
    closed: (message) => live.push(message),
  });
  // The answer of an empty database takes a few microtasks.
  await new Promise(setImmediate);
  return { ...instance, published, take, live, clock, metrics, changes };
}
