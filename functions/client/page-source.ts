import { setTimeout as pause } from 'node:timers/promises';
import type { Filter } from '../nostr/filter.ts';
import type { Connection } from '../upstream/connection.ts';
import { UpstreamFailure } from '../upstream/failure.ts';
import { readInformation } from '../upstream/information.ts';
import { type Page, readPage } from '../upstream/page.ts';
import type { PageSource } from '../upstream/pager.ts';
import { isPassing } from '../upstream/prefix.ts';
import { CommandFailure, EXIT } from './exit.ts';

/** How often one page is asked for again while the relay says that its trouble will pass. */
const ATTEMPTS_MAX = 8;
const PAUSE_MIN_MS = 250;

type LimitedFilter = Filter & { readonly limit: number };

/** Where the pages' connection comes from: a `Link`, or a single connection. */
export interface ConnectionSource {
  readonly address: string;
  connection(): Promise<Connection>;
  progress(): void;
}

/**
 * A relay as a source of pages. A page is one whole answer, so one that breaks off is asked for
 * again, on a new connection where the old one is gone.
 */
export class RelayPages implements PageSource {
  readonly #link: ConnectionSource;
  readonly #signal: AbortSignal;

  constructor(link: ConnectionSource, signal: AbortSignal) {
    this.#link = link;
    this.#signal = signal;
  }

  async query(filter: LimitedFilter): Promise<Page> {
    try {
      return await this.#ask(filter);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      throw new CommandFailure(
        EXIT.refused,
        `the relay refused the query: ${error.message}`,
        error,
      );
    }
  }

  async tryQuery(filter: LimitedFilter): Promise<Page | undefined> {
    try {
      return await this.#ask(filter);
    } catch (error) {
      if (isRefusal(error)) return undefined;
      throw error;
    }
  }

  async limitMax(): Promise<number | undefined> {
    const information = await readInformation(new URL(this.#link.address));
    return information.ok ? information.value.limitMax : undefined;
  }

  async #ask(filter: LimitedFilter): Promise<Page> {
    for (let attempt = 1; ; attempt += 1) {
      const connection = await this.#link.connection();
      try {
        const page = await readPage(connection.subscribe([filter]), filter.limit);
        if (page === undefined) throw new UpstreamFailure('closed', 'closed by us');
        this.#link.progress();
        return page;
      } catch (error) {
        this.#signal.throwIfAborted();
        if (!(error instanceof UpstreamFailure)) throw error;
        if (error.code === 'refused') {
          if (!isPassing(error.message) || attempt === ATTEMPTS_MAX) throw error;
          await pause(PAUSE_MIN_MS * 2 ** (attempt - 1), undefined, { signal: this.#signal });
        } else {
          // Silent or gone: the link makes a new one, as long as its patience lasts.
          await connection.close();
        }
      }
    }
  }
}

const isRefusal = (error: unknown): error is UpstreamFailure =>
  error instanceof UpstreamFailure && error.code === 'refused';
