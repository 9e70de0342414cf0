import type { NostrEvent } from '../nostr/event.ts';
import type { Connection } from './connection.ts';
import { reasonOf } from './failure.ts';
import { query } from './query.ts';
import type { ProbeEvents } from './walk-events.ts';

/** What a client does at a relay, in this order. */
export type Step = 'open' | 'live' | 'write' | 'read' | 'delete';

/** Milliseconds that each step took, of those that went well. */
export type StepTimes = Readonly<Partial<Record<Step, number>>>;

export interface WalkReport {
  readonly times: StepTimes;
  readonly failure?: { readonly step: Step; readonly reason: string };
}

export interface WalkPorts {
  /** Opens a connection of its own each time. */
  connect(): Promise<Connection>;
  /** Milliseconds of a clock that never steps back. */
  monotonicMs(): number;
  /** Resolves after a while; between two looks for what may take a moment on another instance. */
  pause(ms: number): Promise<void>;
}

/** Another instance knows an event as soon as it is stored; that is looked for so often. */
const LOOK_AGAIN_MS = 50;

class StepFailure extends Error {}

/**
 * Does what clients do, one step after the other: opens two connections, sees an ephemeral event of
 * one arrive live at the other, publishes a regular event, finds it again on the other, deletes it and
 * finds it gone. Ends at the first step that fails or takes longer than `timeoutMs`. Never rejects.
 */
export async function walk(
  events: ProbeEvents,
  timeoutMs: number,
  ports: WalkPorts,
): Promise<WalkReport> {
  const times: Partial<Record<Step, number>> = {};
  const open: Connection[] = [];
  let step: Step = 'open';
  /** Where an event was published that is not deleted yet. */
  let undone: Connection | undefined;
  const timed = async (name: Step, work: (endsAtMs: number) => Promise<void>): Promise<void> => {
    step = name;
    const startMs = ports.monotonicMs();
    await work(startMs + timeoutMs);
    const tookMs = ports.monotonicMs() - startMs;
    if (tookMs > timeoutMs) throw new StepFailure(`took ${Math.round(tookMs)} ms`);
    times[name] = tookMs;
  };
  const connected = async (): Promise<Connection> => {
    const connection = await ports.connect();
    open.push(connection);
    return connection;
  };
  try {
    await timed('open', async () => void (await connected()));
    const reader = await connected();
    const writer = open[0] as Connection;
    await timed('live', () => seesLive(writer, reader, events.ephemeral, timeoutMs, ports));
    await timed('write', () => published(writer, events.regular));
    undone = writer;
    await timed('read', (endsAtMs) => looks(reader, events.regular, true, endsAtMs, ports));
    await timed('delete', async (endsAtMs) => {
      await published(writer, events.deletion);
      undone = undefined;
      await looks(reader, events.regular, false, endsAtMs, ports);
    });
    return { times };
  } catch (error) {
    return { times, failure: { step, reason: reasonOf(error) } };
  } finally {
    // Whatever fails, nothing is left behind if that can be helped.
    await undone?.publish(events.deletion).catch(() => undefined);
    await Promise.all(open.map((connection) => connection.close()));
  }
}

async function published(connection: Connection, event: NostrEvent): Promise<void> {
  const { accepted, message } = await connection.publish(event);
  if (!accepted) throw new StepFailure(`kind ${event.kind} was refused: ${message}`);
}

/** Subscribes, has the event published elsewhere after EOSE, and waits for it. */
async function seesLive(
  writer: Connection,
  reader: Connection,
  event: NostrEvent,
  timeoutMs: number,
  ports: WalkPorts,
): Promise<void> {
  let publishing: Promise<void> | undefined;
  let state: 'waits' | 'done' | 'late' = 'waits';
  // After EOSE silence is no fault of a subscription; here it is one.
  void ports.pause(timeoutMs).then(() => {
    if (state !== 'waits') return;
    state = 'late';
    void reader.close();
  });
  try {
    const { kind, pubkey } = event;
    for await (const item of reader.subscribe([{ kinds: [kind], authors: [pubkey] }])) {
      if (item.type === 'closed') throw new StepFailure(`subscription closed: ${item.message}`);
      if (item.type === 'eose') {
        publishing = published(writer, event);
        // Awaited below; whoever waits for the event must hear that it was refused.
        publishing.catch(() => void reader.close());
      } else if (item.event.id === event.id) break;
    }
  } catch (error) {
    await publishing;
    throw (state as string) === 'late' ? new StepFailure('the event did not arrive live') : error;
  } finally {
    if (state === 'waits') state = 'done';
  }
  await publishing;
}

/** Asks by id until the event is there, or is gone. */
async function looks(
  connection: Connection,
  { id }: NostrEvent,
  wanted: boolean,
  endsAtMs: number,
  ports: WalkPorts,
): Promise<void> {
  for (;;) {
    let found = false;
    for await (const event of query(connection, [{ ids: [id] }])) found ||= event.id === id;
    if (found === wanted) return;
    if (ports.monotonicMs() >= endsAtMs) {
      throw new StepFailure(wanted ? 'the event is not found' : 'the deleted event is still there');
    }
    await ports.pause(LOOK_AGAIN_MS);
  }
}
