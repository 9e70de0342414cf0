import type { Log } from '../cloud/log.ts';
import type { Coverage } from '../database/coverage.ts';
import type { Source } from '../database/sources.ts';
import type { Filter } from '../nostr/filter.ts';
import { filterKey } from '../nostr/filter-key.ts';
import { type Clock, systemClock } from '../upstream/clock.ts';
import type { Connection } from '../upstream/connection.ts';
import { reasonOf, UpstreamFailure } from '../upstream/failure.ts';
import { type CoveragePorts, type Measured, measureCoverage, type Witness } from './coverage.ts';
import { type FilterPart, partsOf } from './filter-parts.ts';
import { MEASURED_PARTS_MAX, STORED_LOOKS_MS } from './limits.ts';
import { logIn, notedInformation } from './log-in.ts';
import { missingRanges, type Range } from './ranges.ts';

/** What measuring reaches of the world. */
export interface MeasurePorts extends CoveragePorts {
  connect(source: Source, signal: AbortSignal): Promise<Connection>;
  append(coverage: Coverage): Promise<void>;
  /** Takes a range back, so that the next visit fetches it again. */
  uncover(range: Range & { readonly source: number; readonly filterKey: string }): Promise<void>;
  /** Covered seconds of a source for a filter, oldest first. */
  covered(source: number, filterKey: string): Promise<readonly Range[]>;
  /** When a filter of a source was measured last: Unix milliseconds. */
  lastMeasuredAt(source: number, filterKey: string): Promise<number | undefined>;
  /** Measures pauses; the system's by default. */
  readonly clock?: Clock;
  readonly log: Log;
}

export interface MeasureLimits {
  readonly pieceMs: number;
  readonly sinceSeconds: number;
  readonly overlapSeconds: number;
}

const HOUR_MS = 3_600_000;

/** A filter to be measured, the parts in which it is fetched, and the seconds that are settled. */
interface Due {
  readonly filter: Filter;
  readonly parts: readonly FilterPart[];
  readonly window: Range;
}

/**
 * Measures those filters of a source whose last figure is older than so many hours (0: none by
 * themselves), or than an operator's wish for one: the longest stretch of time that has been fetched
 * of each. What is missing is brought to us as far as it is in hand; where that is then stored, and
 * more may be missing around it, the range is taken back, so that the next visit fetches it. What
 * does not stay here whatever we do, for whatever reason, has nothing fetched again.
 * @returns the figures; none of a filter where the source does not answer.
 */
export async function measureDue(
  source: Source,
  ports: MeasurePorts,
  limits: MeasureLimits,
  hours: number,
  lost: AbortSignal,
): Promise<readonly Coverage[]> {
  if (source.direction === 'up') return [];
  const due: Due[] = [];
  for (const filter of source.filters) {
    if (!(await isDue(source, filter, ports, hours))) continue;
    const parts = partsOf([filter], notedInformation(source));
    const window = await settledWindow(source, parts, ports, limits);
    if (window !== undefined) due.push({ filter, parts, window });
    else {
      ports.log.info('coverage cannot be measured before something is fetched', {
        url: source.url,
        filterKey: filterKey(filter),
      });
    }
  }
  if (due.length === 0) return [];
  const signal = AbortSignal.any([AbortSignal.timeout(limits.pieceMs), lost]);
  const figures: Coverage[] = [];
  let connection: Connection | undefined;
  try {
    connection = await ports.connect(source, signal);
    signal.addEventListener('abort', () => void connection?.close(), { once: true });
    await logIn(connection, source, notedInformation(source));
    for (const each of due) {
      figures.push(await measure(connection, source, each, ports, signal));
    }
  } catch (error) {
    if (!(error instanceof UpstreamFailure) && !signal.aborted) throw error;
    ports.log.warning('coverage could not be measured', {
      source: source.url,
      reason: reasonOf(error),
    });
  } finally {
    await connection?.close();
  }
  return figures;
}

/** One figure for a filter, whatever the parts in which it is fetched. */
async function measure(
  connection: Connection,
  source: Source,
  { filter, parts, window }: Due,
  ports: MeasurePorts,
  signal: AbortSignal,
): Promise<Coverage> {
  const looked = someOf(parts, ports.chance);
  const sum = { theirs: 0, held: 0 };
  let method: Measured['method'] = looked.length < parts.length ? 'sampled' : 'negentropy';
  const found: { readonly part: FilterPart; readonly measured: Measured }[] = [];
  for (const part of looked) {
    const question = { source, filter: part.filter, window, signal };
    const measured = await measureCoverage(connection, question, ports);
    found.push({ part, measured });
    sum.theirs += measured.theirs;
    sum.held += measured.held;
    if (measured.method === 'sampled') method = 'sampled';
  }
  const brought = found.flatMap(({ measured }) => measured.brought);
  const stored = await storedOf(brought, ports, signal);
  for (const { part, measured } of found) {
    for (const range of measured.incomplete((id) => stored.has(id))) {
      await ports.uncover({ source: source.id, filterKey: part.key, ...range });
    }
  }
  const coverage = { source: source.id, filterKey: filterKey(filter), ...sum, method, ...window };
  await ports.append(coverage);
  ports.log.info('coverage measured', { url: source.url, ...coverage });
  return coverage;
}

/** The ids of those events, just brought to us, that are stored within the time for that. */
async function storedOf(
  brought: readonly Witness[],
  ports: MeasurePorts,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  let missing = brought;
  for (const delayMs of STORED_LOOKS_MS) {
    if (missing.length === 0 || signal.aborted) break;
    await pause(ports.clock ?? systemClock, delayMs, signal);
    missing = await ports.wanted(missing);
  }
  const missingIds = new Set(missing.map(({ id }) => id));
  return new Set(brought.map(({ id }) => id).filter((id) => !missingIds.has(id)));
}

/** Waits; not for longer than until the signal comes. */
async function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(delayMs, resolve);
  const onAbort = (): void => resolve();
  signal.addEventListener('abort', onAbort, { once: true });
  await promise;
  signal.removeEventListener('abort', onAbort);
  cancel();
}

/** Parts by chance, as many as one visit can look at: each is a sample of the whole. */
function someOf(parts: readonly FilterPart[], chance: () => number): readonly FilterPart[] {
  if (parts.length <= MEASURED_PARTS_MAX) return parts;
  return parts
    .map((part) => ({ part, place: chance() }))
    .sort((a, b) => a.place - b.place)
    .slice(0, MEASURED_PARTS_MAX)
    .map(({ part }) => part);
}

async function isDue(
  source: Source,
  filter: Filter,
  ports: MeasurePorts,
  hours: number,
): Promise<boolean> {
  const askedAt = source.measureAskedAt?.getTime() ?? Number.NEGATIVE_INFINITY;
  const last = await ports.lastMeasuredAt(source.id, filterKey(filter));
  if (last === undefined) return hours > 0 || askedAt > 0;
  return last < askedAt || (hours > 0 && ports.nowMs() - last >= hours * HOUR_MS);
}

/** The longest stretch that is fetched of all parts, but for the newest seconds: those come yet. */
async function settledWindow(
  source: Source,
  parts: readonly FilterPart[],
  ports: MeasurePorts,
  { sinceSeconds, overlapSeconds }: MeasureLimits,
): Promise<Range | undefined> {
  let until = Number.MAX_SAFE_INTEGER;
  const gaps: Range[] = [];
  for (const { key } of parts) {
    const covered = await ports.covered(source.id, key);
    until = Math.min(until, (covered.at(-1)?.until ?? -1) - overlapSeconds);
    gaps.push(...missingRanges(covered, { since: sinceSeconds, until: Number.MAX_SAFE_INTEGER }));
  }
  const fetched = missingRanges(gaps, { since: sinceSeconds, until });
  return fetched.sort((a, b) => secondsOf(b) - secondsOf(a))[0];
}

const secondsOf = ({ since, until }: Range): number => until - since + 1;
