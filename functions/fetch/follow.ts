import { randomUUID } from 'node:crypto';
import type { Source } from '../database/sources.ts';
import type { NostrEvent } from '../nostr/event.ts';
import type { Filter } from '../nostr/filter.ts';
import { plainFilter } from '../nostr/plain-filter.ts';
import type { Connection } from '../upstream/connection.ts';
import { reasonOf, UpstreamFailure } from '../upstream/failure.ts';
import { Delivery } from './delivery.ts';
import { liveRequests } from './filter-parts.ts';
import { BATCH_EVENTS_MAX } from './limits.ts';
import { logIn, notedInformation } from './log-in.ts';
import type { PiecePorts } from './piece.ts';

export interface FollowPorts
  extends Pick<
    PiecePorts,
    'connect' | 'known' | 'publish' | 'policy' | 'nowMs' | 'journey' | 'log' | 'chance' | 'meter'
  > {
  list(): Promise<readonly Source[]>;
  /** Resolves after so long, or at once when the signal comes. */
  pause(ms: number, signal: AbortSignal): Promise<void>;
}

export interface FollowLimits {
  readonly sourcesMax: number;
  /** How far back a new subscription begins: what was published while nobody followed. */
  readonly overlapSeconds: number;
  /** How often the list of sources is read again. */
  readonly refreshMs: number;
}

const BACKOFF_MS_MIN = 1_000;
const BACKOFF_MS_MAX = 300_000;

/**
 * Keeps a subscription open at every active source, until the signal comes. It brings events in
 * seconds and claims nothing: ranges are covered by the scheduled visits alone, which find again
 * whatever is missed here.
 */
export async function follow(
  ports: FollowPorts,
  limits: FollowLimits,
  signal: AbortSignal,
): Promise<void> {
  const running = new Map<
    number,
    { readonly stop: AbortController; readonly ended: Promise<void>; readonly wish: string }
  >();
  while (!signal.aborted) {
    const wanted = await wantedSources(ports, limits.sourcesMax);
    for (const [id, { stop, wish }] of running) {
      const source = wanted?.get(id);
      // One that is wanted otherwise now ends here and begins anew with the next look.
      if (wanted && (source === undefined || wishOf(source) !== wish)) stop.abort();
    }
    for (const source of wanted?.values() ?? []) {
      if (running.has(source.id)) continue;
      const stop = new AbortController();
      const either = AbortSignal.any([signal, stop.signal]);
      const ended = followOne(source, ports, limits, either).finally(() =>
        running.delete(source.id),
      );
      running.set(source.id, { stop, ended, wish: wishOf(source) });
    }
    await ports.pause(limits.refreshMs, signal);
  }
  await Promise.allSettled([...running.values()].map(({ ended }) => ended));
}

/** What is wanted of a source, to be compared. */
const wishOf = ({ filters, auth }: Source): string =>
  JSON.stringify([filters.map(plainFilter), auth]);

/** Undefined while the database is away: then what is followed stays as it is. */
async function wantedSources(
  ports: FollowPorts,
  sourcesMax: number,
): Promise<ReadonlyMap<number, Source> | undefined> {
  try {
    const active = (await ports.list()).filter(
      ({ state, direction }) => state === 'active' && direction !== 'up',
    );
    if (active.length > sourcesMax) {
      ports.log.warning('more sources than are followed', { active: active.length, sourcesMax });
    }
    return new Map(active.slice(0, sourcesMax).map((source) => [source.id, source]));
  } catch (error) {
    ports.log.error('sources could not be read', { error });
    return undefined;
  }
}

/** Follows one source, connecting again ever more rarely while it fails. */
async function followOne(
  source: Source,
  ports: FollowPorts,
  limits: FollowLimits,
  signal: AbortSignal,
): Promise<void> {
  let backoffMs = BACKOFF_MS_MIN;
  while (!signal.aborted) {
    const began = ports.nowMs();
    try {
      await listen(source, ports, limits, signal);
    } catch (error) {
      if (signal.aborted) return;
      const reason = reasonOf(error);
      const level = error instanceof UpstreamFailure ? 'info' : 'error';
      ports.log[level]('following broke off', { source: source.url, reason });
    }
    // One that held for a while begins anew with a short wait.
    if (ports.nowMs() - began > BACKOFF_MS_MAX) backoffMs = BACKOFF_MS_MIN;
    await ports.pause(backoffMs * (0.5 + ports.chance()), signal);
    backoffMs = Math.min(2 * backoffMs, BACKOFF_MS_MAX);
  }
}

async function listen(
  source: Source,
  ports: FollowPorts,
  { overlapSeconds }: FollowLimits,
  signal: AbortSignal,
): Promise<void> {
  const delivery = new Delivery(ports, source, `follow-${source.id}-${randomUUID().slice(0, 8)}`);
  const { meter } = ports;
  const connection = await ports.connect(source, signal, () => meter.invalid());
  let receivedBytes = 0;
  const countBytes = (): void => {
    meter.received(connection.bytesReceived - receivedBytes);
    receivedBytes = connection.bytesReceived;
  };
  const close = (): void => void connection.close();
  signal.addEventListener('abort', close, { once: true });
  try {
    const information = notedInformation(source);
    await logIn(connection, source, information);
    const since = Math.floor(ports.nowMs() / 1_000) - overlapSeconds;
    const { requests, left } = liveRequests(source.filters, information);
    if (left > 0) {
      ports.log.warning('more filters than are followed', { source: source.url, left });
    }
    // Without a place to put events, listening on would lose them in silence.
    const deliver = (events: readonly NostrEvent[]): Promise<void> => {
      countBytes();
      return delivery.deliver(events);
    };
    const batches = new Batches(deliver, close);
    const refusals = await Promise.all(
      requests.map(async (filters) => {
        const asked = filters.map((filter) => ({ ...filter, since }));
        const words = await listenTo(connection, asked, batches);
        // The others go on.
        if (words !== undefined) {
          ports.log.info('a subscription ended', { source: source.url, reason: words });
        }
        return words;
      }),
    );
    await batches.done();
    const refused = refusals.find((words) => words !== undefined);
    if (refused !== undefined) throw new UpstreamFailure('refused', refused);
  } finally {
    signal.removeEventListener('abort', close);
    countBytes();
    await connection.close();
  }
}

/**
 * Takes events until the relay ends the subscription; gives its words. Where it asks who we are
 * (NIP-42), the same is asked again with an answer to that.
 */
async function listenTo(
  connection: Connection,
  filters: readonly Filter[],
  batches: Batches,
): Promise<string | undefined> {
  const refused = await listenOnce(connection, filters, batches);
  if (refused === undefined || !/^auth-required:/.test(refused)) return refused;
  const { accepted } = await connection.authenticate();
  return accepted ? listenOnce(connection, filters, batches) : refused;
}

async function listenOnce(
  connection: Connection,
  filters: readonly Filter[],
  batches: Batches,
): Promise<string | undefined> {
  for await (const item of connection.subscribe(filters)) {
    if (item.type === 'closed') return item.message;
    if (item.type === 'event') await batches.add(item.event);
  }
  return undefined;
}

/** Delivers what has come while the last batch was under way: a lone event waits for nothing. */
class Batches {
  readonly #deliver: (events: readonly NostrEvent[]) => Promise<void>;
  readonly #onFailure: () => void;
  #failure: unknown;
  #waiting: NostrEvent[] = [];
  #underWay: Promise<void> | undefined;

  /** @param onFailure called when a delivery has failed; nothing more is taken then. */
  constructor(deliver: (events: readonly NostrEvent[]) => Promise<void>, onFailure: () => void) {
    this.#deliver = deliver;
    this.#onFailure = onFailure;
  }

  /** Resolves when there is room for another; rejects when an earlier delivery failed. */
  async add(event: NostrEvent): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#waiting.push(event);
    if (this.#underWay === undefined) this.#start();
    if (this.#waiting.length >= BATCH_EVENTS_MAX) await this.#underWay;
  }

  async done(): Promise<void> {
    while (this.#underWay !== undefined) await this.#underWay;
  }

  #start(): void {
    const events = this.#waiting;
    this.#waiting = [];
    this.#underWay = this.#deliver(events).then(() => {
      this.#underWay = undefined;
      if (this.#waiting.length > 0) this.#start();
    });
    this.#underWay.catch((error: unknown) => {
      this.#failure = error;
      this.#onFailure();
    });
  }
}
