import { PassThrough } from 'node:stream';
import pg from 'pg';
import type { NostrEvent } from '../../functions/nostr/event.ts';
import { runOperator } from '../../functions/operate/program.ts';
import type { System } from './system.ts';
import { until } from './until.ts';

/** A running system's fetcher, with the clock turned on by hand. */
export interface Fetching {
  readonly pool: pg.Pool;
  /** Adds sources by their addresses, for everything or for one filter. */
  add(urls: readonly string[], filter?: Readonly<Record<string, unknown>>): Promise<void>;
  /** Calls the fetcher as the scheduler does, with every active source due now. */
  visit(): Promise<void>;
  /** Visits until every source's ranges are whole up to `since`, and what came is stored. */
  fetchAll(options?: { timeoutMs?: number }): Promise<void>;
  /** Ids of all stored events. */
  storedIds(): Promise<Set<string>>;
  /** Removes these events behind everybody's back, as a fault would. */
  lose(ids: readonly string[]): Promise<void>;
  /** Ends the leases of pieces of work that nobody does any more; gives how many there were. */
  forgetLeases(): Promise<number>;
  /** Measures a source's coverage now, by the operators' command. */
  measure(url: string): Promise<void>;
  /** The series of a source's coverage, newest first, by the operators' command. */
  coverage(url: string): Promise<readonly { theirs: number; held: number; method: string }[]>;
  /** Sums over all sources. */
  counts(): Promise<{ requests: number; events: number; newEvents: number; bytes: number }>;
  close(): Promise<void>;
}

const FETCH_TIMEOUT_MS = 120_000;

export function openFetching(system: System): Fetching {
  const pool = new pg.Pool({ connectionString: system.variable('DATABASE_URL'), max: 2 });
  pool.on('error', () => undefined);
  const visit = async (): Promise<void> => {
    await pool.query("update sources set next_at = now() where state = 'active'");
    const response = await fetch(system.variable('FETCH_URL'), { method: 'POST' });
    if (!response.ok) throw new Error(`fetch answered ${response.status}`);
  };
  /** A source is whole when one range per filter begins at 0 and none but that one is left. */
  const unfinished = async (): Promise<number> => {
    const { rows } = await pool.query<{ left: string }>(`
      select count(*) as left from sources s where s.state = 'active' and (
        select count(*) filter (where r.since = 0) from fetch_ranges r where r.source = s.id
          and not exists (select from fetch_ranges o where o.source = r.source
            and o.filter_key = r.filter_key and o.since > r.since)
      ) < jsonb_array_length(s.filters)`);
    return Number(rows[0]?.left);
  };
  const operate = async (...args: string[]): Promise<string> => {
    const stdout = new PassThrough().setEncoding('utf8');
    const stderr = new PassThrough().setEncoding('utf8');
    const env = { DATABASE_URL: system.variable('DATABASE_URL') };
    const code = await runOperator(args, { env, stdout, stderr, nowMs: Date.now });
    if (code !== 0) throw new Error(`distrise ${args.join(' ')}: ${String(stderr.read())}`);
    return String(stdout.read());
  };
  const coverage: Fetching['coverage'] = async (url) =>
    JSON.parse(await operate('sources', 'coverage', url, '--json', '--limit', '9999'));
  const backlog = async (): Promise<number> => {
    const { rows } = await pool.query<{ count: string }>(
      `select (select count(*) from events) + (select count(*) from kept) as count`,
    );
    return Number(rows[0]?.count);
  };
  return {
    pool,
    visit,
    async add(urls, filter = {}) {
      for (const url of urls) {
        await pool.query(
          `insert into sources (url, origin, filters) values ($1, 'configured', $2)`,
          [new URL(url).href, JSON.stringify([filter])],
        );
      }
    },
    async fetchAll({ timeoutMs = FETCH_TIMEOUT_MS } = {}) {
      await until(
        async () => {
          await visit();
          return (await unfinished()) === 0;
        },
        { timeoutMs, what: 'every source to be fetched whole' },
      );
      // What Pub/Sub has acknowledged is on its way: it has arrived when the number stands still.
      let last = -1;
      let still = 0;
      await until(
        async () => {
          const now = await backlog();
          still = now === last ? still + 1 : 0;
          last = now;
          return still >= 20;
        },
        { timeoutMs, what: 'what was fetched to be stored' },
      );
    },
    async storedIds() {
      const { rows } = await pool.query<{ id: string }>(
        `select substr(text, 8, 64) as id from events
         union all select substr(text, 8, 64) from kept`,
      );
      return new Set(rows.map(({ id }) => id));
    },
    async lose(ids) {
      const keys = ids.map((id) => id.slice(0, 32));
      await pool.query('delete from events where key = any($1::uuid[])', [keys]);
      await pool.query('delete from kept where key = any($1::uuid[])', [keys]);
    },
    async forgetLeases() {
      const text = "delete from leases where name like 'fetch %'";
      return (await pool.query(text)).rowCount ?? 0;
    },
    async measure(url) {
      const before = await coverage(url);
      await operate('sources', 'coverage', url, '--measure');
      await until(
        async () => {
          await visit();
          return (await coverage(url)).length > before.length;
        },
        { what: `the coverage of ${url} to be measured`, timeoutMs: FETCH_TIMEOUT_MS },
      );
    },
    coverage,
    async counts() {
      const { rows } = await pool.query<Record<string, string>>(
        `select sum(requests) as requests, sum(events) as events, sum(new_events) as "newEvents",
          sum(bytes) as bytes from sources`,
      );
      const [row] = rows;
      return {
        requests: Number(row?.['requests']),
        events: Number(row?.['events']),
        newEvents: Number(row?.['newEvents']),
        bytes: Number(row?.['bytes']),
      };
    },
    close: () => pool.end(),
  };
}

export const idsOf = (events: readonly NostrEvent[]): Set<string> =>
  new Set(events.map(({ id }) => id));

/** What one set has and the other has not, for a message that helps. */
export function difference(wanted: ReadonlySet<string>, found: ReadonlySet<string>) {
  return {
    missing: [...wanted].filter((id) => !found.has(id)).slice(0, 5),
    extra: [...found].filter((id) => !wanted.has(id)).slice(0, 5),
  };
}
