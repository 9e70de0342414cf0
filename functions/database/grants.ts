import pg from 'pg';
import { takeTurn } from './alone.ts';

/** Database users by what they do; the owner of the tables needs no grant. */
export interface Access {
  /** Those that read everything and only say that they live: relay instances. */
  readonly readers: readonly string[];
  /** Those that write events and sources as well. */
  readonly writers: readonly string[];
}

/**
 * Gives others than the owner what they need on the tables that are there and on those that the
 * current user makes later, such as partitions. Nobody else may make, change or drop a table. Part
 * of each migration, under its lock: two at once would change the same rows of the catalogue. Upkeep
 * waits as well, so that no table that is granted on goes meanwhile. Doing it again changes nothing.
 */
export async function grantAccess(client: pg.ClientBase, access: Access): Promise<void> {
  await client.query('begin');
  await takeTurn(client);
  for (const reader of access.readers.map(pg.escapeIdentifier)) {
    await client.query(`
      grant usage on schema public to ${reader};
      grant select on all tables in schema public to ${reader};
      alter default privileges in schema public grant select on tables to ${reader};
      grant insert, update, delete on relay_instances to ${reader}`);
  }
  for (const writer of access.writers.map(pg.escapeIdentifier)) {
    await client.query(`
      grant usage on schema public to ${writer};
      grant select, insert, update, delete on all tables in schema public to ${writer};
      grant usage, select on all sequences in schema public to ${writer};
      alter default privileges in schema public
        grant select, insert, update, delete on tables to ${writer};
      alter default privileges in schema public grant usage, select on sequences to ${writer}`);
  }
  await client.query('commit');
}
