import { types } from 'node:util';

/**
 * Why a connection or something on it failed:
 * - `unreachable`: no WebSocket came to be;
 * - `lost`: the connection ended under us;
 * - `timeout`: the other side was silent for too long;
 * - `misbehaved`: it broke the protocol too often or too badly;
 * - `closed`: we closed it ourselves;
 * - `refused`: the relay answered CLOSED to a query, or NEG-ERR;
 * - `unsupported`: it does not know what it was asked for;
 * - `forbidden`: the guard does not let us talk to that address;
 * - `invalid`: it sent too many events whose id or signature is wrong.
 */
export type FailureCode =
  | 'unreachable'
  | 'lost'
  | 'timeout'
  | 'misbehaved'
  | 'closed'
  | 'refused'
  | 'unsupported'
  | 'forbidden'
  | 'invalid';

/** The one error that this room throws; its message is one clean line. */
export class UpstreamFailure extends Error {
  override readonly name = 'UpstreamFailure';
  readonly code: FailureCode;

  constructor(code: FailureCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** One line that says what a thrown thing was about; never empty. */
export function reasonOf(error: unknown): string {
  // Not by instanceof, which does not know errors of another realm.
  if (!types.isNativeError(error)) return String(error);
  const { code, errors } = error as NodeJS.ErrnoException & { errors?: unknown };
  if (Array.isArray(errors) && errors.length > 0) {
    return [...new Set(errors.map(reasonOf))].join('; ');
  }
  return error.message.split('\n', 1)[0] || code || error.name;
}
