/** How a relay keeps events of a kind (NIP-01, section "Kinds"). */
export type KindClass = 'regular' | 'replaceable' | 'ephemeral' | 'addressable';

export const KIND_MAX = 65_535;
export const KIND_DELETION = 5;
/** A repost of a note (NIP-18), and one of anything else. */
export const KIND_REPOST = 6;
export const KIND_GENERIC_REPOST = 16;
export const KIND_VANISH = 62;
/** Proves a key to one relay (NIP-42). */
export const KIND_AUTHENTICATION = 22_242;

/**
 * The class of a kind (NIP-01). Kinds that NIP-01 puts in no range are kept like regular ones,
 * since losing an event is worse than keeping one too many.
 */
export function kindClass(kind: number): KindClass {
  if (kind === 0 || kind === 3 || (kind >= 10_000 && kind < 20_000)) return 'replaceable';
  if (kind >= 20_000 && kind < 30_000) return 'ephemeral';
  if (kind >= 30_000 && kind < 40_000) return 'addressable';
  return 'regular';
}

/** True for the kinds of which only the newest version is kept. */
export function isVersioned(kind: number): boolean {
  const of = kindClass(kind);
  return of === 'replaceable' || of === 'addressable';
}

/**
 * True for the kinds that retention may take. The newest version of a replaceable event, deletion
 * requests and requests to vanish never age out by accident.
 */
export function agesOut(kind: number): boolean {
  return kindClass(kind) === 'regular' && kind !== KIND_DELETION && kind !== KIND_VANISH;
}

/** False for deletions (NIP-09) and requests to vanish (NIP-62), which no deletion can take back. */
export function isDeletable(kind: number): boolean {
  return kind !== KIND_DELETION && kind !== KIND_VANISH;
}
