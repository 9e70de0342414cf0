import type { Metrics, Recorder } from '../cloud/metrics/registry.ts';
import { eventText, type NostrEvent, parseEvent } from '../nostr/event.ts';
import { isDeletable } from '../nostr/kinds.ts';
import { type Fault, faultOfEvent } from '../nostr/messages.ts';
import { accept, type Result, refuse } from '../nostr/result.ts';
import type { Verifier } from '../nostr/verify.ts';
import type { WritePolicy } from '../policy/write-policy.ts';
import type { Rates } from './rates.ts';
import type { Terms } from './terms.ts';

/** An event that may be published, with its text. */
export interface Admitted {
  readonly event: NostrEvent;
  readonly text: string;
}

/** What the checks stand on. */
export interface AdmissionParts {
  readonly policy: WritePolicy;
  readonly verifier: Verifier;
  /** Absent where rates are not limited. */
  readonly rates: Rates | undefined;
  readonly terms: Terms;
  readonly nowMs: () => number;
  /** Milliseconds of a clock that never steps back. */
  readonly monotonicMs: () => number;
  readonly metrics: Metrics;
}

/**
 * Decides whether an event from a client goes on to the engine. The checks come in the order of
 * their cost, so that what is refused costs little: the signature takes longer than all others.
 */
export class Admission {
  readonly #parts: AdmissionParts;
  readonly #verifying: Recorder;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
    this.#verifying = parts.metrics.distribution('verify_duration', {});
  }

  /** @param given the event as JSON.parse gave it. @param address whose allowance is used. */
  admit(given: unknown, address: string): Result<Admitted, Fault> {
    const { policy, rates, terms, nowMs } = this.#parts;
    const hasty = rates?.event(address);
    if (hasty !== undefined) return refuse(faultOfEvent(given, hasty));
    const shaped = parseEvent(given);
    if (!shaped.ok) return refuse(faultOfEvent(given, `invalid: ${shaped.reason}`));
    const event = shaped.value;
    const { closedToEvents } = terms.now;
    // Authors are owed the deletion of what was taken from them.
    if (closedToEvents !== undefined && isDeletable(event.kind)) {
      return refuse(faultOfEvent(event, closedToEvents));
    }
    const text = eventText(event);
    const allowed = policy(event, {
      nowSeconds: Math.floor(nowMs() / 1_000),
      bytes: Buffer.byteLength(text),
    });
    if (!allowed.ok) return refuse(faultOfEvent(event, allowed.reason));
    if (!this.#verify(event)) {
      return refuse(faultOfEvent(event, 'invalid: id or signature is wrong'));
    }
    const busy = rates?.signed(event);
    if (busy !== undefined) return refuse(faultOfEvent(event, busy));
    return accept({ event, text });
  }

  #verify(event: NostrEvent): boolean {
    const { verifier, monotonicMs } = this.#parts;
    const beganMs = monotonicMs();
    const genuine = verifier.verify(event);
    this.#verifying.record((monotonicMs() - beganMs) * 1_000);
    return genuine;
  }
}
