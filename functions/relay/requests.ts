import { type Filter, type FilterLimits, parseFilter } from '../nostr/filter.ts';
import { closedMessage, eoseMessage, eventMessage } from '../nostr/messages.ts';
import { accept, type Result, refuse } from '../nostr/result.ts';
import type { Asker, Engine, Subscriber, SubscriptionHandle } from './engine-types.ts';
import type { Outbox } from './outbox.ts';

/** What one connection may ask. */
export interface RequestLimits {
  readonly subscriptionsMax: number;
  readonly filtersMax: number;
  /** Ids, authors and tag values of all filters of one REQ. */
  readonly valuesMax: number;
  /** Stored events that answer a filter which names no limit, and one that names a large one. */
  readonly limitDefault: number;
  readonly limitMax: number;
  readonly filter: FilterLimits;
}

/** The subscriptions of one connection, by the ids that the client gave them (NIP-01, REQ). */
export class Requests {
  readonly #engine: Engine;
  readonly #outbox: Outbox;
  readonly #limits: () => RequestLimits;
  readonly #asker: Asker;
  readonly #running = new Map<string, Running>();

  /** @param limits those that hold at the moment: what is open already stays. */
  constructor(engine: Engine, outbox: Outbox, limits: () => RequestLimits, asker: Asker) {
    this.#engine = engine;
    this.#outbox = outbox;
    this.#limits = limits;
    this.#asker = asker;
  }

  get count(): number {
    return this.#running.size;
  }

  /** True when every open subscription has had its EOSE. */
  get settled(): boolean {
    return [...this.#running.values()].every(({ live }) => live);
  }

  /** Opens a subscription, in place of one that has the same id, or refuses it with CLOSED. */
  open(id: string, given: readonly unknown[]): void {
    this.close(id);
    const limits = this.#limits();
    if (this.#running.size >= limits.subscriptionsMax) {
      const open = `${limits.subscriptionsMax} subscriptions are open on this connection`;
      this.refuse(id, `blocked: ${open}, no more are allowed; CLOSE one first`);
      return;
    }
    const filters = parseFilters(given, limits);
    if (!filters.ok) {
      this.refuse(id, filters.reason);
      return;
    }
    const running = new Running(id, this.#outbox, this.#asker, (ended) => {
      if (this.#running.get(id) === ended) this.#running.delete(id);
    });
    this.#running.set(id, running);
    running.follow(this.#engine.subscribe(filters.value, running));
  }

  /** Ends a subscription without a word; an id that names none is no fault. */
  close(id: string): void {
    const running = this.#running.get(id);
    this.#running.delete(id);
    running?.end();
  }

  /** Says CLOSED. A subscription of this id ends, since its client will take it for ended. */
  refuse(id: string, message: string): void {
    this.close(id);
    this.#outbox.send(closedMessage(id, message));
  }

  /** Ends all: with a word to the client, or without. */
  closeAll(message?: string): void {
    for (const id of [...this.#running.keys()]) {
      if (message === undefined) this.close(id);
      else this.refuse(id, message);
    }
  }
}

/** One subscription: what the engine says of it becomes messages. */
class Running implements Subscriber {
  readonly asker: Asker;
  readonly #id: string;
  readonly #outbox: Outbox;
  readonly #ended: (running: Running) => void;
  /** What stands before an event's text in a message of this subscription. */
  readonly #prefix: string;
  #handle: SubscriptionHandle | undefined;
  #over = false;
  #live = false;

  constructor(id: string, outbox: Outbox, asker: Asker, ended: (running: Running) => void) {
    this.asker = asker;
    this.#id = id;
    this.#outbox = outbox;
    this.#ended = ended;
    this.#prefix = eventMessage(id, '').slice(0, -1);
  }

  /** After EOSE. */
  get live(): boolean {
    return this.#live;
  }

  follow(handle: SubscriptionHandle): void {
    this.#handle = handle;
    if (this.#over) handle.close();
  }

  end(): void {
    this.#over = true;
    this.#handle?.close();
  }

  event(text: string): void {
    if (this.#over) return;
    const message = `${this.#prefix}${text}]`;
    if (this.#live) this.#outbox.send(message);
    else if (!this.#outbox.sendStored(message)) {
      this.end();
      this.closed('error: more stored events wait for this client than may; ask for fewer');
    }
  }

  eose(): void {
    if (this.#over) return;
    this.#live = true;
    this.#outbox.send(eoseMessage(this.#id));
  }

  closed(message: string): void {
    this.#over = true;
    this.#ended(this);
    this.#outbox.send(closedMessage(this.#id, message));
  }
}

/** All filters of a REQ, or why they are refused; they are counted before any is looked at. */
function parseFilters(given: readonly unknown[], limits: RequestLimits): Result<readonly Filter[]> {
  if (given.length > limits.filtersMax) {
    return refuse(`invalid: REQ has ${given.length} filters, ${limits.filtersMax} are allowed`);
  }
  const filters: Filter[] = [];
  let values = 0;
  for (const one of given) {
    const filter = parseFilter(one, limits.filter);
    if (!filter.ok) return filter;
    filters.push(withLimit(filter.value, limits));
    values += countValues(filter.value);
  }
  if (values > limits.valuesMax) {
    return refuse(
      `invalid: REQ has ${values} ids, authors and tag values, ${limits.valuesMax} are allowed`,
    );
  }
  return accept(filters);
}

/** The engine has a ceiling of its own; what holds now may be less. */
const withLimit = (filter: Filter, { limitDefault, limitMax }: RequestLimits): Filter => ({
  ...filter,
  limit: Math.min(filter.limit ?? limitDefault, limitMax),
});

/** Ids, authors and tag values of a filter: each costs a look at an index. */
export function countValues({ ids, authors, tags }: Filter): number {
  let count = (ids?.length ?? 0) + (authors?.length ?? 0);
  for (const wanted of tags?.values() ?? []) count += wanted.length;
  return count;
}
