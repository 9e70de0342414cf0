import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { eventText, type NostrEvent } from '../nostr/event.ts';
import type { Filter } from '../nostr/filter.ts';
import type { Connection } from '../upstream/connection.ts';
import { UpstreamFailure } from '../upstream/failure.ts';
import { isPassing } from '../upstream/prefix.ts';
import { CommandFailure, EXIT, EXIT_HELP } from './exit.ts';
import {
  addFilterOptions,
  FILTER_HELP,
  type FilterOptions,
  readFilters,
} from './filter-options.ts';
import { Link } from './link.ts';
import { LineOutput } from './output.ts';
import { RelayPages } from './page-source.ts';
import { pageNewestFirst } from './pager.ts';
import { RecentIds } from './recent-ids.ts';
import { addRelayOption, readSeconds } from './relay-option.ts';
import { type EndWith, Interrupt, type Surroundings, tell } from './surroundings.ts';

interface SubscribeOptions extends FilterOptions {
  readonly relay: string;
  readonly stopAtEose?: boolean;
  readonly verify: boolean;
  readonly patience?: number;
  readonly overlap: number;
}

const HELP = `${FILTER_HELP}

Examples:
  distrise subscribe --kind 1 --since 1h
  distrise subscribe --author npub1… --stop-at-eose | jq -r .content
  distrise subscribe --tag t=nostr --tag t=bitcoin --limit 0
  distrise subscribe --filter '{"kinds":[0],"limit":10}' --filter '{"kinds":[3],"limit":10}'

Stored events come first, then live ones until Ctrl-C, one JSON a line, each once. A lost
connection is made again, and what was published meanwhile is asked for: events dated up to
--overlap seconds before the loss.
${EXIT_HELP}`;

/** Without limits a later page of a long outage would be cut. */
const PAGE_SIZE = 500;
const PAUSE_AFTER_CLOSED_MS = 1_000;

/** `subscribe`: events as they come. */
export function addSubscribe(program: Command, surroundings: Surroundings, end: EndWith): void {
  addFilterOptions(addRelayOption(program.command('subscribe'), surroundings))
    .description('print events that match, stored and live')
    .option('--stop-at-eose', 'end after the stored events')
    .option(
      '--patience <seconds>',
      'how long to try to reach a lost relay (default: for ever)',
      readSeconds,
    )
    .option('--overlap <seconds>', 'how far to look back after a lost connection', readSeconds, 900)
    .option('--no-verify', 'believe ids and signatures')
    .addHelpText('after', HELP)
    .action(async (options: SubscribeOptions) => end(await subscribe(options, surroundings)));
}

async function subscribe(options: SubscribeOptions, surroundings: Surroundings): Promise<number> {
  const filters = readFilters(options, surroundings.nowSeconds());
  const link = new Link(options.relay, {
    connect: {
      ...(options.verify ? {} : { verifier: 'none' as const }),
      onNotice: (notice) => tell(surroundings, `distrise: notice of the relay: ${notice}`),
    },
    patienceMs: options.stopAtEose === true ? 0 : (options.patience ?? Infinity) * 1_000,
    firstPatienceMs: 0,
    onTrouble: (message) => tell(surroundings, `distrise: ${message}`),
    signal: surroundings.signal,
  });
  const listener = new Listener(filters, link, options, surroundings);
  try {
    await listener.run();
    return EXIT.done;
  } catch (error) {
    // A subscription has no end of its own: Ctrl-C is how it is meant to end.
    if (error instanceof Interrupt && error.signalName === 'SIGINT') return EXIT.done;
    throw error;
  } finally {
    await link.close();
  }
}

/** Prints each event once, over as many connections as it takes. */
class Listener {
  readonly #filters: readonly Filter[];
  readonly #link: Link;
  readonly #options: SubscribeOptions;
  readonly #surroundings: Surroundings;
  readonly #out: LineOutput;
  readonly #printed = new RecentIds();
  /** Everything published before this second has been asked for; undefined before first EOSE. */
  #completeTo: number | undefined;

  constructor(
    filters: readonly Filter[],
    link: Link,
    options: SubscribeOptions,
    surroundings: Surroundings,
  ) {
    this.#filters = filters;
    this.#link = link;
    this.#options = options;
    this.#surroundings = surroundings;
    this.#out = new LineOutput(surroundings.stdout);
  }

  /** Ends at EOSE where that is asked for; else only by throwing. */
  async run(): Promise<void> {
    for (;;) {
      const connection = await this.#link.connection();
      try {
        if (await this.#listen(connection)) return;
      } catch (error) {
        this.#surroundings.signal.throwIfAborted();
        if (!(error instanceof UpstreamFailure)) throw error;
        await connection.close();
      }
    }
  }

  /** One subscription on one connection; true when it ended as it was meant to. */
  async #listen(connection: Connection): Promise<boolean> {
    const missed = this.#completeTo === undefined ? undefined : this.#missedFilters();
    // Live events come from the first moment on; what was missed is paged beside them.
    const live = connection.subscribe(
      missed?.map((filter) => ({ ...filter, limit: 1 })) ?? this.#filters,
    );
    const catchingUp = missed === undefined ? undefined : this.#catchUp(missed, connection);
    // Its failure is met when it is awaited below.
    catchingUp?.catch(() => live.close());
    let isWhole = false;
    void catchingUp?.then(
      () => {
        isWhole = true;
      },
      () => {},
    );
    try {
      for await (const item of live) {
        if (item.type === 'event') {
          await this.#print(item.event);
        } else if (item.type === 'eose') {
          this.#link.progress();
          if (this.#options.stopAtEose === true) return true;
          if (missed === undefined) isWhole = true;
        } else {
          await this.#onClosed(item.message);
          break;
        }
      }
      await catchingUp;
      return false;
    } finally {
      if (isWhole) this.#completeTo = this.#heardAtSeconds(connection);
    }
  }

  async #onClosed(message: string): Promise<void> {
    if (!isPassing(message) || this.#options.stopAtEose === true) {
      throw new CommandFailure(EXIT.refused, `the relay closed the subscription: ${message}`);
    }
    tell(
      this.#surroundings,
      `distrise: the relay closed the subscription: ${message}; trying again`,
    );
    await pause(PAUSE_AFTER_CLOSED_MS, undefined, { signal: this.#surroundings.signal });
  }

  #missedFilters(): Filter[] {
    const from = Math.max(0, (this.#completeTo ?? 0) - Math.ceil(this.#options.overlap));
    return this.#filters.map(({ limit: _, ...filter }) => ({
      ...filter,
      since: Math.max(filter.since ?? 0, from),
    }));
  }

  async #catchUp(filters: readonly Filter[], connection: Connection): Promise<void> {
    // Bound to this connection: the next one catches up for itself.
    const only = {
      address: this.#link.address,
      connection: async () => {
        if (connection.failure !== undefined) throw connection.failure;
        return connection;
      },
      progress: () => this.#link.progress(),
    };
    const source = new RelayPages(only, this.#surroundings.signal);
    const onIncomplete = (second: number) =>
      tell(this.#surroundings, `distrise: events of second ${second} may be missing`);
    for (const filter of filters) {
      const pager = pageNewestFirst(source, filter, { pageSize: PAGE_SIZE, onIncomplete });
      for await (const event of pager) await this.#print(event);
    }
  }

  async #print(event: NostrEvent): Promise<void> {
    if (this.#printed.add(event.id)) await this.#out.write(`${eventText(event)}\n`);
  }

  /** Calendar time of the relay's last word. */
  #heardAtSeconds(connection: Connection): number {
    const agoMs = performance.now() - connection.heardAtMs;
    return Math.floor(this.#surroundings.nowSeconds() - agoMs / 1_000);
  }
}
