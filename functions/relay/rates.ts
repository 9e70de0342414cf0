import type { Counter, Metrics } from '../cloud/metrics/registry.ts';
import type { NostrEvent } from '../nostr/event.ts';
import { isVersioned } from '../nostr/kinds.ts';
import { RATE_KEYS_MAX, type RateLimits } from '../policy/limits.ts';
import { rateLimited, TokenBuckets } from '../policy/rate-limit.ts';
import type { Terms } from './terms.ts';

/** One rate with the words that a refusal needs. */
interface Allowance {
  readonly of: keyof RateLimits;
  readonly buckets: TokenBuckets;
  readonly what: string;
  readonly refused: Counter;
}

/**
 * How fast addresses and public keys may go, over all their connections to this instance: a new
 * connection gets no fresh allowance. Each method returns why something is refused, or undefined.
 */
export class Rates {
  readonly #events: Allowance;
  readonly #requests: Allowance;
  readonly #keyEvents: Allowance;
  readonly #keyVersions: Allowance;
  readonly #terms: Terms;
  readonly #nowMs: () => number;

  /** @param terms say how fast, at any moment. @param nowMs of a clock that never steps back. */
  constructor(terms: Terms, nowMs: () => number, metrics: Metrics) {
    const ofEvents = metrics.counter('rate_limited_total', { what: 'event' });
    const ofRequests = metrics.counter('rate_limited_total', { what: 'request' });
    const allowance = (of: keyof RateLimits, what: string, refused: Counter): Allowance => ({
      of,
      buckets: new TokenBuckets(terms.now.rates[of], RATE_KEYS_MAX),
      what,
      refused,
    });
    this.#events = allowance('eventsByAddress', 'events from one address', ofEvents);
    this.#requests = allowance('requestsByAddress', 'requests from one address', ofRequests);
    this.#keyEvents = allowance('eventsByKey', 'events by one public key', ofEvents);
    const versions = 'replaceable and addressable events by one public key';
    this.#keyVersions = allowance('versionsByKey', versions, ofEvents);
    this.#terms = terms;
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

  #take({ of, buckets, what, refused }: Allowance, key: string): string | undefined {
    const rate = this.#terms.now.rates[of];
    buckets.rate = rate;
    const waitMs = buckets.take(key, this.#nowMs());
    if (waitMs === 0) return undefined;
    refused.add();
    return rateLimited(what, rate, waitMs);
  }
}
