import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { to as copyTo } from 'pg-copy-streams';
import { eventText, type NostrEvent } from '../../../functions/nostr/event.ts';
import { sampleEvents } from '../../support/corpus.ts';
import { type TestDatabase, usePostgres } from '../../support/postgres.ts';
import { runClient } from '../../support/run-client.ts';
import { signedEvent } from '../../support/signed-events.ts';
import { startSmallRelay } from '../../support/small-relay.ts';

/** What other relays export, made from their own schemas, by the commands of the README. */

const readme = readFileSync(join(import.meta.dirname, '../../../README.md'), 'utf8');
const [, chapter = ''] = /^## Move from another relay\n([\s\S]*?)^## /m.exec(readme) ?? [];

/** The command of the chapter that begins so. */
function commandOf(begin: string): string {
  const found = chapter.split('\n').find((line) => line.startsWith(begin));
  if (found === undefined) throw new Error(`the README has no command that begins with ${begin}`);
  return found;
}

/** The statement inside a command. */
const statementIn = (command: string): string => /"((?:COPY|SELECT) .*)"/.exec(command)?.[1] ?? '';

const has = (tool: string): boolean => spawnSync(tool, ['--version']).status === 0;

const events: readonly NostrEvent[] = [
  // jsonb takes no U+0000, so nostream never had one.
  ...sampleEvents().filter((event) => !JSON.stringify(event).includes('\\u0000')),
  signedEvent({
    content: 'a\\n "line"\n\r\n\t, \u2028, \u007f, \\x02 and ü',
    tags: [['t', '\\', '"']],
  }),
  signedEvent({ content: '', tags: [] }),
];
const hidden = signedEvent({ content: 'deleted at the old relay' });
const expected = events.map(eventText).toSorted();
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'distrise-moving-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Imports a file and gives the texts of what the relay was sent, sorted. */
async function imported(content: string | Buffer): Promise<string[]> {
  const relay = await startSmallRelay([]);
  try {
    const path = join(folder, 'events.jsonl');
    await writeFile(path, content);
    const run = await runClient(['import', '--json', '--relay', relay.url, path], {
      env: { XDG_STATE_HOME: join(folder, 'state') },
    });
    expect([run.code, run.json()]).toEqual([0, [expect.objectContaining({ bad: 0, refused: {} })]]);
    const sent = relay.said('EVENT').map(([, event]) => eventText(event as NostrEvent));
    return [...new Set(sent)].toSorted();
  } finally {
    await relay.close();
  }
}

/** Runs a command of the README in the folder, with a shell; gives the file that it writes. */
function typed(command: string, env: Readonly<Record<string, string>> = {}): string {
  execFileSync('bash', ['-euc', command], { cwd: folder, env: { ...process.env, ...env } });
  return readFileSync(join(folder, 'events.jsonl'), 'utf8');
}

describe('an export of strfry', () => {
  /** It writes events anew, with their fields in the order of the alphabet. */
  const line = (event: NostrEvent): string =>
    JSON.stringify(Object.fromEntries(Object.entries(event).toSorted()));
  const fried = (event: NostrEvent): string =>
    `${line(event).slice(0, -1)},"fried":"${event.id}${event.pubkey}"}`;
  const file = (lines: readonly string[]) => lines.map((each) => `${each}\n`).join('');

  it.each([
    ['as it comes', file(events.map(line))],
    ['in reverse', file(events.toReversed().map(line))],
    ['fried', file(events.map(fried))],
    ['packed by gzip', gzipSync(file(events.map(line)))],
    ['packed by Zstandard', zstdCompressSync(file(events.map(line)))],
    ['twice in one file', file([...events, ...events].map(line))],
    ['after an editor of Windows', `\uFEFF${file(events.map(line)).replaceAll('\n', '\r\n')}`],
    ['without its last line end', file(events.map(line)).trimEnd()],
  ])('is imported whole %s', async (_, content) => {
    expect(await imported(content)).toEqual(expected);
  });
});

describe('from PostgreSQL', () => {
  const server = usePostgres();

  async function databaseOf(schema: string): Promise<TestDatabase> {
    const database = await server.createDatabase();
    await database.pool.query(schema);
    return database;
  }

  /** What the statement gives by itself, as psql would write it. */
  async function copied({ pool }: TestDatabase, statement: string): Promise<string> {
    const client = await pool.connect();
    try {
      return await text(client.query(copyTo(statement)));
    } finally {
      client.release();
    }
  }

  /** By its migrations up to 2026-08; what the export does not read is left out. */
  const NOSTREAM = `
    CREATE TABLE events (
      id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      event_id bytea NOT NULL UNIQUE,
      event_pubkey bytea NOT NULL,
      event_kind integer NOT NULL,
      event_created_at integer NOT NULL,
      event_content text NOT NULL,
      event_tags jsonb,
      event_signature bytea NOT NULL,
      first_seen timestamp DEFAULT now(),
      deleted_at timestamp,
      event_deduplication jsonb,
      remote_address inet,
      expires_at integer
    )`;
  async function nostream(): Promise<TestDatabase> {
    const database = await databaseOf(NOSTREAM);
    for (const event of [...events, hidden]) {
      const { id, pubkey, kind, created_at, content, tags, sig } = event;
      await database.pool.query(
        `INSERT INTO events (event_id, event_pubkey, event_kind, event_created_at, event_content,
           event_tags, event_signature, deleted_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
        [
          ...[bytes(id), bytes(pubkey), kind, created_at, content],
          // Its importer leaves null where there are no tags.
          tags.length === 0 ? null : JSON.stringify(tags),
          bytes(sig),
          event === hidden ? new Date(0) : null,
        ],
      );
    }
    return database;
  }

  /** By migrations 1 to 5; the tables of tags and accounts are left out. */
  const NOSTR_RS = `
    CREATE TABLE "event" (
      id bytea NOT NULL PRIMARY KEY,
      pub_key bytea NOT NULL,
      created_at timestamp with time zone NOT NULL,
      kind integer NOT NULL,
      "content" bytea NOT NULL,
      hidden bit(1) NOT NULL DEFAULT 0::bit(1),
      delegated_by bytea NULL,
      first_seen timestamp with time zone NOT NULL DEFAULT now(),
      expires_at timestamp with time zone
    )`;
  async function nostrRs(): Promise<TestDatabase> {
    const database = await databaseOf(NOSTR_RS);
    for (const event of [...events, hidden]) {
      const { id, pubkey, kind, created_at } = event;
      await database.pool.query(
        `INSERT INTO event (id, pub_key, created_at, kind, content, hidden)
         VALUES ($1, $2, to_timestamp($3), $4, $5, $6::int::bit(1))`,
        [
          ...[bytes(id), bytes(pubkey), created_at, kind, Buffer.from(eventText(event))],
          event === hidden ? 1 : 0,
        ],
      );
    }
    return database;
  }

  describe.each([
    ['nostream', 'psql "$NOSTREAM"', nostream],
    ['nostr-rs-relay', 'psql "$NOSTR_RS"', nostrRs],
  ])('the table of %s', (_, begin, filled) => {
    let database: TestDatabase;
    beforeAll(async () => {
      database = await filled();
    }, 60_000);

    it("is imported whole by the README's statement, but for what was deleted", async () => {
      const content = await copied(database, statementIn(commandOf(begin)));
      expect(content.split('\n')).toHaveLength(events.length + 1);
      expect(await imported(content)).toEqual(expected);
    });

    it('is imported whole where COPY has written each backslash twice', async () => {
      const [, inner = ''] = /^COPY (\(.*\)) TO/.exec(statementIn(commandOf(begin))) ?? [];
      const content = await copied(database, `COPY ${inner} TO STDOUT`);
      expect(content).toContain('\\\\n');
      expect(await imported(content)).toEqual(expected);
    });

    (has('psql') ? it : it.skip)("is imported whole by the README's command", async () => {
      const content = typed(commandOf(begin), { NOSTREAM: database.url, NOSTR_RS: database.url });
      expect(await imported(content)).toEqual(expected);
    });
  });
});

describe('an export of nostream', () => {
  it.each([
    ['lines', events.map((event) => `${JSON.stringify(event)}\n`).join('')],
    ['an array', `[\n${events.map((event) => JSON.stringify(event)).join(',\n')}\n]\n`],
  ])('as %s is imported whole', async (_, content) => {
    expect(await imported(content)).toEqual(expected);
  });
});

describe('the SQLite database of nostr-rs-relay', () => {
  /** Version 18 of its schema; the tables of tags and accounts are left out. */
  const SCHEMA = `
    PRAGMA application_id = 1654008667;
    PRAGMA user_version = 18;
    CREATE TABLE event (
      id INTEGER PRIMARY KEY,
      event_hash BLOB NOT NULL,
      first_seen INTEGER NOT NULL,
      created_at INTEGER NOT NULL,
      expires_at INTEGER,
      author BLOB NOT NULL,
      delegated_by BLOB,
      kind INTEGER NOT NULL,
      hidden INTEGER,
      content TEXT NOT NULL
    );
    CREATE UNIQUE INDEX event_hash_index ON event(event_hash);`;
  const command = commandOf('sqlite3');

  beforeAll(() => {
    const database = new DatabaseSync(join(folder, 'nostr.db'));
    database.exec(SCHEMA);
    const insert = database.prepare(
      `INSERT INTO event (event_hash, first_seen, created_at, author, kind, hidden, content)
       VALUES (?, 0, ?, ?, ?, ?, ?)`,
    );
    for (const event of [...events, hidden]) {
      const { id, created_at, pubkey, kind } = event;
      const flag = event === hidden ? 1 : 0;
      insert.run(bytes(id), created_at, bytes(pubkey), kind, flag, eventText(event));
    }
    database.close();
  });

  it("is imported whole by the README's statement, but for what was deleted", async () => {
    const database = new DatabaseSync(join(folder, 'nostr.db'), { readOnly: true });
    const rows = database.prepare(statementIn(command)).all();
    database.close();
    expect(await imported(rows.map(({ content }) => `${content}\n`).join(''))).toEqual(expected);
  });

  (has('sqlite3') ? it : it.skip)("is imported whole by the README's command", async () => {
    expect(await imported(typed(command))).toEqual(expected);
  });

  it('given as it is says what to do', async () => {
    const path = join(folder, 'nostr.db');
    const { code, stderr } = await runClient(['import', '--relay', 'ws://127.0.0.1:9', path]);
    expect(code).toBe(4);
    expect(stderr).toContain('"Move from another relay" in README.md');
  });
});
