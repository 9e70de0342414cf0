import { setImmediate as nextTurn } from 'node:timers/promises';
import { Registry } from '../../functions/cloud/metrics/registry.ts';
import type { Coverage } from '../../functions/database/coverage.ts';
import type { Source, SourceRun } from '../../functions/database/sources.ts';
import { Delivery } from '../../functions/fetch/delivery.ts';
import { measureDue } from '../../functions/fetch/measure.ts';
import { FetchMeter } from '../../functions/fetch/meter.ts';
import type { FetchPorts } from '../../functions/fetch/parts.ts';
import { type PieceLimits, type PieceReport, runPiece } from '../../functions/fetch/piece.ts';
import { mergeRanges, missingRanges, type Range } from '../../functions/fetch/ranges.ts';
import { eventText, type NostrEvent } from '../../functions/nostr/event.ts';
import { matchesFilter } from '../../functions/nostr/filter.ts';
import { ItemsBuilder } from '../../functions/nostr/negentropy/builder.ts';
import { systemClock } from '../../functions/upstream/clock.ts';
import { connect } from '../../functions/upstream/connection.ts';
import type { RelayInformation } from '../../functions/upstream/information.ts';
import { quietJourney } from './journey.ts';
import { silentLog } from './pubsub.ts';
import type { ScriptedRelay } from './scripted-relay.ts';

const LIMITS: PieceLimits = {
  pieceMs: 60_000,
  eventsMax: 1_000_000,
  bytesMax: 1e9,
  requestsMax: 100_000,
  overlapSeconds: 0,
  sinceSeconds: 0,
};

/** The pauses of the fetcher, which double from a second to half a minute. */
const isPause = (ms: number): boolean => ms === 30_000 || Number.isInteger(Math.log2(ms / 1_000));

export interface VisitOptions {
  readonly source?: Partial<Source>;
  readonly limits?: Partial<PieceLimits>;
  readonly information?: RelayInformation;
  readonly secretKey?: Uint8Array;
  /** Whether the store keeps an event that it is given; it keeps all by default. */
  readonly stays?: (event: NostrEvent) => boolean;
  /** From 0 to 1; always a half by default. */
  readonly chance?: () => number;
  /** Called for each event that goes into `incoming`; may throw as Pub/Sub does. */
  readonly publish?: () => void;
  /** What was stored here since the last visit, to be sent there; nothing by default. */
  readonly arrivals?: readonly NostrEvent[];
}

/** Our side of visits to one upstream, with a database that is a list in memory. */
export class Visiting {
  readonly stored = new Map<string, NostrEvent>();
  readonly ranges = new Map<string, Range[]>();
  readonly runs: SourceRun[] = [];
  readonly figures: Coverage[] = [];
  /** Messages that were logged for information. */
  readonly logged: string[] = [];
  /** How often it waited because it was told to; each time is over at once. */
  pauses = 0;
  /** The most questions for covered ranges that waited at once: each has a connection to itself. */
  readsAtOnce = 0;
  readonly relay: ScriptedRelay;
  #reads = 0;

  constructor(relay: ScriptedRelay) {
    this.relay = relay;
  }

  async visit(options: VisitOptions = {}): Promise<PieceReport> {
    const source = { ...this.#source(), ...options.source };
    const limits = { ...LIMITS, ...options.limits };
    return runPiece(source, this.#ports(options), limits, new AbortController().signal);
  }

  /** Has every filter measured by what is covered of it. */
  async measure(options: VisitOptions = {}): Promise<void> {
    const source = { ...this.#source(), ...options.source };
    await measureDue(source, this.#ports(options), LIMITS, 1, new AbortController().signal);
  }

  #ports(options: VisitOptions): FetchPorts {
    const { information, secretKey, publish, chance, stays, arrivals = [] } = options;
    const change = (key: string, to: readonly Range[]): void =>
      void this.ranges.set(key, mergeRanges(to));
    const rangesOf = (key: string): Range[] => this.ranges.get(key) ?? [];
    const whole = { since: 0, until: Number.MAX_SAFE_INTEGER };
    const ports: FetchPorts = {
      bring: (source, events) => new Delivery(ports, source, 'measure').deliver(events),
      connect: (_, signal) =>
        connect(this.relay.url, {
          verifier: 'none',
          signal,
          ...(secretKey && { auth: { secretKey } }),
        }),
      information: async () => information,
      covered: (_, key) => this.#read(() => rangesOf(key)),
      coveredOf: (_, keys) => this.#read(() => new Map(keys.map((key) => [key, rangesOf(key)]))),
      cover: async ({ filterKey, since, until }) =>
        change(filterKey, [...rangesOf(filterKey), { since, until }]),
      uncover: async ({ filterKey, since, until }) => {
        const gaps = missingRanges(rangesOf(filterKey), whole);
        change(filterKey, missingRanges([...gaps, { since, until }], whole));
      },
      held: async (filter, range, idsMax) => {
        const builder = new ItemsBuilder();
        for (const event of this.stored.values()) {
          if (matchesFilter({ ...filter, ...range }, event)) {
            builder.add(event.created_at, event.id);
          }
        }
        return builder.size > idsMax ? undefined : builder.seal();
      },
      known: async (events) =>
        new Set(events.map(({ id }) => id).filter((id) => this.stored.has(id))),
      wanted: async (events) => events.filter(({ id }) => !this.stored.has(id)),
      publish: async ({ text }) => {
        publish?.();
        const event = JSON.parse(text) as NostrEvent;
        if (stays?.(event) !== false) this.stored.set(event.id, event);
        return '1';
      },
      policy: () => ({ ok: true, value: undefined }),
      probe: async () => {
        throw new Error('a visit probes nothing');
      },
      noteProbe: async () => {},
      arrivals: async (after) => ({
        gap: false,
        arrivals: arrivals.map((event) => ({
          id: event.id,
          createdAt: event.created_at,
          kind: event.kind,
          text: eventText(event),
          seenFrom: undefined,
          at: after,
        })),
        place: after,
        complete: true,
      }),
      logEnd: async () => ({ transaction: 0, seq: 0 }),
      sent: async () => undefined,
      noteSent: async () => {},
      notFrom: async () => [],
      record: async (_, run) => {
        this.runs.push(run);
        return { seen: 0, invalid: 0 };
      },
      quarantine: async () => {},
      append: async (figure) => void this.figures.push(figure),
      lastMeasuredAt: async () => undefined,
      chance: chance ?? (() => 0.5),
      nowMs: Date.now,
      clock: {
        nowMs: systemClock.nowMs,
        after: (delayMs, run) => {
          if (isPause(delayMs)) this.pauses += 1;
          return systemClock.after(isPause(delayMs) ? 0 : delayMs, run);
        },
      },
      journey: quietJourney,
      log: { ...silentLog, info: (message) => void this.logged.push(message) },
      meter: new FetchMeter(new Registry('fetch')),
    };
    return ports;
  }

  async #read<T>(read: () => T): Promise<T> {
    this.#reads += 1;
    this.readsAtOnce = Math.max(this.readsAtOnce, this.#reads);
    await nextTurn();
    this.#reads -= 1;
    return read();
  }

  #source(): Source {
    const counts = {
      requests: 0,
      newEvents: 0,
      events: 0,
      bytes: 0,
      invalid: 0,
      withheld: 0,
      suspect: 0,
      successes: 0,
      failures: 0,
    };
    return {
      id: 1,
      url: this.relay.url,
      origin: 'configured',
      direction: 'down',
      state: 'active',
      reason: undefined,
      filters: [{}],
      limits: {},
      auth: false,
      counts,
      standing: { newPerRequest: 0, uptime: 1, failuresInRow: 0 },
      lastSuccessAt: undefined,
      lastFailureAt: undefined,
      lastFailure: undefined,
      nextAt: new Date(0),
      lastRun: { withheld: 0, suspect: 0 },
      probe: undefined,
      measureAskedAt: undefined,
      nip77: undefined,
      information: undefined,
      createdAt: new Date(0),
    };
  }
}
