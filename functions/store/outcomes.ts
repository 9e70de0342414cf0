import type { LogLevel } from '../cloud/log.ts';

/** What can become of an event, or of a whole message, in store. */
export type StoreOutcome =
  | 'stored'
  | 'duplicate'
  | 'superseded'
  | 'deleted'
  | 'refused'
  | 'poison'
  | 'unreadable'
  | 'unavailable'
  | 'unpublished';

/** Why an event or a message failed. */
type FailReason = Exclude<StoreOutcome, 'stored' | 'duplicate' | 'superseded' | 'deleted'>;

/** What follows from an outcome. */
export interface Consequence {
  readonly severity: LogLevel;
  /** The metric that counts it, and the label `reason` of `fail_total`. */
  readonly metric:
    | { readonly name: 'success_total'; readonly reason?: undefined }
    | { readonly name: 'fail_total'; readonly reason: FailReason };
  /** False: Pub/Sub shall deliver the message again. */
  readonly acknowledge: boolean;
}

const success = { name: 'success_total' } as const;
const failure = (reason: FailReason) => ({ name: 'fail_total', reason }) as const;

/** The one place that says what each outcome leads to. */
export const OUTCOMES: Readonly<Record<StoreOutcome, Consequence>> = {
  stored: { severity: 'debug', metric: success, acknowledge: true },
  duplicate: { severity: 'debug', metric: success, acknowledge: true },
  superseded: { severity: 'debug', metric: success, acknowledge: true },
  deleted: { severity: 'debug', metric: success, acknowledge: true },
  // Can never become valid, so sending it again would only slow the others; or is larger than is
  // allowed now, which lies in the dead-letter topic.
  refused: { severity: 'warning', metric: failure('refused'), acknowledge: true },
  // The database refuses this one event: it lies in the dead-letter topic with its SQLSTATE.
  poison: { severity: 'error', metric: failure('poison'), acknowledge: true },
  // A message that no event can be read from: it lies in the dead-letter topic.
  unreadable: { severity: 'error', metric: failure('unreadable'), acknowledge: true },
  // The database does not answer, or not as this version expects it.
  unavailable: { severity: 'error', metric: failure('unavailable'), acknowledge: false },
  // Written, but Pub/Sub did not take the news: the next delivery finds duplicates and tells.
  unpublished: { severity: 'error', metric: failure('unpublished'), acknowledge: false },
};
