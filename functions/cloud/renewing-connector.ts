import type { Duplex } from 'node:stream';
import type { SqlConnector } from './cloud-sql.ts';
import type { Log } from './log.ts';

/** Google's API for certificates is asked at most so often, however many connections fail. */
const RENEW_INTERVAL_MS = 30_000;
/** And so often where it refuses. */
const RETRY_INTERVAL_MS = 1_000;
/** Google's client asks six times within about 4 s; what takes longer hangs. */
const OPEN_TIMEOUT_MS = 10_000;

/**
 * A connector that is opened by whoever first needs it, and again when its certificate went stale:
 * Google's refreshes it by a timer, which a function without CPU between requests may miss, and
 * offers no refresh on use. Callers that come together share one opening.
 */
export class RenewingConnector {
  readonly #open: () => Promise<SqlConnector>;
  readonly #log: Log;
  #connector: SqlConnector | undefined;
  #opening: Promise<void> | undefined;
  #failure: unknown;
  /** When Google may be asked again. */
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(open: () => Promise<SqlConnector>, log: Log) {
    this.#open = open;
    this.#log = log;
  }

  /** Opens it, unless it is open. */
  async open(): Promise<void> {
    if (this.#connector === undefined) await this.#make();
  }

  /** Opens another in its place; does nothing where that was done a moment ago. */
  async renew(): Promise<void> {
    await this.#make();
  }

  stream(): Duplex {
    if (this.#connector === undefined) throw new Error('the connector to Cloud SQL is not open');
    return this.#connector.stream();
  }

  close(): void {
    this.#closed = true;
    this.#connector?.close();
  }

  async #make(): Promise<void> {
    if (this.#opening === undefined) {
      if (performance.now() < this.#notBeforeMs) {
        // Where one is there, it may still be good, and what failed with it says more.
        if (this.#failure !== undefined && this.#connector === undefined) throw this.#failure;
        return;
      }
      this.#opening = this.#replace().finally(() => {
        this.#opening = undefined;
      });
    }
    await this.#opening;
  }

  async #replace(): Promise<void> {
    try {
      const made = await this.#inTime(this.#open());
      const stale = this.#connector;
      this.#connector = made;
      this.#failure = undefined;
      if (this.#closed) made.close();
      if (stale === undefined) return;
      this.#notBeforeMs = performance.now() + RENEW_INTERVAL_MS;
      stale.close();
      this.#log.warning('connector to Cloud SQL made again');
    } catch (error) {
      this.#failure = error;
      this.#notBeforeMs = performance.now() + RETRY_INTERVAL_MS;
      throw error;
    }
  }

  async #inTime(opened: Promise<SqlConnector>): Promise<SqlConnector> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`Google gave no certificate within ${OPEN_TIMEOUT_MS} ms`));
        opened.then(
          (connector) => connector.close(),
          () => undefined,
        );
      }, OPEN_TIMEOUT_MS);
    });
    try {
      return await Promise.race([opened, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
