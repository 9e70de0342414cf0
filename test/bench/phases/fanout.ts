import { setTimeout as pause } from 'node:timers/promises';
import { eventText, type NostrEvent } from '../../../functions/nostr/event.ts';
import { until } from '../../support/until.ts';
import { type Bench, cpuFigures, type Figures, instancesOf, measure } from '../bench.ts';
import { BenchConnection, idOf } from '../connection.ts';
import { liveTopic } from '../data.ts';
import { randomOf } from '../random.ts';
import { latencyOf, rounded } from '../statistics.ts';

const NOTES_PER_SECOND = 20;
const BURST_IN_FLIGHT = 16;
const FEED_AUTHORS = 50;
const ARRIVAL_TIMEOUT_MS = 15_000;

/** What the subscribers of one instance have got. */
class Audience {
  count = 0;
  doubles = 0;
  lastAt = 0;
  milliseconds: number[] = [];
  readonly connections: BenchConnection[] = [];

  take(seen: Set<string>, sentAt: ReadonlyMap<string, number>, frame: Buffer): void {
    const id = idOf(frame);
    const sent = sentAt.get(id);
    if (sent === undefined) return;
    if (seen.has(id)) this.doubles += 1;
    else {
      seen.add(id);
      this.count += 1;
      this.lastAt = performance.now();
      this.milliseconds.push(this.lastAt - sent);
    }
  }

  reset(): void {
    this.count = 0;
    this.milliseconds = [];
  }
}

/** A steady trickle for the latency, then a burst for the rate, to subscribers on two instances. */
export async function fanOut(bench: Bench): Promise<Figures> {
  const { first, other } = instancesOf(bench);
  const { subscribers, steadySeconds, burst } = bench.scale;
  const sentAt = new Map<string, number>();
  const here = new Audience();
  const there = new Audience();
  const apart = first !== other;
  await Promise.all([
    gather(bench, here, first, apart ? Math.ceil(subscribers / 2) : subscribers, sentAt),
    apart ? gather(bench, there, other, Math.floor(subscribers / 2), sentAt) : undefined,
  ]);
  const publisher = await BenchConnection.connect(first);
  const steady = bench.data.live.slice(0, steadySeconds * NOTES_PER_SECOND);
  const started = performance.now();
  for (const [index, event] of steady.entries()) {
    const wait = started + (index * 1000) / NOTES_PER_SECOND - performance.now();
    if (wait > 1) await pause(wait);
    sentAt.set(event.id, performance.now());
    publisher.send(`["EVENT",${eventText(event)}]`);
  }
  const lostSteady = await settle([here, there], steady.length);
  const same = latencyOf(here.milliseconds);
  const elsewhere = latencyOf(there.milliseconds);
  here.reset();
  there.reset();
  const before = measure(bench);
  const burstStarted = performance.now();
  const notes = bench.data.live.slice(steady.length, steady.length + burst);
  await publishBurst(publisher, notes, sentAt);
  const lostBurst = await settle([here, there], notes.length);
  const seconds = (Math.max(here.lastAt, there.lastAt) - burstStarted) / 1000;
  const deliveries = here.count + there.count;
  const after = measure(bench);
  for (const connection of [...here.connections, ...there.connections, publisher]) {
    connection.close();
  }
  return {
    'publish to deliver p50 ms, same instance': same.p50Ms,
    'publish to deliver p99 ms, same instance': same.p99Ms,
    'publish to deliver p50 ms, other instance': elsewhere.p50Ms,
    'publish to deliver p99 ms, other instance': elsewhere.p99Ms,
    'burst: deliveries/s': rounded(deliveries / seconds),
    'burst: events/s': rounded(notes.length / seconds),
    lost: lostSteady + lostBurst,
    'delivered twice': here.doubles + there.doubles,
    ...cpuFigures(before, after, deliveries, 'delivery'),
  };
}

/** Two subscriptions a connection: one that matches and one home feed that does not. */
async function gather(
  bench: Bench,
  audience: Audience,
  url: string,
  count: number,
  sentAt: ReadonlyMap<string, number>,
): Promise<void> {
  const random = randomOf(3);
  const authors = [...new Set(bench.data.main.map(({ pubkey }) => pubkey))];
  const open = async (): Promise<void> => {
    const connection = await BenchConnection.connect(url);
    audience.connections.push(connection);
    const feed = random.sample(authors.length, FEED_AUTHORS).map((index) => authors[index]);
    await connection.follow({ authors: feed, kinds: [1, 6], limit: 1 }, () => undefined);
    const seen = new Set<string>();
    const filter = { kinds: [1], '#t': [liveTopic(bench.seed)], limit: 1 };
    const answer = await connection.follow(filter, (frame) => audience.take(seen, sentAt, frame));
    if (answer.closed !== undefined) throw new Error(`no subscription: ${answer.closed}`);
  };
  await Promise.all(Array.from({ length: count }, open));
}

/** Waits for what is still under way; gives how many deliveries never came. */
async function settle(audiences: readonly Audience[], notes: number): Promise<number> {
  const missing = (): number =>
    audiences.reduce((sum, { connections, count }) => sum + connections.length * notes - count, 0);
  await until(() => missing() === 0, {
    timeoutMs: ARRIVAL_TIMEOUT_MS,
    what: 'the last deliveries',
  }).catch(() => undefined);
  return missing();
}

async function publishBurst(
  publisher: BenchConnection,
  notes: readonly NostrEvent[],
  sentAt: Map<string, number>,
): Promise<void> {
  let next = 0;
  let answered = 0;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ARRIVAL_TIMEOUT_MS);
    const send = (): void => {
      const event = notes[next];
      if (event === undefined) return;
      next += 1;
      sentAt.set(event.id, performance.now());
      publisher.send(`["EVENT",${eventText(event)}]`);
    };
    publisher.onOk = () => {
      answered += 1;
      if (answered === notes.length) {
        clearTimeout(timer);
        resolve();
      }
      send();
    };
    for (let count = 0; count < BURST_IN_FLIGHT; count += 1) send();
  });
}
