import { sqlStateOf } from './session.ts';

/** A migration that failed: in which file, why, what has become of the database, what to do. */
export class MigrationFailure extends Error {
  override readonly name = 'MigrationFailure';
  /** SQLSTATE of what PostgreSQL said; absent where it said nothing. */
  readonly code?: string;

  /** @param file which did not get through; undefined where none did not, or nobody can say. */
  constructor(file: string | undefined, cause: unknown) {
    const code = sqlStateOf(cause);
    const said = cause instanceof Error ? cause.message : String(cause);
    const what = file === undefined ? 'migrations and grants' : `migration ${file}`;
    super(`${what}: ${said} (${code ?? 'no SQLSTATE'}). ${STATE} ${adviceOn(code)}`, { cause });
    if (code !== undefined) this.code = code;
  }
}

const STATE =
  'Nothing of it has happened, the files before it stay, and the version that runs serves on.';

/** By SQLSTATE, or its class. */
const ADVICE: readonly (readonly [string, string])[] = [
  [
    '55P03',
    'Somebody holds a lock on what it changes (pg_stat_activity and pg_locks say who): wait for the end of that, or end it (pg_terminate_backend); then deploy again.',
  ],
  ['42501', 'The job has to run as the user that owns the tables, upkeep; then deploy again.'],
  ['53', 'The database lacks room, memory or connections: give it more; then deploy again.'],
  [
    '57014',
    "It took longer than DATABASE_STATEMENT_TIMEOUT_MS, or somebody ended it: give it longer (infra/environment.tf), or make the file's steps smaller; then deploy again.",
  ],
  ['57', 'The database was stopped or gave up the statement: deploy again when it answers.'],
  [
    '23',
    'Rows that are there do not fit: look for them, mend them or the file; then deploy again.',
  ],
];

const adviceOn = (code = ''): string =>
  ADVICE.find(([state]) => code.startsWith(state))?.[1] ??
  'Mend what the message names, in the file or in the database; then deploy again.';
