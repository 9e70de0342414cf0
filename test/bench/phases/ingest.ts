import pg from 'pg';
import { eventText, type NostrEvent } from '../../../functions/nostr/event.ts';
import { remaining } from '../../support/slow-oracle.ts';
import { until } from '../../support/until.ts';
import { type Bench, cpuFigures, type Figures, instancesOf, measure } from '../bench.ts';
import { BenchConnection } from '../connection.ts';
import { diskBytes } from '../disk.ts';
import { latencyOf, rounded } from '../statistics.ts';

const SOCKETS = 8;
/** Unanswered events a socket. */
const IN_FLIGHT = 32;
/** Nothing answered for this long: the phase ends with what there is. */
const STALL_MS = 15_000;
const STORED_TIMEOUT_MS = 180_000;

interface Taken {
  readonly acknowledged: NostrEvent[];
  readonly milliseconds: number[];
  readonly refused: Map<string, number>;
  readonly seconds: number;
  readonly unanswered: number;
}

/** Publishes the main data as fast as answers come, and waits until all of it is stored. */
export async function ingest(bench: Bench): Promise<Figures> {
  const { first } = instancesOf(bench);
  const disk = await diskBytes(bench);
  const before = measure(bench);
  const started = performance.now();
  const taken = await publishAll(first, bench.data.main);
  bench.acknowledged = taken.acknowledged;
  const count = taken.acknowledged.length;
  const stored = await waitUntilStored(bench, taken.acknowledged);
  const storedSeconds = (performance.now() - started) / 1000;
  const after = measure(bench);
  const figures: Figures = {
    'acknowledged events/s': rounded(count / taken.seconds),
    'stored events/s': stored ? rounded(count / storedSeconds) : null,
    'EVENT to OK p50 ms, 256 in flight': latencyOf(taken.milliseconds).p50Ms,
    'EVENT to OK p99 ms, 256 in flight': latencyOf(taken.milliseconds).p99Ms,
    'last OK to all stored ms': stored ? rounded(1000 * (storedSeconds - taken.seconds)) : null,
    'OK true': count,
    'OK false': [...taken.refused.values()].reduce((sum, n) => sum + n, 0),
    unanswered: taken.unanswered,
    ...cpuFigures(before, after, count, 'event'),
  };
  for (const [part, { memoryBytes }] of after) {
    figures[`memory MB, ${part}`] = rounded(memoryBytes / 1e6);
  }
  for (const [what, bytes] of Object.entries(await diskBytes(bench))) {
    figures[`disk bytes/event, ${what}`] = rounded((bytes - (disk[what] ?? 0)) / count);
  }
  for (const [reason, n] of taken.refused) figures[`refused: ${reason}`] = n;
  return figures;
}

/** One author always on the same socket, so that versions come in order. */
async function publishAll(url: string, events: readonly NostrEvent[]): Promise<Taken> {
  const queues = Array.from({ length: SOCKETS }, () => [] as NostrEvent[]);
  for (const event of events) {
    queues[Number.parseInt(event.pubkey.slice(0, 6), 16) % SOCKETS]?.push(event);
  }
  const byId = new Map(events.map((event) => [event.id, event]));
  const sentAt = new Map<string, number>();
  const taken = { acknowledged: [] as NostrEvent[], milliseconds: [] as number[] };
  const refused = new Map<string, number>();
  const connections = await BenchConnection.connectMany(url, SOCKETS);
  const started = performance.now();
  let last = started;
  let stall: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve) => {
    stall = setInterval(() => {
      if (performance.now() - last > STALL_MS) resolve();
    }, 500);
    let left = events.length;
    for (const [index, connection] of connections.entries()) {
      const queue = queues[index] ?? [];
      let next = 0;
      const send = (): void => {
        const event = queue[next];
        if (event === undefined) return;
        next += 1;
        sentAt.set(event.id, performance.now());
        connection.send(`["EVENT",${eventText(event)}]`);
      };
      connection.onOk = (id, accepted, frame) => {
        const event = byId.get(id);
        const sent = sentAt.get(id);
        if (event === undefined || sent === undefined || !sentAt.delete(id)) return;
        last = performance.now();
        taken.milliseconds.push(last - sent);
        if (accepted) taken.acknowledged.push(event);
        else refused.set(frame.slice(79, 140), (refused.get(frame.slice(79, 140)) ?? 0) + 1);
        left -= 1;
        if (left === 0) resolve();
        send();
      };
      for (let count = 0; count < IN_FLIGHT; count += 1) send();
    }
  });
  clearInterval(stall);
  for (const connection of connections) connection.close();
  return {
    ...taken,
    refused,
    seconds: (last - started) / 1000,
    unanswered: events.length - taken.milliseconds.length,
  };
}

/**
 * Stored is what the database holds. Where only an address is known, it is what the other
 * instance answers for a sample: what its publisher accepted it has not in its own memory.
 */
async function waitUntilStored(bench: Bench, events: readonly NostrEvent[]): Promise<boolean> {
  const kept = remaining(events);
  const condition =
    bench.databaseUrl === undefined
      ? () => areServed(instancesOf(bench).other, kept)
      : () => areCounted(bench.databaseUrl ?? '', kept.length);
  return until(condition, { timeoutMs: STORED_TIMEOUT_MS, what: 'all to be stored' }).catch(
    () => false,
  );
}

async function areCounted(databaseUrl: string, count: number): Promise<boolean> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const sql = 'select (select count(*) from events) + (select count(*) from kept) as count';
    const { rows } = await client.query<{ count: string }>(sql);
    return Number(rows[0]?.count) >= count;
  } finally {
    await client.end();
  }
}

const SAMPLE = 400;

async function areServed(url: string, kept: readonly NostrEvent[]): Promise<boolean> {
  const step = Math.max(1, Math.floor(kept.length / SAMPLE));
  const ids = kept.filter((_, index) => index % step === 0).map(({ id }) => id);
  const connection = await BenchConnection.connect(url);
  try {
    const { count } = await connection.query({ ids: ids.slice(0, SAMPLE) });
    return count === Math.min(ids.length, SAMPLE);
  } finally {
    connection.close();
  }
}
