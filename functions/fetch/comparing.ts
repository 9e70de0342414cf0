import type { NostrEvent } from '../nostr/event.ts';
import type { Filter } from '../nostr/filter.ts';
import type { Items } from '../nostr/negentropy/items.ts';
import type { Connection } from '../upstream/connection.ts';
import { UpstreamFailure } from '../upstream/failure.ts';
import type { RelayInformation } from '../upstream/information.ts';
import { prefixOf } from '../upstream/prefix.ts';
import { type Reconciled, reconcile } from '../upstream/reconcile.ts';
import { fetchByIds } from './by-id.ts';
import {
  DELIVERED_IDS_MAX,
  DIFFERING_IDS_MAX,
  FRAME_BYTES_MAX,
  GROWTH_MAX,
  NEEDED_IDS_MAX,
  NEEDED_IDS_WANTED,
  NIP77_MESSAGE_BYTES_MIN,
  RECONCILED_IDS_MAX,
  RECONCILED_SECONDS_FIRST,
  ROUNDS_MAX,
  WITHHELD_SHARE_MAX,
} from './limits.ts';
import { newerPart, type Range } from './ranges.ts';
import { around, newest, type Step, secondsOf } from './step.ts';
import type { Tally } from './tally.ts';

/** What comparing reaches of the piece of work that it belongs to. */
export interface ComparingPorts {
  /** Times and ids of what we hold; undefined where there are more than `idsMax`. */
  held(
    filter: Filter,
    range: Range,
    idsMax: number,
    signal: AbortSignal,
  ): Promise<Items | undefined>;
  deliver(events: readonly NostrEvent[]): Promise<void>;
  /** Waits where the relay asks us to come more slowly; false where there is no time for that. */
  patience(failure: UpstreamFailure): Promise<boolean>;
  /** Told when the relay has answered. */
  onAnswer(): void;
}

/**
 * Bytes of a frame of NIP-77 before hex that a relay's messages have room for; undefined where
 * they are too short for NIP-77.
 */
export function frameBytesMaxOf({ messageBytesMax }: RelayInformation = {}): number | undefined {
  if (messageBytesMax === undefined) return FRAME_BYTES_MAX;
  if (messageBytesMax < NIP77_MESSAGE_BYTES_MIN) return undefined;
  return Math.min(FRAME_BYTES_MAX, Math.floor((messageBytesMax - 128) / 2));
}

/**
 * Fetches ranges by comparing (NIP-77): learns which ids we lack, and fetches those. How long a
 * range is taken at a time goes by how much the last one lacked; nothing that was learnt of one
 * that lacks too much is thrown away.
 */
export class Comparing {
  readonly #connection: Connection;
  readonly #ports: ComparingPorts;
  readonly #tally: Tally;
  readonly #information: RelayInformation | undefined;
  readonly #signal: AbortSignal;
  #seconds = RECONCILED_SECONDS_FIRST;
  /** Delivered in this visit, and of ranges that are not covered: no need to fetch them again. */
  #delivered = new Set<string>();
  #spoken: boolean | undefined;
  #withheld = false;

  constructor(
    connection: Connection,
    ports: ComparingPorts,
    tally: Tally,
    information: RelayInformation | undefined,
    signal: AbortSignal,
  ) {
    this.#connection = connection;
    this.#ports = ports;
    this.#tally = tally;
    this.#information = information;
    this.#signal = signal;
  }

  /** Whether the source speaks NIP-77, where that was found out. */
  get spoken(): boolean | undefined {
    return this.#spoken;
  }

  /** Whether it has announced events that it does not give. */
  get withheld(): boolean {
    return this.#withheld;
  }

  /** Another filter: what was found out of how much there is does not hold for it. */
  begin(): void {
    this.#seconds = RECONCILED_SECONDS_FIRST;
  }

  /**
   * Compares a range, or the newest part of it that is not too much, and fetches what we lack.
   * @throws UpstreamFailure, and what our own side throws.
   */
  async step(filter: Filter, range: Range, spent: () => boolean): Promise<Step> {
    for (let part = newest(range, this.#seconds); ; part = newerPart(part)) {
      if (spent()) return { whole: [] };
      const narrower = part.since < part.until;
      const items = await this.#ports.held(filter, part, RECONCILED_IDS_MAX, this.#signal);
      const compared = items && (await this.#compare(filter, part, items));
      if (compared === 'page') return { whole: [], page: true };
      if (compared === undefined) {
        if (!narrower) return { whole: [], page: true };
        this.#seconds = secondsOf(newerPart(part));
        continue;
      }
      const failed = await this.#fetch(compared, spent);
      if (failed !== undefined) return failed;
      const failure = compared.slowed && { failure: compared.slowed };
      const settled = settledOf(part, compared);
      if (settled !== undefined) {
        this.#pace(settled, compared, secondsOf(part) < secondsOf(range));
        return { whole: [settled], left: around(range, settled), ...failure };
      }
      if (failure !== undefined) return { whole: [], ...failure };
      if (!narrower) return { whole: [], page: true };
      this.#seconds = secondsOf(newerPart(part));
    }
  }

  /** Undefined where the relay finds it too much. */
  async #compare(
    filter: Filter,
    part: Range,
    items: Items,
  ): Promise<Reconciled | 'page' | undefined> {
    try {
      const reconciled = await reconcile(this.#connection, {
        filter: { ...filter, ...part },
        items,
        frameBytesMax: frameBytesMaxOf(this.#information) ?? FRAME_BYTES_MAX,
        roundsMax: ROUNDS_MAX,
        idsMax: DIFFERING_IDS_MAX,
        needMax: NEEDED_IDS_MAX,
        signal: this.#signal,
      });
      this.#spoken = true;
      this.#tally.rounds += reconciled.rounds;
      this.#tally.requests += reconciled.rounds;
      if (reconciled.slowed === undefined) this.#ports.onAnswer();
      return reconciled;
    } catch (error) {
      if (!(error instanceof UpstreamFailure)) throw error;
      this.#tally.requests += 1;
      const { code, message } = error;
      if (code === 'unsupported') {
        // Silence may have another reason than that it does not know what we say.
        if (!isSilence(error)) this.#spoken = false;
        return 'page';
      }
      // Whoever compares badly may page well.
      if (code === 'misbehaved' && BAD_NEGENTROPY.test(message)) {
        this.#spoken = false;
        return 'page';
      }
      const later = ['auth-required', 'rate-limited'].includes(prefixOf(message));
      if (code !== 'refused' || later) throw error;
      return TOO_MUCH.test(message) ? undefined : 'page';
    }
  }

  /** Fetches what is needed; gives the step's end where that is not possible. */
  async #fetch({ need, complete }: Reconciled, spent: () => boolean): Promise<Step | undefined> {
    const ids = need.filter((id) => !this.#delivered.has(id));
    const withheldMax = WITHHELD_SHARE_MAX * ids.length;
    const withheld = await fetchByIds(this.#connection, ids, withheldMax, {
      deliver: (events) => this.#ports.deliver(events),
      tally: this.#tally,
      spent,
      patience: (failure) => this.#ports.patience(failure),
      onAnswer: () => this.#ports.onAnswer(),
      information: this.#information,
    });
    if (withheld === undefined) return { whole: [] };
    // What it announced and does not give by id, it may give by time.
    if (withheld.length > withheldMax) {
      this.#withheld = true;
      return { whole: [], page: true };
    }
    if (!complete) {
      if (this.#delivered.size > DELIVERED_IDS_MAX) this.#delivered.clear();
      for (const id of ids) this.#delivered.add(id);
    }
    return undefined;
  }

  /** How long the next range is: by what this one lacked, and not from a little to very much. */
  #pace(settled: Range, { need }: Reconciled, wasCut: boolean): void {
    const growth = Math.min(GROWTH_MAX, NEEDED_IDS_WANTED / Math.max(1, need.length));
    const seconds = Math.max(1, Math.floor(secondsOf(settled) * growth));
    // A short range says nothing of how much a longer one would lack.
    this.#seconds = growth > 1 && !wasCut ? Math.max(this.#seconds, seconds) : seconds;
  }
}

/** How relays say that a set is too large to be compared. */
const TOO_MUCH = /^blocked:|too (many|big|large)|limit/i;

/** What `reconcile` says of a message that is none; whatever else is wrong ends the visit. */
const BAD_NEGENTROPY = /^negentropy:/;

const isSilence = ({ cause }: UpstreamFailure): boolean =>
  cause instanceof UpstreamFailure && cause.code === 'timeout';

/** The seconds of a part of which all is known; undefined where there are none. */
function settledOf(part: Range, { complete, settledBefore }: Reconciled): Range | undefined {
  if (complete) return part;
  const settled = { since: part.since, until: Math.min(part.until, settledBefore - 1) };
  return settled.since <= settled.until ? settled : undefined;
}
