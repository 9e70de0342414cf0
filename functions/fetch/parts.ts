import { randomUUID } from 'node:crypto';
import { Journey } from '../cloud/journey.ts';
import type { Log } from '../cloud/log.ts';
import type { Metrics } from '../cloud/metrics/registry.ts';
import { openPostgres } from '../cloud/postgres.ts';
import { openPublisher } from '../cloud/publisher.ts';
import { openPubSub, openRawPublisher } from '../cloud/pubsub.ts';
import { readArrivals, readNotFrom } from '../database/arrivals.ts';
import { readBudgetSteps } from '../database/budget.ts';
import { currentPosition } from '../database/changes.ts';
import { appendCoverage, newestCoverage, readCoverage } from '../database/coverage.ts';
import {
  coveredRanges,
  coveredRangesOf,
  coverRange,
  uncoverRange,
} from '../database/fetch-ranges.ts';
import { listIds, TooManyIds } from '../database/ids.ts';
import { knownIds } from '../database/known-ids.ts';
import { withLease } from '../database/leases.ts';
import { listMonths } from '../database/months.ts';
import { recordProbe, unprobedSources, waitsForProbe } from '../database/probes.ts';
import { queryEvents } from '../database/read.ts';
import { hasLeft } from '../database/retention-rules.ts';
import { noteSent, readSent } from '../database/sent.ts';
import type { Source } from '../database/sources.ts';
import * as sources from '../database/sources.ts';
import type { NostrEvent } from '../nostr/event.ts';
import type { Filter } from '../nostr/filter.ts';
import { agesOut } from '../nostr/kinds.ts';
import { ItemsBuilder } from '../nostr/negentropy/builder.ts';
import type { Items } from '../nostr/negentropy/items.ts';
import { refuse } from '../nostr/result.ts';
import { policyOf } from '../policy/rules.ts';
import { writeRulesOf } from '../policy/variables.ts';
import { allOf, PASSED, type WritePolicy } from '../policy/write-policy.ts';
import type { Fault } from '../upstream/connection.ts';
import { BudgetPause } from './budget-pause.ts';
import type { FetchConfiguration } from './configuration.ts';
import { Delivery, takenOf } from './delivery.ts';
import type { Fetcher } from './handler.ts';
import { measureDue } from './measure.ts';
import { FetchMeter } from './meter.ts';
import { openUpstream } from './open-upstream.ts';
import { type PieceLimits, type PiecePorts, runPiece, withSourceLimits } from './piece.ts';
import { type PlanPorts, plan } from './plan.ts';
import { type ProbePorts, probeSource } from './probe-source.ts';
import type { Range } from './ranges.ts';

/** Events that wait for Pub/Sub at once: a batch or two of the largest. */
const PENDING_BYTES_MAX = 64 * 1024 * 1024;
const HAND_OUT_TIMEOUT_MS = 10_000;

/** A fetcher that can be closed, for whoever is not ended with its process. */
export interface OpenFetcher extends Fetcher {
  close(): Promise<void>;
}

/** Opens what fetch needs; connections are made at first use. */
export async function openFetcher(
  configuration: FetchConfiguration,
  log: Log,
  metrics: Metrics,
): Promise<OpenFetcher> {
  const applicationName = 'fetch';
  const { pool, close } = await openPostgres({ ...configuration, applicationName, log, metrics });
  const pubsub = openPubSub(configuration);
  const incoming = openPublisher({
    pubsub,
    topic: configuration.TOPIC_INCOMING,
    pendingBytesMax: PENDING_BYTES_MAX,
    metrics,
  });
  const work = openRawPublisher(pubsub, configuration.TOPIC_FETCH);
  const meter = new FetchMeter(metrics);
  const ports = piecePorts(configuration, pool, (line) => incoming.publish(line), log, meter);
  const pause = new BudgetPause({ read: () => readBudgetSteps(pool), metrics, log });
  // Anew each time: how far back is wanted goes by the clock.
  const limits = () => pieceLimitsOf(configuration);
  return {
    plan: () =>
      plan(
        {
          ...planPorts(pool, (id) => handOut(work, id), log, metrics),
          paused: () => pause.holds(),
        },
        {
          configured: configuration.FETCH_SOURCES,
          outbox: configuration.FETCH_OUTBOX === 'on',
          monitors: configuration.FETCH_MONITORS === 'on',
          probes: configuration.FETCH_PROBES === 'on',
        },
      ),
    async work(sourceId) {
      // Handed out before the budget was used up; the source stays due.
      if (await pause.holds()) return undefined;
      // A holder of its own a piece: two pushes of one message may meet in one instance.
      return withLease(pool, { name: `fetch ${sourceId}`, holder: randomUUID() }, async (lost) => {
        // Read under the lease: another piece may just have been here.
        const source = await sources.sourceById(pool, sourceId);
        if (source?.state === 'paused' && (await waitsForProbe(pool, sourceId))) {
          return probeSource(source, ports, lost);
        }
        if (source?.state !== 'active' || source.nextAt.getTime() > Date.now()) return undefined;
        // Before the visit: what it fetches is still on its way afterwards, and what a measurement
        // finds missing is fetched by the visit.
        const hours = configuration.FETCH_COVERAGE_HOURS;
        const measuring = withSourceLimits(limits(), source);
        await measureDue(source, ports, measuring, hours, lost).catch((error: unknown) => {
          if (lost.aborted) throw error;
          // A figure that cannot be had now must not keep events from being fetched.
          log.error('coverage could not be measured', { source: source.url, error });
        });
        const beganMs = performance.now();
        const report = await runPiece(source, ports, limits(), lost);
        meter.visited(report, performance.now() - beganMs);
        return report;
      });
    },
    async close() {
      await Promise.allSettled([incoming.close(), work.close(), close()]);
      await pubsub.close();
    },
  };
}

type Pool = Awaited<ReturnType<typeof openPostgres>>['pool'];

/** The doors of a piece of work, joined to the real database, Pub/Sub and network. */
export function piecePorts(
  configuration: FetchConfiguration,
  pool: Pool,
  publish: PiecePorts['publish'],
  log: Log,
  meter: FetchMeter,
): FetchPorts {
  const upstream = openUpstream(configuration);
  const policy = allOf([policyOf(writeRulesOf(configuration)), stayingPolicy(configuration)]);
  const known = (events: readonly NostrEvent[]) => knownIds(pool, events);
  const ports: FetchPorts = {
    ...upstream,
    async connect(source: Source, signal: AbortSignal, onFault?: (fault: Fault) => void) {
      const connection = await upstream.connect(source, signal, onFault);
      meter.opened(connection.closed);
      return connection;
    },
    known,
    async wanted(events) {
      // What leaves by size leaves again and again, however often it is fetched.
      const from = configuration.RETENTION_GIGABYTES === 0 ? 0 : await firstMonth(pool);
      const taken = takenOf(events, { policy, nowMs: Date.now }).filter(
        ({ kind, created_at }) => created_at >= from || !agesOut(kind),
      );
      const there = await known(taken);
      return taken.filter(({ id }) => !there.has(id));
    },
    bring: (source, events) =>
      new Delivery(ports, source, `measure-${source.id}-${randomUUID().slice(0, 8)}`).deliver(
        events,
      ),
    publish,
    policy,
    covered: (source, key) => coveredRanges(pool, source, key),
    coveredOf: (source, keys) => coveredRangesOf(pool, source, keys),
    cover: (range) => coverRange(pool, range),
    uncover: (range) => uncoverRange(pool, range),
    held: (filter, range, idsMax, signal) => heldIds(pool, filter, range, idsMax, signal),
    arrivals: (after, rowsMax) => readArrivals(pool, after, { rowsMax }),
    logEnd: async () => ({ transaction: await currentPosition(pool), seq: 0 }),
    sent: (source) => readSent(pool, source),
    noteSent: (source, sent) => noteSent(pool, source, sent),
    async notFrom(source, events) {
      const texts = await readNotFrom(pool, source, events);
      return texts.map((text) => JSON.parse(text) as NostrEvent);
    },
    record: (id, run) => sources.recordRun(pool, id, run),
    noteProbe: (id, found) => recordProbe(pool, id, found),
    quarantine: async (id, reason) => void (await sources.quarantineSource(pool, id, reason)),
    append: (coverage) => appendCoverage(pool, coverage),
    async lastMeasuredAt(source, filterKey) {
      const [last] = await readCoverage(pool, source, { filterKey, limit: 1 });
      return last?.measuredAt.getTime();
    },
    chance: Math.random,
    nowMs: Date.now,
    journey: new Journey({
      log,
      share: configuration.LOG_TRACE_SAMPLE,
      monotonicMs: () => performance.now(),
    }),
    log,
    meter,
  };
  return ports;
}

/** Refuses what would leave at upkeep's next run. */
const stayingPolicy =
  (configuration: FetchConfiguration): WritePolicy =>
  (event, { nowSeconds }) =>
    hasLeft(event, configuration, nowSeconds) ? refuse('blocked: too old to be kept here') : PASSED;

/** The second from which on there are months; what is older leaves first where space is short. */
const firstMonth = async (pool: Pool): Promise<number> =>
  (await listMonths(pool))[0]?.from ?? Number.NEGATIVE_INFINITY;

/** What a visit, a measurement and a probe together reach. */
export type FetchPorts = PiecePorts & ProbePorts & Parameters<typeof measureDue>[1];

function pieceLimitsOf(configuration: FetchConfiguration): PieceLimits {
  const days = configuration.FETCH_BACKFILL_DAYS;
  return {
    pieceMs: configuration.FETCH_PIECE_SECONDS * 1_000,
    eventsMax: configuration.FETCH_PIECE_EVENTS,
    bytesMax: configuration.FETCH_PIECE_BYTES,
    requestsMax: configuration.FETCH_PIECE_REQUESTS,
    overlapSeconds: configuration.FETCH_OVERLAP_SECONDS,
    sinceSeconds: days === 0 ? 0 : Math.max(0, Math.floor(Date.now() / 1_000) - days * 86_400),
  };
}

function planPorts(
  pool: Pool,
  hand: PlanPorts['handOut'],
  log: Log,
  metrics: Metrics,
): Omit<PlanPorts, 'paused'> {
  return {
    introduce: async (source) => void (await sources.addSource(pool, source)),
    find: (url) => sources.sourceByUrl(pool, url),
    list: () => sources.listSources(pool),
    due: (limit) => sources.dueSources(pool, { limit }),
    unprobed: (limit) => unprobedSources(pool, { limit }),
    newest: async (filter, limit) => parsed(await queryEvents(pool, filter, { limit })),
    handOut: hand,
    coverage: (wanted) => newestCoverage(pool, wanted),
    log,
    metrics,
  };
}

/** An empty message would not be delivered by every version of functions-framework, so it has data. */
const handOut = (work: ReturnType<typeof openRawPublisher>, id: number): Promise<string> =>
  work.publish(Buffer.from(String(id)), { source: String(id) }, HAND_OUT_TIMEOUT_MS);

async function heldIds(
  pool: Pool,
  filter: Filter,
  range: Range,
  idsMax: number,
  signal: AbortSignal,
): Promise<Items | undefined> {
  const builder = new ItemsBuilder();
  try {
    for await (const page of listIds(pool, filter, { ...range, idsMax, signal })) {
      for (const { createdAt, id } of page) builder.add(createdAt, id);
    }
    return builder.seal();
  } catch (error) {
    if (error instanceof TooManyIds) return undefined;
    throw error;
  }
}

const parsed = (rows: readonly { readonly text: string }[]): NostrEvent[] =>
  rows.map(({ text }) => JSON.parse(text) as NostrEvent);
