import type { Log } from '../cloud/log.ts';
import type { Metrics } from '../cloud/metrics/registry.ts';
import type { NewestCoverage } from '../database/coverage.ts';
import type { NewSource, Source } from '../database/sources.ts';
import type { NostrEvent } from '../nostr/event.ts';
import {
  CANDIDATES_A_CALL,
  CANDIDATES_MAX,
  OUTBOX_AUTHORS_A_QUERY,
  OUTBOX_AUTHORS_MAX,
  PLANNED_MAX,
  PROBED_A_CALL,
  RELAY_LISTS_READ,
} from './limits.ts';
import {
  KIND_RELAY_LIST,
  KIND_RELAY_MONITORED,
  monitoredRelays,
  outboxesOf,
  relaysInUse,
} from './outbox.ts';
import { measureStanding } from './standing.ts';

/** What planning reaches of the world. */
export interface PlanPorts {
  /** Whether the budget keeps relays from being visited now. */
  paused(): Promise<boolean>;
  /** Adds a source, unless it is there already; what an operator said of it stays. */
  introduce(source: NewSource): Promise<void>;
  /** The source at this address, also one that an operator has removed. */
  find(url: string): Promise<Pick<Source, 'origin' | 'state'> | undefined>;
  list(): Promise<readonly Source[]>;
  due(limit: number): Promise<readonly Source[]>;
  /** Candidates that wait for a probe. */
  unprobed(limit: number): Promise<readonly { readonly id: number }[]>;
  /** Our newest events of these kinds, by these authors or by anybody. */
  newest(
    filter: { readonly kinds: readonly number[]; readonly authors?: readonly string[] },
    limit: number,
  ): Promise<readonly NostrEvent[]>;
  /** Puts one source's piece of work into the topic `fetch`. */
  handOut(sourceId: number): Promise<unknown>;
  /** The newest measurements of these filters of sources. */
  coverage(
    wanted: readonly { readonly source: number; readonly filterKey: string }[],
  ): Promise<readonly NewestCoverage[]>;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface PlanRules {
  /** Addresses that the configuration names. */
  readonly configured: readonly string[];
  readonly outbox: boolean;
  readonly monitors: boolean;
  readonly probes: boolean;
}

export interface PlanReport {
  readonly introduced: number;
  readonly handedOut: number;
  /** Nothing was handed out since the budget does not allow it. */
  readonly paused?: true;
}

/** Relays of monitors that one call looks at. */
const MONITORED_MAX = 500;

/**
 * One call of the scheduler: notes sources that are new, and hands each one that is due its own
 * piece of work, so that sources are visited side by side by as many instances as are needed.
 * Handing out twice does no harm: a piece takes a lease on its source. A candidate's piece is a
 * probe.
 */
export async function plan(ports: PlanPorts, rules: PlanRules): Promise<PlanReport> {
  const known = await ports.list();
  const urls = new Set(known.map(({ url }) => url));
  let introduced = 0;
  for (const url of rules.configured) {
    const there = await ports.find(url);
    // An operator's removal is a later word than the configuration's.
    if (there?.origin === 'configured' || there?.state === 'removed') continue;
    await ports.introduce({ url, origin: 'configured' });
    introduced += 1;
  }
  if (rules.outbox) introduced += await introduceOutboxes(ports, known, urls);
  if (rules.monitors) introduced += await introduceMonitored(ports, known);
  if (rules.probes) introduced += await introduceRelaysInUse(ports, known);
  const paused = await ports.paused();
  const due: { readonly id: number }[] = paused ? [] : [...(await ports.due(PLANNED_MAX))];
  if (rules.probes && !paused) due.push(...(await ports.unprobed(PROBED_A_CALL)));
  await Promise.all(due.map(({ id }) => ports.handOut(id)));
  try {
    await measureStanding(known, ports.coverage, ports.metrics);
  } catch (error) {
    // All is handed out; to be called again for a figure would hand it out twice.
    ports.log.warning('coverage could not be read', { error });
  }
  ports.log.debug('fetch planned', { introduced, handedOut: due.length });
  return { introduced, handedOut: due.length, ...(paused && { paused }) };
}

/** The outbox model: what an author writes is fetched from where the author says it is. */
async function introduceOutboxes(
  ports: PlanPorts,
  known: readonly Source[],
  urls: ReadonlySet<string>,
): Promise<number> {
  const authors = new Set<string>();
  for (const { origin, filters } of known) {
    if (origin === 'outbox') continue;
    for (const filter of filters) for (const author of filter.authors ?? []) authors.add(author);
  }
  if (authors.size === 0) return 0;
  const ours = [...authors].slice(0, OUTBOX_AUTHORS_MAX);
  const lists: NostrEvent[] = [];
  for (let at = 0; at < ours.length; at += OUTBOX_AUTHORS_A_QUERY) {
    const some = ours.slice(at, at + OUTBOX_AUTHORS_A_QUERY);
    lists.push(...(await ports.newest({ kinds: [KIND_RELAY_LIST], authors: some }, some.length)));
  }
  const outboxes = outboxesOf(lists);
  for (const { url, authors: of } of outboxes) {
    // Said each time: an author may have come to write there since.
    await ports.introduce({ url, origin: 'outbox', filters: [{ authors: of }] });
  }
  return outboxes.filter(({ url }) => !urls.has(url)).length;
}

/** Relays that monitors have seen. */
async function introduceMonitored(ports: PlanPorts, known: readonly Known[]): Promise<number> {
  const events = await ports.newest({ kinds: [KIND_RELAY_MONITORED] }, MONITORED_MAX);
  return introduceCandidates(ports, known, {
    urls: monitoredRelays(events),
    origin: 'monitor',
    paused: 'seen by a monitor; resume to fetch',
  });
}

/** Relays that several authors name in their lists; a probe tells what they are worth. */
async function introduceRelaysInUse(ports: PlanPorts, known: readonly Known[]): Promise<number> {
  const lists = await ports.newest({ kinds: [KIND_RELAY_LIST] }, RELAY_LISTS_READ);
  return introduceCandidates(ports, known, {
    urls: relaysInUse(lists),
    origin: 'probe',
    paused: 'named by authors; resume to fetch',
  });
}

type Known = Pick<Source, 'origin' | 'state' | 'url'>;

/**
 * An operator resumes those that are wanted. A few a call, and no more while many of their origin
 * wait, since whoever can write here can name any number of relays.
 */
async function introduceCandidates(
  ports: PlanPorts,
  known: readonly Known[],
  found: Pick<NewSource, 'origin' | 'paused'> & { readonly urls: readonly string[] },
): Promise<number> {
  const { urls, ...as } = found;
  const waiting = known.filter(({ origin, state }) => origin === as.origin && state === 'paused');
  const room = Math.min(CANDIDATES_A_CALL, CANDIDATES_MAX - waiting.length);
  const there = new Set(known.map(({ url }) => url));
  let introduced = 0;
  for (const url of urls) {
    if (introduced >= room) break;
    if (there.has(url) || (await ports.find(url)) !== undefined) continue;
    await ports.introduce({ url, ...as });
    introduced += 1;
  }
  return introduced;
}
