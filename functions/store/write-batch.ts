import type { NewEvent, WriteOutcome } from '../database/write.ts';
import { type DatabaseFault, databaseFault } from './database-fault.ts';

/** Writes events in one transaction: all or none. Throws what the database said. */
export type Write = (
  events: readonly NewEvent[],
) => Promise<{ readonly transaction: number; readonly outcomes: readonly WriteOutcome[] }>;

/** What became of one event of a batch. */
export type Written<E> =
  | { readonly event: E; readonly transaction: number; readonly result: WriteOutcome }
  | { readonly event: E; readonly fault: DatabaseFault };

/**
 * Writes a batch. When the database refuses it for what it holds, it is written by halves until
 * the guilty event stands alone (for one of 500 that takes 18 transactions more); its neighbours
 * are stored. When the database does not answer, all that is not written yet shares that fault,
 * and nothing more is tried. Never rejects; the results are in the order given.
 */
export async function writeBatch<E extends NewEvent>(
  events: readonly E[],
  write: Write,
): Promise<readonly Written<E>[]> {
  if (events.length === 0) return [];
  let fault: DatabaseFault;
  try {
    const { transaction, outcomes } = await write(events);
    return events.map((event, index) => {
      const result = outcomes[index];
      if (result === undefined) throw new Error('the database gave no outcome for an event');
      return { event, transaction, result };
    });
  } catch (error) {
    fault = databaseFault(error);
  }
  if (fault.blame === 'database' || events.length === 1) {
    return events.map((event) => ({ event, fault }));
  }
  const middle = Math.ceil(events.length / 2);
  const first = await writeBatch(events.slice(0, middle), write);
  const rest = events.slice(middle);
  const last = first.at(-1);
  // Once the database fails, the last one tried has that fault.
  if (last !== undefined && 'fault' in last && last.fault.blame === 'database') {
    return [...first, ...rest.map((event) => ({ event, fault: last.fault }))];
  }
  return [...first, ...(await writeBatch(rest, write))];
}
