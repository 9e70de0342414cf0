/**
 * A verdict on something that came from outside: the parsed value, or why it was refused.
 * Bad input is a value; only bugs and broken parts throw.
 */
export type Result<T, E = string> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: E };

export const accept = <T>(value: T): { readonly ok: true; readonly value: T } => ({
  ok: true,
  value,
});

export const refuse = <E>(reason: E): { readonly ok: false; readonly reason: E } => ({
  ok: false,
  reason,
});
