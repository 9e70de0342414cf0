import { type Filter, type FilterLimits, parseFilter } from '../nostr/filter.ts';
import { accept, type Result, refuse } from '../nostr/result.ts';
import type { ProbeFindings } from './probes.ts';
import type { SourceLimits } from './source-limits.ts';
import type { Source, SourceDirection, SourceOrigin, SourceState } from './sources.ts';

/** A row of the table of sources as node-pg gives it: 64-bit numbers come as text. */
export interface SourceRow {
  readonly id: number;
  readonly url: string;
  readonly origin: SourceOrigin;
  readonly direction: SourceDirection;
  readonly state: SourceState;
  readonly reason: string | null;
  readonly filters: unknown;
  readonly limits: SourceLimits;
  readonly auth: boolean;
  readonly requests: string;
  readonly new_events: string;
  readonly events: string;
  readonly bytes: string;
  readonly invalid: string;
  readonly successes: string;
  readonly failures: string;
  readonly failures_in_row: number;
  readonly new_per_request: number;
  readonly uptime: number;
  readonly last_success_at: Date | null;
  readonly last_failure_at: Date | null;
  readonly last_failure: string | null;
  readonly next_at: Date;
  readonly measure_asked_at: Date | null;
  readonly nip77: boolean | null;
  readonly information: Record<string, unknown> | null;
  readonly withheld: string;
  readonly suspect: string;
  readonly last_withheld: number;
  readonly last_suspect: number;
  readonly probe: ProbeFindings | null;
  readonly probed_at: Date | null;
  readonly created_at: Date;
}

/** Named one by one, so that a later version may add columns. */
export const SOURCE_COLUMNS = `id, url, origin, direction, state, reason, filters, limits, auth,
  requests, new_events, events, bytes, invalid, successes, failures, failures_in_row,
  new_per_request, uptime, last_success_at, last_failure_at, last_failure, next_at,
  measure_asked_at, nip77, information, withheld, suspect, last_withheld, last_suspect,
  probe, probed_at, created_at`;

/** The table holds what was accepted; how much that may be is for those who write it. */
const LIMITS: FilterLimits = {
  idsMax: Number.POSITIVE_INFINITY,
  authorsMax: Number.POSITIVE_INFINITY,
  kindsMax: Number.POSITIVE_INFINITY,
  tagValuesMax: Number.POSITIVE_INFINITY,
  tagFiltersMax: Number.POSITIVE_INFINITY,
};

/**
 * A row as a source. One whose filters this version cannot read counts as quarantined: it must
 * not be fetched by half, and must not hinder the others.
 */
export function sourceOfRow(row: SourceRow): Source {
  const filters = filtersOf(row.filters);
  return {
    id: row.id,
    url: row.url,
    origin: row.origin,
    direction: row.direction,
    state: filters.ok || row.state !== 'active' ? row.state : 'quarantined',
    reason: filters.ok ? (row.reason ?? undefined) : filters.reason,
    filters: filters.ok ? filters.value : [],
    limits: row.limits,
    auth: row.auth,
    counts: {
      requests: Number(row.requests),
      newEvents: Number(row.new_events),
      events: Number(row.events),
      bytes: Number(row.bytes),
      invalid: Number(row.invalid),
      successes: Number(row.successes),
      failures: Number(row.failures),
      withheld: Number(row.withheld),
      suspect: Number(row.suspect),
    },
    lastRun: { withheld: row.last_withheld, suspect: row.last_suspect },
    standing: {
      newPerRequest: row.new_per_request,
      uptime: row.uptime,
      failuresInRow: row.failures_in_row,
    },
    lastSuccessAt: row.last_success_at ?? undefined,
    lastFailureAt: row.last_failure_at ?? undefined,
    lastFailure: row.last_failure ?? undefined,
    nextAt: row.next_at,
    measureAskedAt: row.measure_asked_at ?? undefined,
    nip77: row.nip77 ?? undefined,
    information: row.information ?? undefined,
    probe: row.probe && row.probed_at ? { ...row.probe, at: row.probed_at } : undefined,
    createdAt: row.created_at,
  };
}

function filtersOf(value: unknown): Result<readonly Filter[]> {
  if (!Array.isArray(value)) return refuse('its filters are no list');
  const filters: Filter[] = [];
  for (const each of value as unknown[]) {
    const filter = parseFilter(each, LIMITS);
    if (!filter.ok) return refuse(`a filter of it cannot be read: ${filter.reason}`);
    filters.push(filter.value);
  }
  return accept(filters);
}
