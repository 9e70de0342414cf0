import type pg from 'pg';
import { idOfText } from '../nostr/event.ts';
import { plainArray } from './array.ts';
import { currentPosition } from './changes.ts';
import { deleteEventTags, tagRowsOf } from './deletions.ts';
import { eventKey, isKeptKind, type Key } from './keys.ts';
import { madeOf, type Running, sourcesOf } from './rewrite-plan.ts';

/** Changes that one transaction brings over while others write. */
const CHANGES_A_STEP = 5_000;

/** Time for the one statement here that may have to read a whole table. */
const SCAN_TIMEOUT_MS = 120_000;

/**
 * Makes every event that the changes log names since the last time the same in the copy as it is
 * in the sources; doing so twice does no harm. `all` is for who has a table to himself: whatever
 * its writers did is then in the log.
 * @returns where the next time begins, and whether that is now; not so where only `some` can do what
 * is left, since it takes long.
 */
export async function bringOver(
  client: pg.ClientBase,
  running: Running,
  howMany: 'some' | 'all',
): Promise<{ readonly position: number; readonly complete: boolean }> {
  const now = await currentPosition(client);
  const { from, to } = running.target;
  const bound = howMany === 'all' ? '' : `and transaction < '${now}'`;
  const most = howMany === 'all' ? '' : `fetch first ${CHANGES_A_STEP} rows with ties`;
  const { rows } = await client.query<ChangeRow>(
    `select transaction, what, left(id, 32) as key, kind from changes
      where transaction >= $1::text::xid8 ${bound}
        and (what = 'r' or what = 'a' and created_at >= $2 and created_at < $3)
      order by transaction ${most}`,
    [String(running.position), Math.max(0, from), to],
  );
  let short = true;
  if (rows.length > 0) {
    // Of the others the copy has seen no tag.
    const { copiedBefore = Infinity, kinds } = running;
    const added = rows.filter(
      ({ what, kind, transaction }) =>
        what === 'a' &&
        // Those that are kept elsewhere never were in the copied tables.
        !isKeptKind(Number(kind)) &&
        !kinds.includes(Number(kind)) &&
        Number(transaction) < copiedBefore,
    );
    short = await renew(client, running, keysOf(rows), keysOf(added));
  }
  if (!short && howMany === 'all') return { position: running.position, complete: false };
  const last = rows.at(-1)?.transaction;
  const complete = howMany === 'all' || last === undefined || rows.length < CHANGES_A_STEP;
  return { position: complete ? now : Number(last) + 1, complete };
}

interface ChangeRow {
  readonly transaction: string;
  readonly what: 'a' | 'r';
  readonly key: Key;
  readonly kind: number | null;
}

interface TextRow {
  readonly text: string;
}

const keysOf = (rows: readonly ChangeRow[]): Set<Key> => new Set(rows.map(({ key }) => key));

/** @returns false where something is left that takes long. */
async function renew(
  client: pg.ClientBase,
  running: Running,
  keys: ReadonlySet<Key>,
  added: ReadonlySet<Key>,
): Promise<boolean> {
  const made = madeOf('events', running);
  const values = [plainArray(keys)];
  const gone = `kind = any('${plainArray(running.kinds)}'::int[])`;
  const texts = new Set<string>();
  const current: string[] = [];
  const copied = await client.query<TextRow>(
    `delete from ${made} where key = any($1::uuid[]) returning text`,
    values,
  );
  for (const { text } of copied.rows) texts.add(text);
  for (const source of sourcesOf('events', running)) {
    const { rows } = await client.query<TextRow>(
      `insert into ${made} select * from ${source} where key = any($1::uuid[]) and not ${gone}
        on conflict do nothing returning text`,
      values,
    );
    for (const { text } of rows) {
      current.push(text);
      texts.add(text);
    }
  }
  if (running.phase !== 'events' && running.tables.includes('event_tags')) {
    await renewTags(client, madeOf('event_tags', running), texts, current);
    const known = new Set([...texts].map((text) => eventKey(idOfText(text))));
    const unknown = [...added].filter((key) => !known.has(key));
    return unknown.length === 0 || deleteUnknown(client, running, unknown);
  }
  // The tags are exchanged already; those of late events that go with their kind are among them.
  for (const source of sourcesOf('events', running)) {
    const { rows } = await client.query<TextRow>(
      `select text from ${source} where key = any($1::uuid[]) and ${gone}`,
      values,
    );
    await deleteEventTags(client, tagRowsOf(rows.map(({ text }) => text)));
  }
  return true;
}

/**
 * What came and went while the copy was made: its tags may have been copied, and nothing says any
 * more which they were. Rare enough to look at all tags for it, but not while everybody waits.
 */
async function deleteUnknown(
  client: pg.ClientBase,
  running: Running,
  keys: readonly Key[],
): Promise<boolean> {
  if (running.phase !== 'follow') return false;
  await client.query(`set local statement_timeout = ${SCAN_TIMEOUT_MS}`);
  const query = {
    text: `delete from ${madeOf('event_tags', running)} where key = any($1::uuid[])`,
    values: [plainArray(keys)],
    query_timeout: SCAN_TIMEOUT_MS,
  };
  await client.query(query);
  return true;
}

/** @param texts of all events that were copied or are in the sources now. */
async function renewTags(
  client: pg.ClientBase,
  made: string,
  texts: ReadonlySet<string>,
  current: readonly string[],
): Promise<void> {
  await deleteEventTags(client, tagRowsOf([...texts]), made);
  const { tags, times, keys, kinds } = tagRowsOf(current);
  if (tags.length === 0) return;
  await client.query(
    `insert into ${made} (tag, created_at, key, kind)
      select * from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::int[])`,
    [plainArray(tags), plainArray(times), plainArray(keys), plainArray(kinds)],
  );
}
