import { computeId, type NostrEvent, parseEvent } from '../../functions/nostr/event.ts';
import { matches, type PlainFilter } from './slow-oracle.ts';

const FIELDS = 'content,created_at,id,kind,pubkey,sig,tags';

/**
 * What one REQ may be answered with, judged frame by frame. Each method gives the relay's fault
 * in words, or undefined.
 */
export class StrictSubscription {
  readonly filters: readonly PlainFilter[];
  readonly stored: NostrEvent[] = [];
  /** How many events came after EOSE. */
  liveCount = 0;
  state: 'querying' | 'live' | 'closed' = 'querying';
  private readonly seen = new Set<string>();

  constructor(filters: readonly PlainFilter[]) {
    this.filters = filters;
  }

  takeEvent(value: unknown): { event: NostrEvent } | { fault: string } {
    if (this.state === 'closed') return { fault: 'EVENT after CLOSED' };
    const parsed = parseEvent(value);
    if (!parsed.ok) return { fault: `EVENT with a bad event: ${parsed.reason}` };
    const fault = this.faultOf(parsed.value, value as object);
    if (fault !== undefined) return { fault };
    this.seen.add(parsed.value.id);
    if (this.state === 'querying') this.stored.push(parsed.value);
    else this.liveCount += 1;
    return { event: parsed.value };
  }

  private faultOf(event: NostrEvent, given: object): string | undefined {
    const fields = Object.keys(given).sort().join();
    if (fields !== FIELDS) return `event ${event.id} has the fields ${fields}`;
    if (computeId(event) !== event.id) return `the content of ${event.id} does not hash to its id`;
    if (this.seen.has(event.id)) return `event ${event.id} came twice in one subscription`;
    if (!this.filters.some((filter) => matches(filter, event))) {
      return `event ${event.id} matches no filter of its subscription`;
    }
    return this.state === 'querying' ? this.faultOfOrder(event) : undefined;
  }

  /** Stored events: newest first, of one second the lowest id first, no more than the limits. */
  private faultOfOrder(event: NostrEvent): string | undefined {
    const last = this.stored.at(-1);
    if (last !== undefined) {
      const later =
        event.created_at > last.created_at ||
        (event.created_at === last.created_at && event.id < last.id);
      if (later) return `stored event ${event.id} came after ${last.id}: wrong order`;
    }
    let wanted = 0;
    for (const { limit } of this.filters) wanted += limit ?? Number.POSITIVE_INFINITY;
    return this.stored.length >= wanted ? `more than ${wanted} stored events came` : undefined;
  }

  takeEose(): string | undefined {
    if (this.state !== 'querying') return `EOSE for a subscription that is ${this.state}`;
    this.state = 'live';
    return undefined;
  }

  takeClosed(): string | undefined {
    if (this.state === 'closed') return 'CLOSED twice';
    this.state = 'closed';
    return undefined;
  }
}
