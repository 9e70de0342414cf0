import type pg from 'pg';
import type { NostrEvent } from '../nostr/event.ts';
import { eventKey, tagKey } from './keys.ts';
import { sqlStateOf, withSession } from './session.ts';

/** What an event's own row says of its way here. Times are Unix milliseconds. */
export interface StoredJourney {
  readonly kind: number;
  readonly author: string;
  /** Unix seconds, by its author. */
  readonly createdAt: number;
  /** `client`, or the address of the source that gave it. */
  readonly source: string;
  /** By the clock of the part that took it; undefined where a version before 0004 wrote it. */
  readonly acceptedAt: number | undefined;
  /** By the database's clock; undefined where a version before 0008 wrote it. */
  readonly storedAt: number | undefined;
}

interface Row {
  readonly text: string;
  readonly seen_from: number | null;
  readonly seen_at: string | null;
  readonly stored_at: string | null;
  readonly url: string | null;
}

const whole = (text: string | null): number | undefined =>
  text === null ? undefined : Number(text);

/** The way of an event that we hold; undefined where we do not hold it. */
export async function readStoredJourney(
  pool: pg.Pool,
  id: string,
): Promise<StoredJourney | undefined> {
  return withSession(pool, async (client) => {
    const { rows } = await client.query<Row>({
      name: 'read-journey',
      text: `select e.*, s.url
        from (
          select text, seen_from, seen_at, stored_at from events where key = $1
          union all
          select text, seen_from, seen_at, stored_at from kept where key = $1
        ) e left join sources s on s.id = e.seen_from
        where substr(e.text, 8, 64) = $2`,
      values: [eventKey(id), id],
    });
    const row = rows[0];
    if (row === undefined) return undefined;
    const { kind, pubkey, created_at } = JSON.parse(row.text) as NostrEvent;
    return {
      kind,
      author: pubkey,
      createdAt: created_at,
      source: row.seen_from === null ? 'client' : (row.url ?? `source ${row.seen_from}`),
      acceptedAt: whole(row.seen_at),
      storedAt: whole(row.stored_at),
    };
  });
}

/** A request to delete an event (NIP-09); it counts where its author is the event's. */
export interface DeletionRequest {
  readonly id: string;
  readonly author: string;
  /** Unix seconds. */
  readonly createdAt: number;
}

/** The requests that name this event by its id. */
export async function deletionRequests(pool: pg.Pool, id: string): Promise<DeletionRequest[]> {
  return withSession(pool, async (client) => {
    const { rows } = await client.query<{ text: string }>({
      name: 'read-deletion-requests',
      text: `select k.text from kept_tags t join kept k on k.key = t.key
        where t.tag = $1 and t.kind = 5 order by t.created_at limit 20`,
      values: [tagKey('e', id)],
    });
    return rows.map(({ text }) => {
      const event = JSON.parse(text) as NostrEvent;
      return { id: event.id, author: event.pubkey, createdAt: event.created_at };
    });
  });
}

/** What is known of an event that is not there any more, or never was. */
export interface Traces {
  /** What the changes log says of it, oldest first; it reaches back a day or so. */
  readonly changes: readonly { readonly what: 'added' | 'removed'; readonly at: number }[];
  /** As the changes log says at its addition. */
  readonly kind: number | undefined;
  /** What was added by the transaction that removed it: what made it leave is among these. */
  readonly removedWith: readonly { readonly id: string; readonly kind: number }[];
  /** The version that took its place, where that one is still there. */
  readonly successor: string | undefined;
  /** False where the search took too long. */
  readonly whole: boolean;
}

/** No index serves these questions, which nobody asks often. */
const SEARCH_TIMEOUT_MS = 8_000;
const QUERY_CANCELED = '57014';

/** Searches for traces of an event, within a few seconds. */
export async function searchTraces(pool: pg.Pool, id: string): Promise<Traces> {
  const changes = await search<{
    what: string;
    kind: number | null;
    transaction: string;
    at: string;
  }>(
    pool,
    `select what, kind, transaction, (extract(epoch from written_at) * 1000)::bigint as at
      from changes where id = $1 and what in ('a', 'r') order by seq`,
    id,
  );
  const removal = changes?.findLast(({ what }) => what === 'r');
  const removedWith =
    removal === undefined
      ? []
      : await search<{ id: string; kind: number }>(
          pool,
          "select id, kind from changes where transaction = $1::xid8 and what = 'a' order by seq",
          removal.transaction,
        );
  const successors = await search<{ id: string }>(
    pool,
    'select substr(text, 8, 64) as id from kept where replaced = $1 limit 1',
    id,
  );
  return {
    changes: (changes ?? []).map(({ what, at }) => ({
      what: what === 'a' ? 'added' : 'removed',
      at: Number(at),
    })),
    kind: changes?.find(({ kind }) => kind !== null)?.kind ?? undefined,
    removedWith: removedWith ?? [],
    successor: successors?.[0]?.id,
    whole: changes !== undefined && removedWith !== undefined && successors !== undefined,
  };
}

async function search<R extends pg.QueryResultRow>(
  pool: pg.Pool,
  text: string,
  value: string,
): Promise<readonly R[] | undefined> {
  const client = await pool.connect();
  try {
    await client.query(`begin read only; set local statement_timeout = ${SEARCH_TIMEOUT_MS}`);
    const { rows } = await client.query<R>(text, [value]);
    return rows;
  } catch (error) {
    if (sqlStateOf(error) === QUERY_CANCELED) return undefined;
    throw error;
  } finally {
    await client.query('rollback').catch(() => undefined);
    client.release();
  }
}
