import type { IncomingMeta } from '../cloud/envelope.ts';
import type { Journey } from '../cloud/journey.ts';
import { traceOfEvent } from '../cloud/trace.ts';
import { eventText, type NostrEvent } from '../nostr/event.ts';
import { kindClass } from '../nostr/kinds.ts';
import type { WritePolicy } from '../policy/write-policy.ts';
import { BATCH_BYTES_MAX } from './limits.ts';
import type { FetchMeter } from './meter.ts';

/** What delivery reaches of the world. */
export interface DeliveryPorts {
  /** Of these events, the ids of those that need not be stored any more. */
  known(events: readonly NostrEvent[]): Promise<ReadonlySet<string>>;
  /** Puts a line into `incoming`; resolves with the id of its message, rejects without one. */
  publish(line: { readonly meta: object; readonly text: string }): Promise<string>;
  readonly journey: Journey;
  readonly policy: WritePolicy;
  readonly nowMs: () => number;
  readonly meter: FetchMeter;
}

/** The events that our own rules on writing take; ephemeral ones are not fetched. */
export function takenOf(
  events: readonly NostrEvent[],
  { policy, nowMs }: Pick<DeliveryPorts, 'policy' | 'nowMs'>,
): readonly NostrEvent[] {
  const nowSeconds = Math.floor(nowMs() / 1_000);
  return events.filter(
    (event) =>
      kindClass(event.kind) !== 'ephemeral' &&
      policy(event, { nowSeconds, bytes: Buffer.byteLength(eventText(event)) }).ok,
  );
}

/** How many events came, and what became of them. */
export interface DeliveryCounts {
  events: number;
  /** New to us, and in `incoming` now. */
  fresh: number;
  /** Not wanted by our own rules on writing. */
  unwanted: number;
}

/**
 * Brings the events of one source into `incoming`, with their source in the meta. Known ones are
 * left out, so that a second look at a range costs Pub/Sub nothing.
 */
export class Delivery {
  readonly counts: DeliveryCounts = { events: 0, fresh: 0, unwanted: 0 };
  readonly #ports: DeliveryPorts;
  readonly #source: { readonly id: number; readonly url: string };
  readonly #run: string;

  /** @param run names this run of the source in the log. */
  constructor(
    ports: DeliveryPorts,
    source: { readonly id: number; readonly url: string },
    run: string,
  ) {
    this.#ports = ports;
    this.#source = source;
    this.#run = run;
  }

  /**
   * Resolves when Pub/Sub has every one of these events that is wanted and new.
   * @throws where Pub/Sub or the database does not answer: then nothing counts as covered.
   */
  async deliver(events: readonly NostrEvent[]): Promise<void> {
    const { meter } = this.#ports;
    this.counts.events += events.length;
    const taken = takenOf(events, this.#ports);
    const unwanted = events.length - taken.length;
    this.counts.unwanted += unwanted;
    const there = await this.#ports.known(taken);
    const fresh = taken
      .filter(({ id }) => !there.has(id))
      .map((event) => ({ event, text: eventText(event) }));
    meter.delivered({ fresh: 0, known: taken.length - fresh.length, unwanted });
    for (const lot of lotsOf(fresh)) {
      await Promise.all(lot.map((each) => this.#publish(each)));
      this.counts.fresh += lot.length;
      meter.delivered({ fresh: lot.length, known: 0, unwanted: 0 });
    }
  }

  async #publish({ event, text }: { readonly event: NostrEvent; readonly text: string }) {
    const { publish, journey } = this.#ports;
    const meta = this.#meta(event);
    const messageId = await publish({ meta, text });
    if (!journey.follows(event.id)) return;
    const { acceptedAt, source } = meta;
    journey.step('fetched', event.id, { messageId, acceptedAt, source, run: this.#run });
  }

  #meta(event: NostrEvent): IncomingMeta {
    return {
      acceptedAt: this.#ports.nowMs(),
      trace: traceOfEvent(event.id),
      source: this.#source.url,
      sourceId: this.#source.id,
      keys: [],
    };
  }
}

/** Lots that the publisher, which all pieces of an instance share, has room for. */
function* lotsOf<T extends { readonly text: string }>(lines: readonly T[]): Generator<T[]> {
  let lot: T[] = [];
  let bytes = 0;
  for (const line of lines) {
    lot.push(line);
    bytes += line.text.length;
    if (bytes < BATCH_BYTES_MAX) continue;
    yield lot;
    lot = [];
    bytes = 0;
  }
  if (lot.length > 0) yield lot;
}
