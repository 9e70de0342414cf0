import type pg from 'pg';
import { idOfText } from '../nostr/event.ts';
import { inTurn } from './alone.ts';
import { plainArray } from './array.ts';
import { deleteEventTags, tagRowsOf } from './deletions.ts';
import { rewrite } from './rewrite.ts';
import type { Partition } from './rewrite-plan.ts';

/**
 * As few events as these are deleted one by one, however small the partition: that takes a second
 * or two.
 */
export const DELETED_EVENTS_MAX = 10_000;
/**
 * So is less than this share of a partition, which is what comes again after its kind has left. To
 * write 20 events anew to be rid of one costs more than the dead row, and would go on as long as
 * somebody sends old events; a first time of retention takes a larger share than this.
 */
const REWRITTEN_SHARE_MIN = 0.05;
/** Events that one transaction deletes: well within every statement's time. */
const DELETED_A_STEP = 1_000;

/**
 * Takes some kinds out of a partition: what stays is written to new tables that take its place, so
 * that nothing is deleted row by row and no dead rows are left behind. Where they are only a small
 * part of it, just they are deleted.
 * @returns false where there is more to do than could be done before the signal; call again.
 */
export async function dropKinds(
  pool: pg.Pool,
  partition: Partition,
  kinds: readonly number[],
  signal?: AbortSignal,
): Promise<boolean> {
  if (await areMany(pool, partition, kinds)) {
    return rewrite(pool, { target: partition, sources: [partition.name], kinds }, signal);
  }
  while (signal?.aborted !== true) {
    if ((await deleteSome(pool, partition, kinds)) < DELETED_A_STEP) return true;
  }
  return false;
}

async function areMany(
  pool: pg.Pool,
  { name }: Partition,
  kinds: readonly number[],
): Promise<boolean> {
  const { rows } = await pool.query<{ many: boolean }>(
    `with bound as (
      select greatest($2::bigint, (reltuples * $3::real)::bigint) as most
      from pg_class where oid = 'events_${name}'::regclass
    )
    select count(*) > min(most) as many
    from (select from events_${name} where kind = any($1::int[]) limit (select most + 1 from bound)) as found
    cross join bound`,
    [kinds, DELETED_EVENTS_MAX, REWRITTEN_SHARE_MIN],
  );
  return rows[0]?.many === true;
}

/** Each deletion is in the changes log by its id, so that a rewrite under way learns of it, too. */
async function deleteSome(
  pool: pg.Pool,
  { name }: Partition,
  kinds: readonly number[],
): Promise<number> {
  return inTurn(pool, async (client) => {
    // What a writer is just deleting is not waited for: he could wait for us.
    const { rows } = await client.query<{ text: string }>(
      `with few as materialized (
        select created_at, key from events_${name} where kind = any($1::int[])
        limit ${DELETED_A_STEP} for update skip locked
      )
      delete from events_${name} e using few
      where e.created_at = few.created_at and e.key = few.key
      returning e.text`,
      [kinds],
    );
    const texts = rows.map(({ text }) => text);
    await deleteEventTags(client, tagRowsOf(texts));
    await client.query(`insert into changes (what, id) select 'r', unnest($1::text[])`, [
      plainArray(texts.map(idOfText)),
    ]);
    return texts.length;
  });
}
