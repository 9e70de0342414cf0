import type { Coverage } from '../database/coverage.ts';
import type { ProbeFindings } from '../database/probes.ts';
import type { Source } from '../database/sources.ts';
import type { Filter } from '../nostr/filter.ts';
import { filterKey } from '../nostr/filter-key.ts';
import { plainFilter } from '../nostr/plain-filter.ts';
import type { ProbeReport } from '../upstream/probe.ts';
import { facts, table } from './table.ts';
import { distance, grouped, moment, percent } from './words.ts';

/** A source as JSON shows it: filters as NIP-01 writes them. */
export const sourceJson = (source: Source): object => ({
  ...source,
  filters: source.filters.map(plainFilter),
});

/** The sources as a table. @param paused none is visited now, since the budget is used up. */
export function sourcesTable(sources: readonly Source[], nowMs: number, paused: boolean): string {
  if (sources.length === 0) return 'There are no sources. Add one: distrise sources add wss://…';
  const rows = rowsOf(sources, nowMs);
  return paused ? `${rows}\n\n${PAUSED}` : rows;
}

const PAUSED = 'No relay is visited now: the budget has fetch paused (distrise budget).';

function rowsOf(sources: readonly Source[], nowMs: number): string {
  return table(sources, [
    { title: 'ID', align: 'right', cell: ({ id }) => String(id) },
    { title: 'URL', cell: ({ url }) => url },
    { title: 'STATE', cell: ({ state }) => state },
    { title: 'WAY', cell: ({ direction }) => direction },
    { title: 'ORIGIN', cell: ({ origin }) => origin },
    { title: 'EVENTS', align: 'right', cell: ({ counts }) => grouped(counts.events) },
    { title: 'NEW', align: 'right', cell: ({ counts }) => grouped(counts.newEvents) },
    {
      title: 'NEW/REQ',
      align: 'right',
      cell: ({ standing }) => standing.newPerRequest.toFixed(1),
    },
    { title: 'INVALID', align: 'right', cell: ({ counts }) => grouped(counts.invalid) },
    { title: 'UPTIME', align: 'right', cell: ({ standing }) => percent(standing.uptime, 1) },
    { title: 'LAST GOOD', align: 'right', cell: (each) => distance(each.lastSuccessAt, nowMs) },
    { title: 'NEXT', align: 'right', cell: (each) => nextVisit(each, nowMs) },
    { title: 'NOTE', cell: noteOf },
  ]);
}

function nextVisit({ state, nextAt }: Source, nowMs: number): string {
  if (state !== 'active') return '–';
  return nextAt.getTime() <= nowMs ? 'due' : distance(nextAt, nowMs);
}

/** What there is to say of a source, the most urgent first. */
function noteOf(source: Source): string {
  const { reason, standing, lastFailure, lastRun, limits, probe } = source;
  const { failuresInRow } = standing;
  const failing = failuresInRow > 0 ? `failed ${failuresInRow}×: ${lastFailure ?? ''}` : undefined;
  const notes = [
    reason ?? failing,
    probe && source.state === 'paused' ? probeNote(probe) : undefined,
    lastRun.withheld > 0 ? `withheld ${grouped(lastRun.withheld)} events` : undefined,
    lastRun.suspect > 0 ? `${grouped(lastRun.suspect)} s in doubt` : undefined,
    limitsNote(limits),
  ];
  return notes.filter((note) => note !== undefined).join('; ');
}

function probeNote({ failure, openMs, negentropy }: ProbeFindings): string {
  if (failure !== undefined) return `probe failed: ${failure}`;
  return `opens in ${Math.round(openMs ?? 0)} ms${negentropy ? ', NIP-77' : ''}`;
}

function limitsNote({ eventsMax, bytesMax, requestsMax, secondsMax }: Source['limits']) {
  const limits = [
    [eventsMax, 'events'],
    [bytesMax, 'bytes'],
    [requestsMax, 'requests'],
    [secondsMax, 's'],
  ] as const;
  const given = limits.flatMap(([max, unit]) =>
    max === undefined ? [] : [`${grouped(max)} ${unit}`],
  );
  return given.length === 0 ? undefined : `a visit: ${given.join(', ')}`;
}

type Measured = Coverage & { readonly measuredAt: Date };

/** The measurements as JSON shows them, with the filter where it is still one of the source's. */
export const coverageJson = (source: Source, series: readonly Measured[]): object[] =>
  series.map((each) => {
    const filter = filterOf(source, each);
    return { url: source.url, ...each, ...(filter && { filter: plainFilter(filter) }) };
  });

/** The measurements as a table, and whether one more was asked for. */
export function coverageTable(source: Source, series: readonly Measured[]): string {
  const { url, measureAskedAt } = source;
  const shown =
    series.length === 0 ? `Nothing has been measured of ${url} yet.` : measurements(source, series);
  const newestAt = series[0]?.measuredAt.getTime() ?? Number.NEGATIVE_INFINITY;
  if (measureAskedAt === undefined || newestAt >= measureAskedAt.getTime()) return shown;
  return `${shown}\n\n${ASKED}`;
}

const ASKED =
  'A new measurement was asked for. A visit makes it, of the longest stretch of time that is fetched by then.';

function measurements(source: Source, series: readonly Measured[]): string {
  return table(series, [
    { title: 'MEASURED', cell: ({ measuredAt }) => moment(measuredAt.getTime() / 1_000) },
    { title: 'COVERAGE', align: 'right', cell: ({ held, theirs }) => percent(held, theirs) },
    { title: 'HELD', align: 'right', cell: ({ held }) => grouped(held) },
    { title: 'THEIRS', align: 'right', cell: ({ theirs }) => grouped(theirs) },
    { title: 'METHOD', cell: ({ method }) => method },
    { title: 'SINCE', cell: ({ since }) => moment(since) },
    { title: 'UNTIL', cell: ({ until }) => moment(until) },
    {
      title: 'FILTER',
      cell: (each) => {
        const filter = filterOf(source, each);
        if (filter === undefined) return `(former) ${each.filterKey.slice(0, 8)}`;
        return JSON.stringify(plainFilter(filter));
      },
    },
  ]);
}

const filterOf = (source: Source, { filterKey: key }: Measured): Filter | undefined =>
  source.filters.find((filter) => filterKey(filter) === key);

const YES_NO = { true: 'yes', false: 'no' } as const;

/** What a probe found out, one fact a line; and the source that it was noted with. */
export function probeFacts(
  report: ProbeReport,
  nowMs: number,
  source?: Pick<Source, 'id' | 'state'>,
): string {
  const { information, newestAt } = report;
  const ms = (value: number | undefined) => (value === undefined ? '–' : `${Math.round(value)} ms`);
  const newest =
    newestAt === undefined ? '' : `, newest ${distance(new Date(newestAt * 1_000), nowMs)}`;
  return facts([
    ['relay', report.url],
    ['name', information?.name ?? '–'],
    ['software', information?.software ?? '–'],
    ['NIPs', information?.supportedNips?.join(' ') ?? '–'],
    ['limit', information?.limitMax === undefined ? '–' : grouped(information.limitMax)],
    ['NIP-11', report.informationFailure ?? 'read'],
    ['opened in', ms(report.openMs)],
    ['read in', ms(report.readMs)],
    ['events', report.events === undefined ? '–' : `${report.events}${newest}`],
    ['faults', report.faults === undefined ? '–' : String(report.faults)],
    ['NIP-77', report.negentropy === undefined ? 'not known' : YES_NO[`${report.negentropy}`]],
    ['verdict', report.failure ?? 'works'],
    ...(source ? [['source', `${source.id}, ${source.state}`] as const] : []),
  ]);
}
