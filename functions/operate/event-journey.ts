import type { DeadLetterRow } from '../database/dead-letters.ts';
import type { DeletionRequest, StoredJourney, Traces } from '../database/journey.ts';
import { agesOut, isVersioned, KIND_DELETION } from '../nostr/kinds.ts';
import type { EventLine } from './event-lines.ts';

/** All that is known of an event, from everywhere. */
export interface Known {
  readonly stored: StoredJourney | undefined;
  readonly letters: readonly DeadLetterRow[];
  readonly requests: readonly DeletionRequest[];
  /** Searched only where the event is not stored. */
  readonly traces: Traces | undefined;
  readonly lines: readonly EventLine[];
}

/** What has become of an event, in one word. */
export type State =
  | 'stored'
  | 'deleted'
  | 'superseded'
  | 'removed'
  | 'dead letter'
  | 'discarded'
  | 'refused'
  | 'ephemeral'
  | 'under way'
  | 'unknown';

/** One step of its way. */
export interface JourneyStep {
  /** Unix milliseconds. */
  readonly at: number;
  readonly step: string;
  /** Who says so: a part of the system, or `database`. */
  readonly by: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** Steps of one millisecond in the order in which they happen. */
const ORDER = [
  'received',
  'fetched',
  'accepted',
  'published',
  'answered',
  'stored',
  'delivered',
  'removed',
  'dead letter',
  'replayed',
  'discarded',
];

/** The steps of an event in the order of their times. */
export function stepsOf({ stored, letters, traces, lines }: Known): JourneyStep[] {
  const steps: JourneyStep[] = lines.map(stepOfLine);
  const add = (
    at: number | undefined,
    step: string,
    by: string,
    detail: JourneyStep['detail'],
  ): void => {
    if (at !== undefined) steps.push({ at, step, by, detail });
  };
  if (stored !== undefined) {
    const { acceptedAt, storedAt, source } = stored;
    add(acceptedAt, 'accepted', 'database', { source });
    const delayMs =
      acceptedAt !== undefined && storedAt !== undefined ? storedAt - acceptedAt : undefined;
    add(storedAt, 'stored', 'database', delayMs === undefined ? {} : { delayMs });
  }
  for (const { what, at } of traces?.changes ?? []) {
    add(at, what === 'added' ? 'stored' : 'removed', 'database', {});
  }
  for (const { messageId, buriedAt, reason, sqlstate, decision } of letters) {
    const letter = { letter: messageId };
    add(buriedAt.getTime(), 'dead letter', 'database', { ...letter, reason, sqlstate });
    if (decision === undefined) continue;
    const { action, at, by, why } = decision;
    add(at.getTime(), action, 'database', { ...letter, operator: by, ...(why && { why }) });
  }
  return steps.sort((a, b) => a.at - b.at || ORDER.indexOf(a.step) - ORDER.indexOf(b.step));
}

function stepOfLine({ at, part, severity, message, fields }: EventLine): JourneyStep {
  const { step, acceptedAt: _, ...detail } = fields;
  if (typeof step === 'string') return { at, step, by: part, detail };
  return { at, step: message, by: part, detail: { ...detail, severity } };
}

/** What has become of it. */
export function stateOf(known: Known): State {
  const { stored, letters, traces, lines } = known;
  if (stored !== undefined) return 'stored';
  const open = letters.find(({ decision }) => decision === undefined);
  if (open !== undefined) return 'dead letter';
  if (traces?.successor !== undefined) return 'superseded';
  const last = outcomes(lines).at(-1);
  if (last === 'superseded' || last === 'deleted' || last === 'ephemeral') return last;
  if (decidingRequest(known) !== undefined) return 'deleted';
  // It was added once, and is not stored.
  if ((traces?.changes.length ?? 0) > 0) return 'removed';
  if (last === 'refused' || last === 'poison') return 'refused';
  const decision = letters[0]?.decision?.action;
  if (decision === 'discarded') return 'discarded';
  return lines.length + letters.length > 0 ? 'under way' : 'unknown';
}

/**
 * The request that deleted an event, where that is sure; a stranger's deletes nothing. Its author is
 * known from a dead letter, or by the request having come in the transaction that removed the event
 * where nothing came with it that could have superseded it.
 */
export function decidingRequest(known: Known): DeletionRequest | undefined {
  const { requests, traces, letters } = known;
  const author = letters.find((letter) => letter.author !== undefined)?.author;
  if (author !== undefined) return requests.find((request) => request.author === author);
  const came = traces?.removedWith ?? [];
  const kind = kindOf(known);
  const newer = came.some(
    (other) => isVersioned(other.kind) && (kind ?? other.kind) === other.kind,
  );
  if (newer) return undefined;
  return requests.find(({ id }) =>
    came.some((other) => other.id === id && other.kind === KIND_DELETION),
  );
}

/** What can have taken an event away. */
export type Cause = 'superseded' | 'deleted by address' | 'deleted by id' | 'dropped by retention';

/**
 * What can have taken away an event that is `removed`. A version that was superseded in its turn is
 * not remembered, nor is which events a request that names an address has deleted.
 */
export function possibleCauses(known: Known): readonly Cause[] {
  const kind = kindOf(known);
  const causes: Cause[] = [];
  if (kind === undefined || isVersioned(kind)) causes.push('superseded', 'deleted by address');
  if (known.requests.length > 0) causes.push('deleted by id');
  if (kind === undefined || agesOut(kind)) causes.push('dropped by retention');
  return causes;
}

const kindOf = ({ traces, letters }: Known): number | undefined =>
  traces?.kind ?? letters.find(({ kind }) => kind !== undefined)?.kind;

/** What lines say of how it ended, in the order of their times. */
function outcomes(lines: readonly EventLine[]): string[] {
  return [...lines]
    .sort((a, b) => a.at - b.at)
    .flatMap(({ fields }) => {
      const { step, outcome, policy, accepted, topic, metric, reason } = fields;
      if (step === 'published' && topic === 'stored') return ['ephemeral'];
      if (policy === 'refused' || accepted === false) return ['refused'];
      // Store's line about all events of a message: of many, few have lines of their own.
      if (metric === 'fail_total' && (reason === 'refused' || reason === 'poison')) return [reason];
      return step === 'stored' && typeof outcome === 'string' ? [outcome] : [];
    });
}
