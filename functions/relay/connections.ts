import type { Connection } from './connection.ts';

/** Why a further connection is not taken. */
export type Refusal = 'full' | 'too many from this address';

/** How many connections there may be. */
export interface ConnectionCounts {
  readonly totalMax: number;
  /** 0 for any number. */
  readonly perAddressMax: number;
  /** How often the health of each is looked at: short beside every limit on it. */
  readonly tickMs: number;
}

/** Connections are ended a few at a time, so often. */
const FINISH_STEP_MS = 25;

/** All connections of this instance: how many, from where, and whether they are still well. */
export class Connections {
  readonly #counts: ConnectionCounts;
  readonly #monotonicMs: () => number;
  readonly #all = new Set<Connection>();
  readonly #perAddress = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(counts: ConnectionCounts, monotonicMs: () => number) {
    this.#counts = counts;
    this.#monotonicMs = monotonicMs;
    this.#timer = setInterval(() => this.#tick(), counts.tickMs);
    this.#timer.unref();
  }

  get size(): number {
    return this.#all.size;
  }

  /** Why no connection from this address can be added now; undefined where it can. */
  refusal(address: string): Refusal | undefined {
    if (this.#all.size >= this.#counts.totalMax) return 'full';
    const { perAddressMax } = this.#counts;
    const crowded = perAddressMax > 0 && (this.#perAddress.get(address) ?? 0) >= perAddressMax;
    return crowded ? 'too many from this address' : undefined;
  }

  add(connection: Connection): void {
    this.#all.add(connection);
    this.#count(connection.client.address, 1);
  }

  remove(connection: Connection): void {
    if (this.#all.delete(connection)) this.#count(connection.client.address, -1);
  }

  /**
   * Ends all politely, those that are there longest first, spread over `spreadMs` where they are
   * many: what serves their clients next does not get all of them in one moment, and the OKs and
   * CLOSEDs of one do not wait for those of all. Until its turn each goes on as ever.
   */
  async finish(why: string, spreadMs: number, timeoutMs: number): Promise<void> {
    const all = [...this.#all];
    const size = Math.max(1, Math.ceil((all.length * FINISH_STEP_MS) / spreadMs));
    const finished: Promise<void>[] = [];
    for (let at = 0; at < all.length; at += size) {
      if (at > 0) await new Promise((resolve) => setTimeout(resolve, FINISH_STEP_MS));
      for (const connection of all.slice(at, at + size)) {
        finished.push(connection.finish('stopping', why, timeoutMs));
      }
    }
    await Promise.all(finished);
  }

  destroy(): void {
    clearInterval(this.#timer);
    for (const connection of this.#all) connection.destroy();
  }

  #tick(): void {
    const now = this.#monotonicMs();
    for (const connection of this.#all) connection.tick(now);
  }

  #count(address: string, by: 1 | -1): void {
    const count = (this.#perAddress.get(address) ?? 0) + by;
    if (count > 0) this.#perAddress.set(address, count);
    else this.#perAddress.delete(address);
  }
}
