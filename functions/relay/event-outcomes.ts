/** What can become of an EVENT at the relay. */
export type EventOutcome =
  | 'accepted'
  | 'duplicate'
  | 'superseded'
  | 'deleted'
  | 'invalid'
  | 'rate-limited'
  | 'restricted'
  | 'pow'
  | 'blocked'
  /** The memory for waiting events is full, or the connection is about to end. */
  | 'unavailable'
  /** Pub/Sub did not take it in time. */
  | 'unpublished'
  /** A fault of ours. */
  | 'error';

/** The one place that says which answer an outcome is, and so what counts as failed. */
export const EVENT_OUTCOMES: Readonly<Record<EventOutcome, { readonly ok: boolean }>> = {
  accepted: { ok: true },
  // The client's aim is reached: the relay has this event, or a newer version of it.
  duplicate: { ok: true },
  superseded: { ok: true },
  deleted: { ok: false },
  invalid: { ok: false },
  'rate-limited': { ok: false },
  restricted: { ok: false },
  pow: { ok: false },
  blocked: { ok: false },
  unavailable: { ok: false },
  unpublished: { ok: false },
  error: { ok: false },
};

/** The outcome that a refusal's machine-readable prefix names (NIP-01). */
export function outcomeOfRefusal(message: string): EventOutcome {
  const prefix = message.slice(0, message.indexOf(':'));
  return Object.hasOwn(EVENT_OUTCOMES, prefix) ? (prefix as EventOutcome) : 'error';
}
