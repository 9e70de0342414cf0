import type { Connection } from '../upstream/connection.ts';
import type { Finding } from './promises.ts';

/** A load balancer that has two instances to choose from shows both within a few connections. */
const TRIES_MAX = 8;

/** Looks for a connection to another instance of a relay than a first one has. */
export class Beside {
  readonly #open: () => Promise<Connection>;
  readonly #seen = new Set<string>();
  #tries = 0;

  constructor(open: () => Promise<Connection>) {
    this.#open = open;
  }

  /**
   * Opens connections, a few at most, until one is at another instance, and gives it; where none
   * is, the last one. Those before stay open until then, so that the relay may spread them.
   */
  async connect({ instance }: Connection): Promise<Connection> {
    const others: Connection[] = [];
    if (instance !== undefined) this.#seen.add(instance);
    try {
      for (;;) {
        const connection = await this.#open();
        this.#tries += 1;
        if (connection.instance !== undefined) this.#seen.add(connection.instance);
        const found = connection.instance !== instance;
        if (instance === undefined || found || this.#tries >= TRIES_MAX) return connection;
        others.push(connection);
      }
    } finally {
      await Promise.all(others.map((connection) => connection.close()));
    }
  }

  /** Whether what was seen was seen across two instances. */
  finding(): Finding {
    const name = 'does so across two instances';
    const [first, second] = this.#seen;
    if (first === undefined)
      return { ok: true, tried: false, name, detail: 'it does not name them' };
    if (second !== undefined) return { ok: true, name, detail: `${first} and ${second}` };
    const detail = `only ${first} answered on ${this.#tries + 1} connections`;
    return { ok: true, tried: false, name, detail };
  }
}
