import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Google's predefined roles; see derive-roles.ts. */
export interface Roles {
  readonly source: string;
  readonly date: string;
  /** Every role of the products that we use. */
  readonly names: readonly string[];
  /** What the roles that infra/ grants allow. */
  readonly permissions: Readonly<Record<string, readonly string[]>>;
}

export const googleRoles = (): Roles =>
  JSON.parse(readFileSync(join(import.meta.dirname, 'google-roles.json'), 'utf8')) as Roles;
