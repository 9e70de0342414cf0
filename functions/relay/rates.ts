import type { NostrEvent } from '../nostr/event.ts';
import { isVersioned } from '../nostr/kinds.ts';
import { RATE_KEYS_MAX, type Rate, type RateLimits } from '../policy/limits.ts';
import { rateLimited, TokenBuckets } from '../policy/rate-limit.ts';

/** One rate with the words that a refusal needs. */
interface Counter {
  readonly rate: Rate;
  readonly buckets: TokenBuckets;
  readonly what: string;
}

const counter = (rate: Rate, what: string): Counter => ({
  rate,
  buckets: new TokenBuckets(rate, RATE_KEYS_MAX),
  what,
});

/**
 * How fast addresses and public keys may go, over all their connections to this instance: a new
 * connection gets no fresh allowance. Each method returns why something is refused, or undefined.
 */
export class Rates {
  readonly #events: Counter;
  readonly #requests: Counter;
  readonly #keyEvents: Counter;
  readonly #keyVersions: Counter;
  readonly #nowMs: () => number;

  /** @param nowMs of a clock that never steps back. */
  constructor(limits: RateLimits, nowMs: () => number) {
    this.#events = counter(limits.eventsByAddress, 'events from one address');
    this.#requests = counter(limits.requestsByAddress, 'requests from one address');
    this.#keyEvents = counter(limits.eventsByKey, 'events by one public key');
    this.#keyVersions = counter(
      limits.versionsByKey,
      'replaceable and addressable events by one public key',
    );
    this.#nowMs = nowMs;
  }

  /** An EVENT from this address, whatever it holds. */
  event(address: string): string | undefined {
    return this.#take(this.#events, address);
  }

  /** A REQ from this address, or anything else that needs an answer. */
  request(address: string): string | undefined {
    return this.#take(this.#requests, address);
  }

  /**
   * An event by its author. To be asked only when the signature is known to be true, or anybody
   * could use up somebody else's allowance.
   */
  signed(event: NostrEvent): string | undefined {
    const refused = this.#take(this.#keyEvents, event.pubkey);
    if (refused !== undefined || !isVersioned(event.kind)) return refused;
    return this.#take(this.#keyVersions, event.pubkey);
  }

  #take({ buckets, rate, what }: Counter, key: string): string | undefined {
    const waitMs = buckets.take(key, this.#nowMs());
    return waitMs === 0 ? undefined : rateLimited(what, rate, waitMs);
  }
}
