import type pg from 'pg';
import type { Filter } from '../nostr/filter.ts';
import { plainFilter } from '../nostr/plain-filter.ts';
import type { ProbeFindings } from './probes.ts';
import type { SourceLimits } from './source-limits.ts';
import { SOURCE_COLUMNS, type SourceRow, sourceOfRow } from './source-row.ts';

/**
 * Whose word a source is: an operator's, who named it or resumed a candidate; a relay list's of an
 * author, or a monitor's; or it was probed, by an operator or because many authors name it.
 */
export type SourceOrigin = 'configured' | 'outbox' | 'monitor' | 'probe';
/** Whether events come from there, are sent there, or both. */
export type SourceDirection = 'down' | 'up' | 'both';
/** What is removed keeps its row, since events name it as where they were first seen. */
export type SourceState = 'active' | 'paused' | 'quarantined' | 'removed';

/** Another relay, what is wanted of it, and how it has done so far. */
export interface Source {
  readonly id: number;
  /** As `URL.href` writes it. */
  readonly url: string;
  readonly origin: SourceOrigin;
  readonly direction: SourceDirection;
  readonly state: SourceState;
  /** Why it is paused or quarantined. */
  readonly reason: string | undefined;
  /** Without since, until and limit. */
  readonly filters: readonly Filter[];
  readonly limits: SourceLimits;
  /** Whether we log in there (NIP-42) where it asks. */
  readonly auth: boolean;
  readonly counts: SourceCounts;
  /** What its last run could not get. */
  readonly lastRun: { readonly withheld: number; readonly suspect: number };
  readonly standing: SourceStanding;
  readonly lastSuccessAt: Date | undefined;
  readonly lastFailureAt: Date | undefined;
  readonly lastFailure: string | undefined;
  readonly nextAt: Date;
  /** When an operator asked for a figure of its coverage. */
  readonly measureAskedAt: Date | undefined;
  /** Whether it speaks NIP-77; undefined where that is not known. */
  readonly nip77: boolean | undefined;
  /** What of its NIP-11 document was noted. */
  readonly information: Readonly<Record<string, unknown>> | undefined;
  /** What a probe found, and when; undefined where none was made. */
  readonly probe: (ProbeFindings & { readonly at: Date }) | undefined;
  readonly createdAt: Date;
}

/** Sums over all runs. */
export interface SourceCounts {
  readonly requests: number;
  readonly newEvents: number;
  readonly events: number;
  readonly bytes: number;
  readonly invalid: number;
  readonly successes: number;
  readonly failures: number;
  /** Ids that it announced and did not give. */
  readonly withheld: number;
  /** Seconds that hold more than it gives and could not be proved whole. */
  readonly suspect: number;
}

/** What the next visit is reckoned from. */
export interface SourceStanding {
  /** Moving average of new events a request. */
  readonly newPerRequest: number;
  /** Moving average of the share of runs that succeeded, 0 to 1. */
  readonly uptime: number;
  readonly failuresInRow: number;
}

export interface NewSource {
  /** As `URL.href` writes it. */
  readonly url: string;
  readonly origin: SourceOrigin;
  readonly direction?: SourceDirection;
  /** One that matches everything by default; since, until and limit are left out. */
  readonly filters?: readonly Filter[];
  readonly limits?: SourceLimits;
  readonly auth?: boolean;
  /** Why a new source is not visited until somebody resumes it; absent where it is. */
  readonly paused?: string;
}

/**
 * Adds a source, or gives the one at that address new settings. An operator's word makes it
 * active again and due at once. What was found automatically changes nothing of a source that an
 * operator named or removed. An author's relay list wakes a candidate; what monitors see and
 * probes find changes nothing that is there.
 */
export async function addSource(pool: pg.Pool, given: NewSource): Promise<Source> {
  const filters = (given.filters ?? [{}]).map((filter) => {
    const { since: _, until: __, limit: ___, ...rest } = filter;
    return plainFilter(rest);
  });
  const byOperator = `excluded.origin = 'configured'`;
  const wakes = `(${byOperator} or s.origin in ('monitor', 'probe') and s.state = 'paused')`;
  await pool.query(
    `insert into sources as s (url, origin, direction, filters, limits, auth, state, reason)
      values ($1, $2, $3, $4, $5, $6, case when $7::text is null then 'active' else 'paused' end, $7)
      on conflict (url) do update set
        origin = excluded.origin, direction = excluded.direction, filters = excluded.filters,
        limits = excluded.limits, auth = excluded.auth,
        state = case when ${wakes} then 'active' else s.state end,
        reason = case when ${wakes} then null else s.reason end,
        failures_in_row = case when ${byOperator} then 0 else s.failures_in_row end,
        recent_events = case when ${byOperator} then 0 else s.recent_events end,
        recent_invalid = case when ${byOperator} then 0 else s.recent_invalid end,
        next_at = case when ${wakes} then now() else s.next_at end
      where ${byOperator} or (excluded.origin = 'outbox' and s.origin <> 'configured'
        and s.state <> 'removed')`,
    [
      given.url,
      given.origin,
      given.direction ?? 'down',
      JSON.stringify(filters),
      JSON.stringify(given.limits ?? {}),
      given.auth ?? false,
      given.paused ?? null,
    ],
  );
  const source = await sourceByUrl(pool, given.url);
  if (source === undefined) throw new Error(`source ${given.url} was not added`);
  return source;
}

/** The source with this number, removed ones too. */
export async function sourceById(pool: pg.Pool, id: number): Promise<Source | undefined> {
  return (await select(pool, 'where id = $1', [id]))[0];
}

/** The source at this address, removed ones too. */
export async function sourceByUrl(pool: pg.Pool, url: string): Promise<Source | undefined> {
  return (await select(pool, 'where url = $1', [url]))[0];
}

/** All sources but the removed ones, in the order in which they were added. */
export async function listSources(pool: pg.Pool): Promise<Source[]> {
  return select(pool, `where state <> 'removed' order by id`, []);
}

/** Active sources whose time has come, those that wait longest first. */
export async function dueSources(
  pool: pg.Pool,
  { limit }: { readonly limit: number },
): Promise<Source[]> {
  const rows = await select(
    pool,
    `where state = 'active' and next_at <= now() order by next_at, id limit $1`,
    [limit],
  );
  // One whose filters cannot be read comes back quarantined.
  return rows.filter(({ state }) => state === 'active');
}

async function select(pool: pg.Pool, rest: string, values: unknown[]): Promise<Source[]> {
  const { rows } = await pool.query<SourceRow>(
    `select ${SOURCE_COLUMNS} from sources ${rest}`,
    values,
  );
  return rows.map(sourceOfRow);
}

/** Stops the visits until somebody resumes them. @returns false where there is none to pause. */
export function pauseSource(pool: pg.Pool, id: number, reason?: string): Promise<boolean> {
  const text = `update sources set state = 'paused', reason = $2
    where id = $1 and state in ('active', 'quarantined')`;
  return changes(pool, text, [id, reason ?? null]);
}

/**
 * Makes a paused or quarantined source active and due at once. What it sent before is no longer
 * held against it. A candidate is the operator's from then on: what is found automatically changes
 * nothing of it any more. @returns false where none is.
 */
export function resumeSource(pool: pg.Pool, id: number): Promise<boolean> {
  const text = `update sources
    set state = 'active', reason = null, failures_in_row = 0, next_at = now(),
      recent_events = 0, recent_invalid = 0,
      origin = case when origin in ('monitor', 'probe') then 'configured' else origin end
    where id = $1 and state in ('paused', 'quarantined')`;
  return changes(pool, text, [id]);
}

/** Stops the visits to a source that did what it must not. @returns false where it is not active. */
export function quarantineSource(pool: pg.Pool, id: number, reason: string): Promise<boolean> {
  const text = `update sources set state = 'quarantined', reason = $2
    where id = $1 and state = 'active'`;
  return changes(pool, text, [id, reason]);
}

/**
 * Forgets a source but for its address and counts. What was covered is forgotten too, so that one
 * that is added again is read from the start. @returns false where there is none to remove.
 */
export function removeSource(pool: pg.Pool, id: number): Promise<boolean> {
  const text = `with forgotten as (delete from fetch_ranges where source = $1)
    update sources set state = 'removed', reason = null where id = $1 and state <> 'removed'`;
  return changes(pool, text, [id]);
}

/**
 * Has the next visit, due at once, measure the coverage.
 * @returns false where the source is not active.
 */
export function askForCoverage(pool: pg.Pool, id: number): Promise<boolean> {
  const text = `update sources set measure_asked_at = now(), next_at = now()
    where id = $1 and state = 'active'`;
  return changes(pool, text, [id]);
}

async function changes(pool: pg.Pool, text: string, values: unknown[]): Promise<boolean> {
  return (await pool.query(text, values)).rowCount === 1;
}

/** What came of one visit. */
export interface SourceRun extends Omit<SourceCounts, 'successes' | 'failures'> {
  /** Why it failed, in one line; absent where it did not. */
  readonly failure?: string;
  /** What the run makes of the source: see `scheduleSource` in functions/fetch. */
  readonly standing: SourceStanding;
  /** When the next visit is due, from now. */
  readonly nextInSeconds: number;
  /** Absent where the run did not find out. */
  readonly nip77?: boolean;
  readonly information?: Readonly<Record<string, unknown>>;
}

/** Weight of earlier runs in what a source is judged by: about the last ten count. */
const RECENT_WEIGHT = 0.9;
/** One that is back after a longer absence keeps its ranges, which nobody could look at meanwhile. */
const AWAY_DAYS = 1;

/** What a source sent of late, valid or not: sums in which older runs count ever less. */
export interface RecentEvents {
  readonly seen: number;
  readonly invalid: number;
}

/**
 * Adds a visit to a source's record, and sets the next one. By the database's clock.
 * @returns what the source sent of late.
 */
export async function recordRun(
  pool: pg.Pool,
  sourceId: number,
  run: SourceRun,
): Promise<RecentEvents> {
  const { rows } = await pool.query<{ recent_events: number; recent_invalid: number }>({
    name: 'record-run',
    // Runs that brought nothing make nobody better.
    text: `with back as (
        select from sources where id = $1 and $7::text is null
          and last_success_at < now() - make_interval(days => ${AWAY_DAYS})
      ), kept as (
        update fetch_ranges set touched_at = now() where source = $1 and exists (select from back)
      )
      update sources set
        requests = requests + $2, events = events + $3, new_events = new_events + $4,
        bytes = bytes + $5, invalid = invalid + $6,
        successes = successes + case when $7::text is null then 1 else 0 end,
        failures = failures + case when $7::text is null then 0 else 1 end,
        last_success_at = case when $7::text is null then now() else last_success_at end,
        last_failure_at = case when $7::text is null then last_failure_at else now() end,
        last_failure = coalesce($7, last_failure),
        new_per_request = $8, uptime = $9, failures_in_row = $10,
        next_at = now() + make_interval(secs => $11),
        nip77 = coalesce($12, nip77), information = coalesce($13, information),
        withheld = withheld + $14, last_withheld = $14, suspect = suspect + $15, last_suspect = $15,
        recent_events = $3 + $6 + recent_events * case when $3 + $6 > 0 then ${RECENT_WEIGHT} else 1 end,
        recent_invalid = $6 + recent_invalid * case when $3 + $6 > 0 then ${RECENT_WEIGHT} else 1 end
      where id = $1
      returning recent_events, recent_invalid`,
    values: [
      sourceId,
      run.requests,
      run.events,
      run.newEvents,
      run.bytes,
      run.invalid,
      run.failure ?? null,
      run.standing.newPerRequest,
      run.standing.uptime,
      run.standing.failuresInRow,
      run.nextInSeconds,
      run.nip77 ?? null,
      run.information === undefined ? null : JSON.stringify(run.information),
      run.withheld,
      run.suspect,
    ],
  });
  const [row] = rows;
  return { seen: row?.recent_events ?? 0, invalid: row?.recent_invalid ?? 0 };
}
