import type pg from 'pg';
import { plainArray } from './array.ts';
import { bucketOf, exclusiveBuckets, lockStatement } from './author-locks.ts';
import {
  type AddressLimit,
  addressName,
  type BatchEvent,
  furthest,
  isNewer,
  type NewEvent,
  prepareBatch,
  versionOf,
} from './batch.ts';
import { applyRequests, limitAddresses, type Removed } from './deletions.ts';
import { insertKept, insertRegular, type Replaced } from './inserts.ts';
import { sqlStateOf, withTransaction } from './session.ts';

export type { NewEvent, Seen } from './batch.ts';

/** What became of one event. */
export type WriteOutcome =
  | {
      readonly outcome: 'stored';
      /** Place of the addition in the changes log. */
      readonly seq: number;
      /** What left because of this event, with the places of the removals. */
      readonly removed: readonly { readonly id: string; readonly seq: number }[];
    }
  | { readonly outcome: 'duplicate' | 'superseded' | 'deleted' };

export interface WriteResult {
  /** The transaction of the changes; 0 where nothing was stored. */
  readonly transaction: number;
  /** In the order of the events given. */
  readonly outcomes: WriteOutcome[];
}

/** Deadlock and serialization failure: the same batch, tried again, goes through. */
const RETRIED: ReadonlySet<string | undefined> = new Set(['40P01', '40001']);
const ATTEMPTS_MAX = 5;

/** A deleted version came: its author's bucket is needed for this batch alone. */
class BucketsNeeded extends Error {
  readonly buckets: readonly number[];

  constructor(buckets: readonly number[]) {
    super('author buckets are needed exclusively');
    this.buckets = buckets;
  }
}

/**
 * Writes a batch in one short transaction, set-wise: NIP-01's replaceable and addressable events,
 * NIP-09's deletion. What is stored in the end depends on the set of events that were ever
 * written, not on their order, on batches, on repetition or on who writes at the same time.
 * Errors of PostgreSQL come out as they are, with their SQLSTATE in `code`; nothing is written then.
 */
export async function writeEvents(
  pool: pg.Pool,
  events: readonly NewEvent[],
): Promise<WriteResult> {
  const batch = prepareBatch(events);
  if (batch.length === 0) return { transaction: 0, outcomes: [] };
  const exclusive = exclusiveBuckets(batch);
  for (let attempt = 1; ; attempt += 1) {
    // The settings of sessions are for reading; here sets are joined with sets.
    const begin = `begin; set local enable_hashjoin = on; ${lockStatement(batch, exclusive)}`;
    try {
      const { transaction, outcomes } = await withTransaction(pool, begin, (client) =>
        writeBatch(client, batch, exclusive),
      );
      return { transaction, outcomes: inOrderGiven(events, outcomes) };
    } catch (error) {
      if (error instanceof BucketsNeeded) for (const bucket of error.buckets) exclusive.add(bucket);
      else if (!RETRIED.has(sqlStateOf(error)) || attempt >= ATTEMPTS_MAX) throw error;
    }
  }
}

type Outcomes = Map<string, WriteOutcome>;

/** Of an event that stands twice in a batch, the second is a duplicate of the first. */
function inOrderGiven(events: readonly NewEvent[], outcomes: Outcomes): WriteOutcome[] {
  const seen = new Set<string>();
  return events.map(({ event: { id } }) => {
    const outcome = outcomes.get(id);
    if (outcome === undefined) throw new Error(`no outcome for event ${id}`);
    const again = seen.has(id);
    seen.add(id);
    return again && outcome.outcome === 'stored' ? { outcome: 'duplicate' } : outcome;
  });
}

async function writeBatch(
  client: pg.ClientBase,
  batch: readonly BatchEvent[],
  exclusive: ReadonlySet<number>,
): Promise<{ transaction: number; outcomes: Outcomes }> {
  const outcomes: Outcomes = new Map();
  const removed: Removed[] = await applyRequests(client, batch);
  const { blocked, limits } = await readTombstones(client, batch);
  const ended = batch.filter((each) => each.versioned && blocked.has(each));
  if (ended.length > 0) {
    const needed = ended.map(({ author }) => bucketOf(author));
    if (needed.some((bucket) => !exclusive.has(bucket))) throw new BucketsNeeded(needed);
    const named = ended.map((each) => ({ ...versionOf(each), by: each.event.id }));
    removed.push(...(await limitAddresses(client, named)));
    for (const limit of furthest([...limits.values(), ...named])) {
      limits.set(addressName(limit), limit);
    }
  }
  const regular: BatchEvent[] = [];
  const kept = new Map<string, BatchEvent>();
  for (const each of batch) {
    const at = each.versioned ? versionOf(each) : undefined;
    const limit = at && limits.get(addressName(at));
    if (blocked.has(each) || (at && limit && !isNewer(at, limit))) {
      outcomes.set(each.event.id, { outcome: 'deleted' });
    } else if (each.d === undefined) {
      regular.push(each);
    } else {
      const name = addressName({ author: each.author, kind: each.event.kind, d: each.d });
      const rival = kept.get(name);
      const loses = rival !== undefined && !isNewer(versionOf(each), versionOf(rival));
      if (!loses) kept.set(name, each);
      const loser = loses ? each : rival;
      if (loser !== undefined) outcomes.set(loser.event.id, { outcome: 'superseded' });
    }
  }
  const added = await insertRegular(client, regular);
  const { stored, replaced, refused } = await insertKept(client, [...kept.values()]);
  for (const { event, key } of regular) {
    if (!added.has(key)) outcomes.set(event.id, { outcome: 'duplicate' });
  }
  for (const [id, outcome] of refused) outcomes.set(id, { outcome });
  const news = [...regular.filter(({ key }) => added.has(key)), ...stored];
  const transaction = await recordChanges(client, news, [...removed, ...replaced], outcomes);
  return { transaction, outcomes };
}

/** Which events of the batch are deleted by id, and which limits stand at their addresses. */
async function readTombstones(
  client: pg.ClientBase,
  batch: readonly BatchEvent[],
): Promise<{ blocked: Set<BatchEvent>; limits: Map<string, AddressLimit> }> {
  // Kinds 5 and 62 cannot be deleted.
  const checked = batch.filter(({ d, versioned }) => d === undefined || versioned);
  const blocked = new Set<BatchEvent>();
  const limits = new Map<string, AddressLimit>();
  if (checked.length === 0) return { blocked, limits };
  const { rows } = await client.query<{
    n: string;
    by_id: boolean;
    created_at: string | null;
    key: string | null;
  }>({
    name: 'read-tombstones',
    text: `select n, i.key is not null as by_id, a.created_at, a.key
      from unnest($1::uuid[], $2::uuid[], $3::int[], $4::uuid[])
        with ordinality as given(key, author, kind, d, n)
      left join deleted_ids i on i.key = given.key and i.author = given.author
      left join deleted_addresses a
        on a.author = given.author and a.kind = given.kind and a.d = given.d
      where i.key is not null or a.key is not null`,
    values: [
      plainArray(checked.map(({ key }) => key)),
      plainArray(checked.map(({ author }) => author)),
      plainArray(checked.map(({ event }) => event.kind)),
      plainArray(checked.map(({ d }) => d ?? 'null')),
    ],
  });
  for (const row of rows) {
    const each = checked[Number(row.n) - 1];
    if (each === undefined) throw new Error(`row ${row.n} of ${checked.length}`);
    if (row.by_id) blocked.add(each);
    if (row.created_at === null || row.key === null) continue;
    const at = versionOf(each);
    const limit = { createdAt: Number(row.created_at), key: row.key.replaceAll('-', '') };
    limits.set(addressName(at), { ...at, ...limit });
  }
  return { blocked, limits };
}

/**
 * Appends to the changes log. Must be the transaction's last statement: it has all its row locks
 * now, so of two transactions that change the same event the later one has the higher numbers.
 */
async function recordChanges(
  client: pg.ClientBase,
  news: readonly BatchEvent[],
  removed: readonly (Removed | Replaced)[],
  outcomes: Outcomes,
): Promise<number> {
  if (news.length + removed.length === 0) return 0;
  const { rows } = await client.query<{
    seq: string;
    transaction: string;
    what: string;
    id: string;
  }>({
    name: 'record-changes',
    text: `insert into changes (what, id, created_at, kind)
      select what, id, created_at, kind
      from unnest($1::"char"[], $2::text[], $3::bigint[], $4::int[])
        with ordinality as given(what, id, created_at, kind, n)
      order by n
      returning seq, transaction, what, id`,
    values: [
      plainArray([...removed.map(() => 'r'), ...news.map(() => 'a')]),
      plainArray([...removed.map(({ id }) => id), ...news.map(({ event }) => event.id)]),
      plainArray([...removed.map(() => 'null'), ...news.map(({ event }) => event.created_at)]),
      plainArray([...removed.map(() => 'null'), ...news.map(({ event }) => event.kind)]),
    ],
  });
  const seqs = new Map(rows.map(({ what, id, seq }) => [what + id, Number(seq)]));
  const seqOf = (what: string, id: string): number => seqs.get(what + id) ?? 0;
  const leaving = new Map<string, { id: string; seq: number }[]>();
  for (const { id, by } of removed) {
    const list = leaving.get(by) ?? [];
    list.push({ id, seq: seqOf('r', id) });
    leaving.set(by, list);
  }
  for (const { event } of news) {
    const seq = seqOf('a', event.id);
    outcomes.set(event.id, { outcome: 'stored', seq, removed: leaving.get(event.id) ?? [] });
  }
  return Number(rows[0]?.transaction ?? 0);
}
