/** Why a write failed, by SQLSTATE (PostgreSQL manual, appendix A), never by the message's words. */
export interface DatabaseFault {
  /**
   * - `event`: one of the events is to blame; the others can be written without it.
   * - `suspect`: perhaps one of them is. The others are tried without it, but it is not condemned:
   *   it is delivered again, and in the end Pub/Sub itself puts it among the dead letters.
   * - `database`: no event can cause this; a later delivery may find it mended.
   */
  readonly blame: 'event' | 'suspect' | 'database';
  /** Five characters, or empty where the fault did not come from the server. */
  readonly sqlstate: string;
}

/**
 * Classes that only a value can cause: cardinality, data exception, integrity constraint,
 * with-check, program limit (an index row that is too large), PL/pgSQL. Class 42 (a missing
 * table, column or right) and 0A000 (a plan that a migration made stale) are not among them:
 * statements are fixed and values travel apart, so a schema that lags behind a deployment must not
 * condemn every event.
 */
const EVENT_CLASSES: ReadonlySet<string> = new Set(['21', '22', '23', '44', '54', 'P0']);

/** An error inside PostgreSQL that it has no name for; some value may have led there. */
const INTERNAL_ERROR = 'XX000';
/** A check that fails; without a constraint's name it means that no partition takes the row. */
const CHECK_VIOLATION = '23514';

/** It holds a digit, which tells it from Node's EPIPE. */
const SQLSTATE = /^(?=.*[0-9])[0-9A-Z]{5}$/;

/** Judges what a write threw. */
export function databaseFault(error: unknown): DatabaseFault {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : '';
  if (typeof code === 'string' && SQLSTATE.test(code)) {
    const hole = code === CHECK_VIOLATION && !nameOfConstraint(error);
    if (hole || code === INTERNAL_ERROR) return { blame: 'suspect', sqlstate: code };
    return { blame: EVENT_CLASSES.has(code.slice(0, 2)) ? 'event' : 'database', sqlstate: code };
  }
  // Our own code fell over something: a value, or a connection in a state it did not expect.
  const ours = error instanceof TypeError || error instanceof RangeError;
  return { blame: ours ? 'suspect' : 'database', sqlstate: '' };
}

const nameOfConstraint = (error: unknown): unknown =>
  typeof error === 'object' && error !== null && 'constraint' in error
    ? error.constraint
    : undefined;
