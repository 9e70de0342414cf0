import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { SubscriptionDefinition, TopicDefinition } from './definition.ts';
import type { Message } from './message.ts';

/** A message of a backlog as it comes from disk. */
export interface StoredMessage {
  readonly message: Message;
  readonly attempts: number;
}

/**
 * One row is one message in one subscription's backlog: a message for two subscriptions stands
 * twice. That keeps acknowledging a single deletion, and the durable topics have one subscription.
 */
const SCHEMA = `
  create table if not exists topics (name text primary key, definition text not null) strict;
  create table if not exists subscriptions (
    number integer primary key autoincrement, name text not null unique, definition text not null
  ) strict;
  create table if not exists backlog (
    row integer primary key, subscription integer not null, id integer not null,
    attempts integer not null, ordering_key text not null, attributes text not null,
    data blob not null
  ) strict;
  create unique index if not exists backlog_order on backlog (subscription, id);
`;

/** The write-ahead log goes back into the main file after about 64 MB, not every 4 MB. */
const PAGE_BYTES = 8_192;
const CHECKPOINT_PAGES = 8_192;

/** SQLite's code for a lock that another process holds. */
const SQLITE_BUSY = 5;

interface Row {
  readonly id: number;
  readonly attempts: number;
  readonly ordering_key: string;
  readonly attributes: string;
  readonly data: Uint8Array;
}

/**
 * Backlogs and definitions in one SQLite file. With `durable` a commit is on disk when it
 * returns; without, the file is a place for what does not fit into memory, and nothing more.
 * Synchronous: callers keep their transactions short.
 */
export class Storage {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(file: string, { durable }: { durable: boolean }) {
    this.#database = new DatabaseSync(file);
    try {
      // The exclusive lock goes with the process, however it dies, and keeps a second one out.
      this.#database.exec(`
        pragma page_size = ${PAGE_BYTES};
        pragma locking_mode = exclusive;
        pragma journal_mode = ${durable ? 'wal' : 'memory'};
        pragma synchronous = ${durable ? 'full' : 'off'};
        pragma wal_autocheckpoint = ${CHECKPOINT_PAGES};
        pragma journal_size_limit = ${CHECKPOINT_PAGES * PAGE_BYTES};
        begin exclusive;
        ${SCHEMA}
        commit;
      `);
    } catch (error) {
      this.#database.close();
      if ((error as { errcode?: unknown }).errcode === SQLITE_BUSY) {
        throw new Error(`another Pub/Sub server is at work on ${file}`, { cause: error });
      }
      throw error;
    }
  }

  get isOpen(): boolean {
    return this.#database.isOpen;
  }

  close(): void {
    this.#database.close();
  }

  /** Runs the work as one transaction: all of it is committed, or nothing and the error thrown. */
  transaction(work: () => void): void {
    this.#database.exec('begin immediate');
    try {
      work();
      this.#database.exec('commit');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('rollback');
      throw error;
    }
  }

  append(subscription: number, message: Message, attempts = 0): void {
    this.#prepare(
      `insert into backlog (subscription, id, attempts, ordering_key, attributes, data)
       values (?, ?, ?, ?, ?, ?)`,
    ).run(
      subscription,
      message.id,
      attempts,
      message.orderingKey,
      JSON.stringify(message.attributes),
      message.data,
    );
  }

  remove(subscription: number, id: number): void {
    this.#prepare('delete from backlog where subscription = ? and id = ?').run(subscription, id);
  }

  setAttempts(subscription: number, id: number, attempts: number): void {
    this.#prepare('update backlog set attempts = ? where subscription = ? and id = ?').run(
      attempts,
      subscription,
      id,
    );
  }

  /** The next messages after `afterId`, up to the bounds but at least one; `more` if some stay. */
  load(
    subscription: number,
    afterId: number,
    bounds: { readonly messagesMax: number; readonly bytesMax: number },
  ): { readonly messages: StoredMessage[]; readonly more: boolean } {
    const messages: StoredMessage[] = [];
    let bytes = 0;
    const rows = this.#prepare(
      `select id, attempts, ordering_key, attributes, data from backlog
       where subscription = ? and id > ? order by id`,
    ).iterate(subscription, afterId);
    for (const row of rows as unknown as Iterable<Row>) {
      if (messages.length >= bounds.messagesMax || bytes >= bounds.bytesMax) {
        return { messages, more: true };
      }
      const stored = parseRow(row);
      bytes += stored.message.bytes;
      messages.push(stored);
    }
    return { messages, more: false };
  }

  read(subscription: number, id: number): Message | undefined {
    const row = this.#prepare(
      `select id, attempts, ordering_key, attributes, data from backlog
       where subscription = ? and id = ?`,
    ).get(subscription, id) as unknown as Row | undefined;
    return row === undefined ? undefined : parseRow(row).message;
  }

  /** Removes up to `rowsMax` messages below the id; tells how many went. */
  removeBelow(subscription: number, id: number, rowsMax: number): number {
    const { changes } = this.#prepare(
      `delete from backlog where row in
       (select row from backlog where subscription = ? and id < ? order by id limit ?)`,
    ).run(subscription, id, rowsMax);
    return Number(changes);
  }

  /** The highest id of any message that is still here; 0 if none. */
  lastId(): number {
    const row = this.#prepare('select coalesce(max(id), 0) as last from backlog').get();
    return Number(row?.['last']);
  }

  topics(): TopicDefinition[] {
    return this.#prepare('select definition from topics')
      .all()
      .map((row) => JSON.parse(String(row['definition'])) as TopicDefinition);
  }

  saveTopic(definition: TopicDefinition): void {
    this.#prepare(
      `insert into topics (name, definition) values (?, ?)
       on conflict (name) do update set definition = excluded.definition`,
    ).run(definition.name, JSON.stringify(definition));
  }

  removeTopic(name: string): void {
    this.#prepare('delete from topics where name = ?').run(name);
  }

  subscriptions(): { number: number; definition: SubscriptionDefinition }[] {
    return this.#prepare('select number, definition from subscriptions')
      .all()
      .map((row) => ({
        number: Number(row['number']),
        definition: JSON.parse(String(row['definition'])) as SubscriptionDefinition,
      }));
  }

  /** Stores a new subscription; gives the number for its backlog, never used before. */
  addSubscription(definition: SubscriptionDefinition): number {
    const { lastInsertRowid } = this.#prepare(
      'insert into subscriptions (name, definition) values (?, ?)',
    ).run(definition.name, JSON.stringify(definition));
    return Number(lastInsertRowid);
  }

  updateSubscription(definition: SubscriptionDefinition): void {
    this.#prepare('update subscriptions set definition = ? where name = ?').run(
      JSON.stringify(definition),
      definition.name,
    );
  }

  removeSubscription(name: string): void {
    this.#prepare('delete from subscriptions where name = ?').run(name);
  }

  /** Numbers of backlogs whose subscription is gone: a deletion that a crash cut short. */
  orphanedBacklogs(): number[] {
    return this.#prepare(
      `select distinct subscription from backlog
       where subscription not in (select number from subscriptions)`,
    )
      .all()
      .map((row) => Number(row['subscription']));
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

function parseRow(row: Row): StoredMessage {
  const attributes = JSON.parse(row.attributes) as Record<string, string>;
  const data = Buffer.from(row.data.buffer, row.data.byteOffset, row.data.byteLength);
  let bytes = data.length + Buffer.byteLength(row.ordering_key);
  for (const [key, value] of Object.entries(attributes)) {
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  const message = { id: row.id, data, attributes, orderingKey: row.ordering_key, bytes };
  return { message, attempts: row.attempts };
}
