import type { NostrEvent } from '../nostr/event.ts';
import type { Connection } from './connection.ts';
import { reasonOf } from './failure.ts';
import { isByRule } from './prefix.ts';
import { query } from './query.ts';
import type { ProbeEvents } from './walk-events.ts';

/** What a client does at a relay, in this order. */
export type Step = 'open' | 'live' | 'write' | 'read' | 'delete';

/** Milliseconds that each step took, of those that went well. */
export type StepTimes = Readonly<Partial<Record<Step, number>>>;

export interface WalkReport {
  readonly times: StepTimes;
  readonly failure?: { readonly step: Step; readonly reason: string };
  /** What the relay's rules on writing did not let us try. */
  readonly untried?: { readonly steps: readonly Step[]; readonly reason: string };
}

export interface WalkPorts {
  /** Opens a connection of its own each time. */
  connect(): Promise<Connection>;
  /** Opens the second connection where it should be another one than `connect` gives. */
  connectBeside?(first: Connection): Promise<Connection>;
  /** Whether the relay says that its rules refuse some writers; that it does so is a fault without. */
  saysRestricted?(): Promise<boolean>;
  /** Milliseconds of a clock that never steps back. */
  monotonicMs(): number;
  /** Resolves after a while; between two looks for what may take a moment on another instance. */
  pause(ms: number): Promise<void>;
}

/** Another instance knows an event as soon as it is stored; that is looked for so often. */
const LOOK_AGAIN_MS = 50;

class StepFailure extends Error {}

/** A refusal by a rule of the relay. */
class RuleRefusal extends StepFailure {}

/**
 * Does what clients do, one step after the other: opens two connections, sees an event of one
 * arrive live at the other, publishes another, finds it again on the other, deletes it and finds it
 * gone. Ends at the first step that fails or takes longer than `timeoutMs`; what the relay's rules
 * refuse is left out where the relay says that it has such rules. Never rejects.
 */
export async function walk(
  events: ProbeEvents,
  timeoutMs: number,
  ports: WalkPorts,
): Promise<WalkReport> {
  const course = new Course(timeoutMs, ports);
  const open: Connection[] = [];
  /** Where an event was published that is not deleted yet. */
  let undone: Connection | undefined;
  try {
    const writer = await course.timed('open', () => ports.connect());
    open.push(writer);
    const reader = await (ports.connectBeside?.(writer) ?? ports.connect());
    open.push(reader);
    await course.ruled('live', () =>
      firstTaken(events.live, (event) => seesLive(writer, reader, event, timeoutMs, ports)),
    );
    const stored = await course.ruled('write', () =>
      firstTaken(events.stored, (event) => published(writer, event)),
    );
    if (stored === undefined) return course.without('read', 'delete');
    undone = writer;
    await course.timed('read', (endsAtMs) => looks(reader, stored, true, endsAtMs, ports));
    await course.ruled('delete', async (endsAtMs) => {
      await published(writer, events.deletion);
      undone = undefined;
      await looks(reader, stored, false, endsAtMs, ports);
    });
    return course.report();
  } catch (error) {
    return course.failed(error);
  } finally {
    // Whatever fails, nothing is left behind if that can be helped.
    await undone?.publish(events.deletion).catch(() => undefined);
    await Promise.all(open.map((connection) => connection.close()));
  }
}

/** The steps of one walk: how long each took, and which could not be tried. */
class Course {
  readonly #timeoutMs: number;
  readonly #ports: WalkPorts;
  readonly #times: Partial<Record<Step, number>> = {};
  readonly #untried: Step[] = [];
  #refusal = '';
  #now: Step = 'open';

  constructor(timeoutMs: number, ports: WalkPorts) {
    this.#timeoutMs = timeoutMs;
    this.#ports = ports;
  }

  /** Does a step and times it. */
  async timed<T>(name: Step, work: (endsAtMs: number) => Promise<T>): Promise<T> {
    this.#now = name;
    const startMs = this.#ports.monotonicMs();
    const result = await work(startMs + this.#timeoutMs);
    const tookMs = this.#ports.monotonicMs() - startMs;
    if (tookMs > this.#timeoutMs) throw new StepFailure(`took ${Math.round(tookMs)} ms`);
    this.#times[name] = tookMs;
    return result;
  }

  /** The same for a step that writes; undefined where the relay says that it has rules, and one forbids it. */
  async ruled<T>(name: Step, work: (endsAtMs: number) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.timed(name, work);
    } catch (error) {
      if (!(error instanceof RuleRefusal) || !(await this.#ports.saysRestricted?.())) throw error;
      this.#untried.push(name);
      this.#refusal = error.message;
      return undefined;
    }
  }

  /** The report, where these steps have nothing to work on. */
  without(...steps: Step[]): WalkReport {
    this.#untried.push(...steps);
    return this.report();
  }

  failed(error: unknown): WalkReport {
    return { ...this.report(), failure: { step: this.#now, reason: reasonOf(error) } };
  }

  report(): WalkReport {
    const untried = { steps: this.#untried, reason: this.#refusal };
    return { times: this.#times, ...(this.#untried.length > 0 && { untried }) };
  }
}

/** Tries one event after the other as long as the relay's rules refuse them; gives the one taken. */
async function firstTaken(
  events: readonly NostrEvent[],
  attempt: (event: NostrEvent) => Promise<void>,
): Promise<NostrEvent> {
  for (let index = 0; ; index += 1) {
    const event = events[index] as NostrEvent;
    try {
      await attempt(event);
      return event;
    } catch (error) {
      if (!(error instanceof RuleRefusal) || index + 1 === events.length) throw error;
    }
  }
}

async function published(connection: Connection, event: NostrEvent): Promise<void> {
  const { accepted, message } = await connection.publish(event);
  if (accepted) return;
  const words = `kind ${event.kind} was refused: ${message}`;
  throw isByRule(message) ? new RuleRefusal(words) : new StepFailure(words);
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
    const subscription = reader.subscribe([{ kinds: [kind], authors: [pubkey] }]);
    for await (const item of subscription) {
      if (item.type === 'closed') throw new StepFailure(`subscription closed: ${item.message}`);
      if (item.type === 'eose') {
        publishing = published(writer, event);
        // Awaited below; whoever waits for the event must hear that it was refused.
        publishing.catch(() => subscription.close());
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
