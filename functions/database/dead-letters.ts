import type pg from 'pg';
import { decodeLines } from '../cloud/envelope.ts';
import { isHex64 } from '../nostr/event.ts';

/** A message that can never be stored, as it came. */
export interface BuriedMessage {
  readonly messageId: string;
  readonly reason: string;
  /** Where the database refused an event: its SQLSTATE. */
  readonly sqlstate: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
  readonly data: Buffer;
}

/** Keeps messages for people to look at; one that is there already stays as it is. */
export async function buryMessages(
  pool: pg.Pool,
  messages: readonly BuriedMessage[],
): Promise<void> {
  for (const message of messages) {
    const { messageId, reason, sqlstate, attributes, data } = message;
    const { id, kind, author } = eventIn(message);
    await pool.query({
      name: 'bury-message',
      text: `
        insert into dead_letters
          (message_id, reason, sqlstate, attributes, data, event_id, kind, author)
        values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing`,
      values: [
        messageId,
        // PostgreSQL has no text with this character; somebody may have put it into an attribute.
        withoutNull(reason),
        sqlstate === undefined ? null : withoutNull(sqlstate),
        withoutNull(JSON.stringify(attributes)),
        data,
        id ?? null,
        kind ?? null,
        author ?? null,
      ],
    });
  }
}

const withoutNull = (text: string): string => text.replaceAll('\0', '').replaceAll('\\u0000', '');

interface EventNames {
  readonly id?: string;
  readonly kind?: number;
  readonly author?: string;
}

/** What a message claims to be an event, where it holds a single one. */
function eventIn({ data, attributes }: Pick<BuriedMessage, 'data' | 'attributes'>): EventNames {
  const lines = decodeLines(data, attributes['format']) ?? [];
  const [line] = lines;
  if (lines.length !== 1 || line === undefined || 'fault' in line) return {};
  if (typeof line.event !== 'object' || line.event === null) return {};
  const { id, kind, pubkey } = line.event as Record<string, unknown>;
  const isKind = Number.isInteger(kind) && (kind as number) >= 0 && (kind as number) <= 65_535;
  return {
    ...(isHex64(id) && { id }),
    ...(isKind && { kind: kind as number }),
    ...(isHex64(pubkey) && { author: pubkey }),
  };
}

/** Which dead letters are meant. What is not given does not matter. */
export interface LetterFilter {
  /** The id of its message, or of its event. */
  readonly id?: string;
  /** A part of the reason. */
  readonly reason?: string;
  readonly sqlstate?: string;
  /** Buried at this time or later: Unix seconds. */
  readonly since?: number;
  readonly kind?: number;
  readonly author?: string;
  /** Also those that were decided about. */
  readonly decided?: boolean;
}

/** What an operator decided about a letter. */
export interface Decision {
  readonly action: 'replayed' | 'discarded';
  readonly at: Date;
  readonly by: string;
  readonly why: string;
}

/** A dead letter without its data. */
export interface DeadLetterRow {
  readonly messageId: string;
  readonly buriedAt: Date;
  readonly reason: string;
  readonly sqlstate: string | undefined;
  readonly eventId: string | undefined;
  readonly kind: number | undefined;
  readonly author: string | undefined;
  readonly bytes: number;
  readonly decision: Decision | undefined;
}

/** Placeholders for the values of a filter; `$1` to `$6`. */
const WHERE = `
  ($1::text is null or l.message_id = $1 or l.event_id = $1)
  and ($2::text is null or position(lower($2) in lower(l.reason)) > 0)
  and ($3::text is null or l.sqlstate = $3)
  and ($4::double precision is null or l.buried_at >= to_timestamp($4))
  and ($5::integer is null or l.kind = $5)
  and ($6::text is null or l.author = $6)`;

const valuesOf = ({ id, reason, sqlstate, since, kind, author }: LetterFilter): unknown[] =>
  [id, reason, sqlstate, since, kind, author].map((value) => value ?? null);

const open = ({ decided }: LetterFilter): string => (decided ? '' : 'and l.decision is null');

interface Row {
  readonly message_id: string;
  readonly buried_at: Date;
  readonly reason: string;
  readonly sqlstate: string | null;
  readonly event_id: string | null;
  readonly kind: number | null;
  readonly author: string | null;
  readonly bytes: string;
  readonly action: Decision['action'] | null;
  readonly decided_at: Date;
  readonly by_whom: string;
  readonly why: string;
}

const COLUMNS = `l.message_id, l.buried_at, l.reason, l.sqlstate, l.event_id, l.kind, l.author,
  octet_length(l.data) as bytes, d.action, d.decided_at, d.by_whom, d.why`;
const FROM = 'from dead_letters l left join dead_letter_decisions d on d.id = l.decision';

/** The newest dead letters that are meant. */
export async function listLetters(
  pool: pg.Pool,
  filter: LetterFilter,
  limit: number,
): Promise<DeadLetterRow[]> {
  const { rows } = await pool.query<Row>(
    `select ${COLUMNS} ${FROM} where ${WHERE} ${open(filter)}
      order by l.buried_at desc, l.message_id limit $7`,
    [...valuesOf(filter), limit],
  );
  return rows.map(letterOf);
}

function letterOf(row: Row): DeadLetterRow {
  return {
    messageId: row.message_id,
    buriedAt: row.buried_at,
    reason: row.reason,
    sqlstate: row.sqlstate ?? undefined,
    eventId: row.event_id ?? undefined,
    kind: row.kind ?? undefined,
    author: row.author ?? undefined,
    bytes: Number(row.bytes),
    decision:
      row.action === null
        ? undefined
        : { action: row.action, at: row.decided_at, by: row.by_whom, why: row.why },
  };
}

/** How many letters died of one thing. */
export interface ReasonCount {
  readonly reason: string;
  readonly sqlstate: string | undefined;
  readonly letters: number;
  readonly first: Date;
  readonly last: Date;
}

const REASONS_MAX = 50;

/** How many letters are meant, of however many reasons. */
export async function countLetters(pool: pg.Pool, filter: LetterFilter): Promise<number> {
  const { rows } = await pool.query<{ letters: string }>(
    `select count(*) as letters from dead_letters l where ${WHERE} ${open(filter)}`,
    valuesOf(filter),
  );
  return Number(rows[0]?.letters);
}

/** What they died of: the most frequent reasons, which may not be all, so their sum is no total. */
export async function countReasons(pool: pg.Pool, filter: LetterFilter): Promise<ReasonCount[]> {
  const { rows } = await pool.query<{
    reason: string;
    sqlstate: string | null;
    letters: string;
    first: Date;
    last: Date;
  }>(
    `select l.reason, l.sqlstate, count(*) as letters,
        min(l.buried_at) as first, max(l.buried_at) as last
      ${FROM} where ${WHERE} ${open(filter)}
      group by l.reason, l.sqlstate order by letters desc, last desc limit ${REASONS_MAX}`,
    valuesOf(filter),
  );
  return rows.map(({ sqlstate, letters, ...rest }) => ({
    ...rest,
    sqlstate: sqlstate ?? undefined,
    letters: Number(letters),
  }));
}

/** A dead letter whole. */
export interface DeadLetterWhole extends DeadLetterRow {
  readonly attributes: Readonly<Record<string, string>>;
  /** Empty where it was discarded. */
  readonly data: Buffer;
}

/** The letters of one message or event, newest first, whole. */
export async function readLetters(pool: pg.Pool, id: string): Promise<DeadLetterWhole[]> {
  const { rows } = await pool.query<Row & Pick<DeadLetterWhole, 'attributes' | 'data'>>(
    `select ${COLUMNS}, l.attributes, l.data ${FROM} where l.message_id = $1 or l.event_id = $1
      order by l.buried_at desc limit 20`,
    [id],
  );
  return rows.map((row) => ({ ...letterOf(row), attributes: row.attributes, data: row.data }));
}

/** Who decides, and why. */
export interface Deciding {
  readonly by: string;
  readonly why: string;
}

/** Letters are taken in steps of so many, so that no step holds much in memory. */
const STEP = 50;

/** What store and Pub/Sub noted on the letter; in a message they would make it a dead one again. */
const NOTES = /^(reason|sqlstate|CloudPubSubDeadLetter.*)$/;

/**
 * Puts letters back on their way. Each is marked only when Pub/Sub has its copy: what is interrupted
 * is done twice rather than lost.
 * @param publish into `incoming`; resolves when Pub/Sub has it.
 * @returns how many; what `publish` throws comes out when the ones before it are marked.
 */
export async function replayLetters(
  pool: pg.Pool,
  filter: LetterFilter,
  limit: number,
  deciding: Deciding,
  publish: (data: Buffer, attributes: Readonly<Record<string, string>>) => Promise<unknown>,
): Promise<number> {
  const ids = await chooseLetters(pool, filter, limit);
  if (ids.length === 0) return 0;
  const decision = await noteDecision(pool, 'replayed', filter, deciding);
  let replayed = 0;
  for (let from = 0; from < ids.length; from += STEP) {
    const { rows } = await pool.query<{ id: string; attributes: object; data: Buffer }>(
      `select message_id as id, attributes, data from dead_letters
        where message_id = any($1) and decision is null`,
      [ids.slice(from, from + STEP)],
    );
    const tried = await Promise.allSettled(
      rows.map(({ attributes, data }) => publish(data, withoutNotes(attributes))),
    );
    const done = rows.filter((_, n) => tried[n]?.status === 'fulfilled').map(({ id }) => id);
    replayed += await mark(pool, done, decision, false);
    const failed = tried.find((each) => each.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
  return replayed;
}

function withoutNotes(attributes: object): Record<string, string> {
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => !NOTES.test(name)));
}

/** Gives letters up: what they held is erased, that they were there stays. @returns how many. */
export async function discardLetters(
  pool: pg.Pool,
  filter: LetterFilter,
  limit: number,
  deciding: Deciding,
): Promise<number> {
  const ids = await chooseLetters(pool, filter, limit);
  if (ids.length === 0) return 0;
  return mark(pool, ids, await noteDecision(pool, 'discarded', filter, deciding), true);
}

/** The oldest first, since they wait longest. */
async function chooseLetters(
  pool: pg.Pool,
  filter: LetterFilter,
  limit: number,
): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>(
    `select l.message_id as id from dead_letters l where ${WHERE} and l.decision is null
      order by l.buried_at, l.message_id limit $7`,
    [...valuesOf(filter), limit],
  );
  return rows.map(({ id }) => id);
}

async function noteDecision(
  pool: pg.Pool,
  action: Decision['action'],
  filter: LetterFilter,
  { by, why }: Deciding,
): Promise<number> {
  const { rows } = await pool.query<{ id: number }>(
    `insert into dead_letter_decisions (action, by_whom, why, filter)
      values ($1, $2, $3, $4) returning id`,
    [action, by, why, JSON.stringify(filter)],
  );
  return rows[0]?.id ?? 0;
}

async function mark(
  pool: pg.Pool,
  ids: readonly string[],
  decision: number,
  erase: boolean,
): Promise<number> {
  const { rows } = await pool.query<{ letters: string }>(
    `with marked as (
        update dead_letters set decision = $2${erase ? ", data = ''" : ''}
        where message_id = any($1) and decision is null returning 1
      ), counted as (
        update dead_letter_decisions set letters = letters + (select count(*) from marked)
        where id = $2
      )
      select count(*) as letters from marked`,
    [ids, decision],
  );
  return Number(rows[0]?.letters);
}

/** Deletes letters that were decided about so long ago; the decisions stay. @returns how many. */
export async function forgetLetters(pool: pg.Pool, afterDays: number): Promise<number> {
  const { rowCount } = await pool.query(
    `delete from dead_letters l using dead_letter_decisions d
      where d.id = l.decision and d.decided_at < now() - make_interval(days => $1)`,
    [afterDays],
  );
  return rowCount ?? 0;
}
