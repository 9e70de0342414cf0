import type pg from 'pg';
import { nameServer, spareOf } from './cancel.ts';
import type { LogPosition } from './changes.ts';
import { type QueryOptions, queryEvents, type StoredEvent } from './read.ts';
import { markHarmless } from './session.ts';

/** The replica has not come to the position that was asked for. */
export class ReplicaBehind extends Error {}

export interface ReplicaAnswer {
  readonly events: readonly StoredEvent[];
  /** Every transaction below it had been replayed when the query began. */
  readonly position: LogPosition;
}

/** A position that is known of a connection is asked for again after this long. */
const FRESH_MS = 1_000;
/** And after this long where it was too low. */
const AGAIN_MS = 250;

interface Seen {
  readonly position: LogPosition;
  readonly atMs: number;
}

/**
 * By connection: each of them stays at one server, and no server goes back, while two connections
 * to a read pool may be with two servers that lag differently.
 */
const seen = new WeakMap<pg.PoolClient, Seen>();

/**
 * `queryEvents` on a replica that has come to `least` at least.
 * @throws ReplicaBehind where it has not, and what `queryEvents` throws.
 */
export async function queryReplica(
  pool: pg.Pool,
  filter: Parameters<typeof queryEvents>[1],
  { least, ...options }: QueryOptions & { readonly least: LogPosition },
): Promise<ReplicaAnswer> {
  let position = Number.POSITIVE_INFINITY;
  const events = await queryEvents(pool, filter, {
    ...options,
    prepare: async (client) => {
      // The first of several statements, since later ones see no less.
      if (position < Number.POSITIVE_INFINITY) return;
      position = await positionOf(client, least, performance.now());
    },
  });
  return { events, position };
}

/**
 * Resolves where the server answers, however busy the pool is: beside it where it has no free
 * place. Else through it, since it is the pool that renews a certificate that went stale.
 */
export async function askReplica(pool: pg.Pool): Promise<void> {
  const isFull = pool.idleCount === 0 && pool.totalCount >= pool.options.max;
  await (isFull ? spareOf(pool) : pool).query('select pg_snapshot_xmin(pg_current_snapshot())');
}

/** True where as much waits for a connection of the pool as there are: more would wait twice. */
export const isBusy = (pool: pg.Pool): boolean => pool.waitingCount >= pool.options.max;

async function positionOf(
  client: pg.PoolClient,
  least: LogPosition,
  nowMs: number,
): Promise<LogPosition> {
  const known = seen.get(client);
  const age = known === undefined ? Number.POSITIVE_INFINITY : nowMs - known.atMs;
  if (known !== undefined && known.position >= least && age < FRESH_MS) return known.position;
  if (age < AGAIN_MS) throw behind();
  // Below xmin a standby has replayed the end of every transaction. Of the list of those in
  // progress, by which more could be told, it knows nothing.
  const { rows } = await client.query<{ xmin: string; server: string }>({
    name: 'replica-position',
    text: `select pg_snapshot_xmin(pg_current_snapshot()) as xmin,
      pg_postmaster_start_time()::text as server`,
  });
  const { xmin, server } = rows[0]!;
  nameServer(client, server);
  const position = Number(xmin);
  seen.set(client, { position, atMs: nowMs });
  if (position < least) throw behind();
  return position;
}

function behind(): ReplicaBehind {
  const error = new ReplicaBehind('the replica is behind');
  // The connection is as good as before.
  markHarmless(error);
  return error;
}
