import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { answer, type PlainFilter, remaining } from '../../support/slow-oracle.ts';
import { type Bench, cpuFigures, type Figures, instancesOf, measure } from '../bench.ts';
import { BenchConnection } from '../connection.ts';
import { NEWEST_SECONDS, SPAN_SECONDS } from '../data.ts';
import { type Random, randomOf } from '../random.ts';
import { latencyOf, rounded } from '../statistics.ts';

const SOCKETS = 4;
const WARM_UP_SHARE = 0.2;
/** Answers of each kind that are compared with the model before anything is timed. */
const CHECKS = 8;
/** What a REQ without `limit` gives; the model must know it. */
const DEFAULT_LIMIT = 500;
const DAY = 86_400;

type MakeFilter = (random: Random) => PlainFilter;

/** Nine questions as clients ask them, over the data that were ingested. */
function questions(events: readonly NostrEvent[]): Record<string, MakeFilter> {
  const counts = new Map<string, number>();
  for (const { pubkey } of events) counts.set(pubkey, (counts.get(pubkey) ?? 0) + 1);
  const authors = [...counts.keys()];
  const busy = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([a]) => a);
  const notes = events.filter(({ kind }) => kind === 1);
  const articles = events.filter(({ kind }) => kind === 30_023);
  const answers = events.filter(({ kind }) => kind === 1 || kind === 7);
  const parents = [
    ...new Set(
      answers.flatMap(({ tags }) => tags.filter(([name]) => name === 'e').map((t) => t[1])),
    ),
  ].filter((id) => id !== undefined);
  const some = (random: Random, count: number): string[] =>
    random.sample(authors.length, count).map((index) => authors[index] ?? '');
  const someone = (random: Random): string => busy[random.skewed(busy.length, 0.5)] ?? '';
  return {
    'by id': (random) => ({ ids: [random.pick(notes).id] }),
    author: (random) => ({ authors: [someone(random)], limit: 20 }),
    'feed of 200': (random) => ({ authors: some(random, 200), kinds: [1, 6], limit: 50 }),
    thread: (random) => ({ '#e': [random.pick(parents)], kinds: [1, 7] }),
    mentions: (random) => ({
      '#p': [someone(random)],
      kinds: [1, 6, 7, 9735],
      since: NEWEST_SECONDS - 10 * DAY - random.int(DAY),
      limit: 50,
    }),
    'profiles of 50': (random) => ({ authors: some(random, 50), kinds: [0] }),
    'global 500': (random) => ({ kinds: [1], limit: 500, until: NEWEST_SECONDS + random.int(30) }),
    addressable: (random) => {
      const { pubkey, tags } = random.pick(articles);
      return { kinds: [30_023], authors: [pubkey], '#d': [tags[0]?.[1] ?? ''] };
    },
    page: (random) => {
      const until = NEWEST_SECONDS - random.int(SPAN_SECONDS - 3 * DAY);
      return { kinds: [1, 6, 7], since: until - 2 * DAY, until, limit: 100 };
    },
  };
}

/** Each kind of question by itself: first are the answers right, then how fast they come. */
export async function queries(bench: Bench): Promise<Figures> {
  const { first } = instancesOf(bench);
  const kept = remaining(bench.acknowledged);
  const connections = await BenchConnection.connectMany(first, SOCKETS);
  const figures: Figures = {};
  for (const [name, make] of Object.entries(questions(bench.acknowledged))) {
    const right = await countRight(connections, make, kept);
    await ask(connections, make, randomOf(2), bench.scale.querySeconds * WARM_UP_SHARE);
    const before = measure(bench);
    const asked = await ask(connections, make, randomOf(1), bench.scale.querySeconds);
    const after = measure(bench);
    const count = asked.milliseconds.length;
    const { p50Ms, p99Ms } = latencyOf(asked.milliseconds);
    Object.assign(figures, {
      [`${name}: q/s`]: rounded(count / asked.seconds),
      [`${name}: p50 ms`]: p50Ms,
      [`${name}: p99 ms`]: p99Ms,
      [`${name}: events/query`]: rounded(asked.events / Math.max(1, count)),
      [`${name}: right answers`]: `${right}/${CHECKS}`,
      [`${name}: failed`]: asked.failed,
    });
    for (const [what, value] of Object.entries(cpuFigures(before, after, count, 'query'))) {
      figures[`${name}: ${what}`] = value;
    }
  }
  for (const connection of connections) connection.close();
  return figures;
}

/**
 * Right is: the same ids in the same order as the model's. The live notes of other phases match
 * none of these questions.
 */
async function countRight(
  connections: readonly BenchConnection[],
  make: MakeFilter,
  kept: readonly NostrEvent[],
): Promise<number> {
  const [connection] = connections;
  const random = randomOf(1000);
  let right = 0;
  for (let check = 0; check < CHECKS; check += 1) {
    const filter = make(random);
    const wanted = answer(kept, [filter], DEFAULT_LIMIT).map(({ id }) => id);
    const given = await connection?.query(filter, true);
    if (given?.closed === undefined && given?.ids.join() === wanted.join()) right += 1;
  }
  return right;
}

/** Every socket asks its next question when the last one is answered. */
async function ask(
  connections: readonly BenchConnection[],
  make: MakeFilter,
  random: Random,
  seconds: number,
): Promise<{ milliseconds: number[]; events: number; failed: number; seconds: number }> {
  const milliseconds: number[] = [];
  let events = 0;
  let failed = 0;
  const started = performance.now();
  const end = started + seconds * 1000;
  const loop = async (connection: BenchConnection): Promise<void> => {
    while (performance.now() < end && connection.isOpen) {
      const given = await connection.query(make(random));
      if (given.closed !== undefined) {
        failed += 1;
        continue;
      }
      milliseconds.push(given.milliseconds);
      events += given.count;
    }
  };
  await Promise.all(connections.map(loop));
  return { milliseconds, events, failed, seconds: (performance.now() - started) / 1000 };
}
