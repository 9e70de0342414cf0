import type { Rate } from './limits.ts';

interface Bucket {
  /** What may be taken at `atMilliseconds`; a fraction is a token on its way. */
  tokens: number;
  atMilliseconds: number;
}

/**
 * Token buckets of one rate, one for each key (an address, a public key). A key that was never
 * seen has a full bucket. The number of keys is bounded: when it is reached, the key that has
 * rested longest is forgotten, whose bucket has had the most time to fill.
 */
export class TokenBuckets {
  #rate: Rate;
  readonly #keysMax: number;
  /** In the order of last use, least recent first. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(rate: Rate, keysMax: number) {
    if (!(keysMax >= 1)) throw new RangeError('some key must be remembered');
    this.#rate = checked(rate);
    this.#keysMax = keysMax;
  }

  /** Another rate from now on: no bucket holds more than its burst, and none is filled by it. */
  set rate(rate: Rate) {
    if (rate !== this.#rate) this.#rate = checked(rate);
  }

  /** Keys that are remembered now. */
  get size(): number {
    return this.#buckets.size;
  }

  /**
   * Takes tokens out of the key's bucket, or none if there are too few.
   * @param nowMilliseconds of a clock that the caller keeps to; a step back in time counts as none.
   * @param cost more than the burst counts as the burst, else it could never be taken.
   * @returns 0 when taken, else after how many milliseconds it can be.
   */
  take(key: string, nowMilliseconds: number, cost = 1): number {
    const bucket = this.#touch(key, nowMilliseconds);
    const wanted = Math.min(cost, this.#rate.burst);
    if (bucket.tokens >= wanted) {
      bucket.tokens -= wanted;
      return 0;
    }
    return Math.max(1, Math.ceil(((wanted - bucket.tokens) / this.#rate.perSecond) * 1_000));
  }

  /** The key's bucket, filled up to now and last in the order of use. */
  #touch(key: string, nowMilliseconds: number): Bucket {
    const known = this.#buckets.get(key);
    if (known === undefined) {
      const bucket = { tokens: this.#rate.burst, atMilliseconds: nowMilliseconds };
      this.#buckets.set(key, bucket);
      this.#forget();
      return bucket;
    }
    this.#buckets.delete(key);
    this.#buckets.set(key, known);
    const elapsed = Math.max(0, nowMilliseconds - known.atMilliseconds);
    known.tokens = Math.min(
      this.#rate.burst,
      known.tokens + (elapsed / 1_000) * this.#rate.perSecond,
    );
    known.atMilliseconds = nowMilliseconds;
    return known;
  }

  #forget(): void {
    if (this.#buckets.size <= this.#keysMax) return;
    for (const oldest of this.#buckets.keys()) {
      this.#buckets.delete(oldest);
      return;
    }
  }
}

function checked(rate: Rate): Rate {
  if (rate.perSecond > 0 && rate.burst >= 1) return rate;
  throw new RangeError('a rate must let something through');
}

/**
 * The reason of a refusal for haste.
 * @param what the plural of what is counted and by what, such as `events from one address`.
 */
export function rateLimited(what: string, rate: Rate, waitMilliseconds: number): string {
  const [count, unit] =
    rate.perSecond >= 1 ? [rate.perSecond, 'second'] : [rate.perSecond * 60, 'minute'];
  const wait = Math.ceil(waitMilliseconds / 1_000);
  return (
    `rate-limited: ${Number(count.toFixed(2))} ${what} are allowed a ${unit} ` +
    `(${rate.burst} at once), try again in ${wait} s`
  );
}
