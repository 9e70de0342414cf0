/** A difference between the schemas that does the previous version no harm, and why. */
export interface Allowed {
  /** As `breaking` says it. */
  readonly finding: string;
  readonly why: string;
  /** Where something is gone: the commit that stopped using it, part of the previous version. */
  readonly unusedSince?: string;
}

/**
 * What the migrations since the previous version may take away or change. An entry leaves when the
 * previous version is raised past its migration.
 */
export const ALLOWED: readonly Allowed[] = [];
