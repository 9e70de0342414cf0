import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { INFRA } from './read.ts';

/** Google's predefined roles; see derive-roles.ts. */
export interface Roles {
  readonly source: string;
  readonly date: string;
  /** Every role of the products that we use. */
  readonly names: readonly string[];
  /** What the roles that infra/ grants allow. */
  readonly permissions: Readonly<Record<string, readonly string[]>>;
  /** What each method of an API asks for, of those that deployer-needs.ts names. */
  readonly methods: Readonly<Record<string, readonly string[]>>;
}

export const googleRoles = (): Roles =>
  JSON.parse(readFileSync(join(import.meta.dirname, 'google-roles.json'), 'utf8')) as Roles;

/** The lines of a list in infra/deploy/. */
export const linesOf = (file: string): string[] =>
  readFileSync(join(INFRA, 'deploy', file), 'utf8')
    .trimEnd()
    .split('\n');

/** The roles that bootstrap makes, with their permissions. */
export const customRoles = (): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(
    linesOf('custom-roles.txt').map((line) => {
      const [id = '', permissions = ''] = line.split(' ');
      return [id, permissions.split(',')];
    }),
  );
