import { setTimeout as pause } from 'node:timers/promises';
import { type Bench, cpuFigures, type Figures, instancesOf, measure } from '../bench.ts';
import { BenchConnection } from '../connection.ts';
import { randomOf } from '../random.ts';
import { rounded } from '../statistics.ts';

const AT_A_TIME = 25;
const FOLLOWED = 100;
/** What memory needs to come to rest after the last connection. */
const REST_MS = 2_000;

/** Connections that only wait, each with a home feed and mentions: what does one take? */
export async function idle(bench: Bench): Promise<Figures> {
  const { first } = instancesOf(bench);
  const random = randomOf(5);
  const authors = [...new Set(bench.data.main.map(({ pubkey }) => pubkey))];
  await warmUp(first);
  const before = measure(bench);
  const connections: BenchConnection[] = [];
  let failed = 0;
  let opened = 0;
  const started = performance.now();
  const open = async (): Promise<void> => {
    while (opened < bench.scale.idleConnections) {
      opened += 1;
      const me = authors[opened % authors.length];
      const feed = random.sample(authors.length, FOLLOWED).map((index) => authors[index]);
      try {
        const connection = await BenchConnection.connect(first);
        connections.push(connection);
        const nothing = (): void => undefined;
        await connection.follow({ authors: feed, kinds: [1, 6], limit: 1 }, nothing);
        await connection.follow({ '#p': [me], kinds: [1, 6, 7, 9735], limit: 1 }, nothing);
      } catch {
        failed += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, open));
  const seconds = (performance.now() - started) / 1000;
  await pause(REST_MS);
  const after = measure(bench);
  const still = connections.filter(({ isOpen }) => isOpen).length;
  for (const connection of connections) connection.close();
  const grown =
    (after.get('relay-0')?.memoryBytes ?? 0) - (before.get('relay-0')?.memoryBytes ?? 0);
  return {
    'connections/s, with 2 REQs each': rounded(connections.length / seconds),
    'open at the end': still,
    failed,
    'KB/connection, relay-0': after.size === 0 ? null : rounded(grown / 1000 / Math.max(1, still)),
    ...cpuFigures(before, after, connections.length, 'connection'),
  };
}

/** Code that has run once takes no memory of the first connections. */
async function warmUp(url: string): Promise<void> {
  for (const connection of await BenchConnection.connectMany(url, AT_A_TIME)) {
    await connection.query({ kinds: [1], limit: 1 });
    connection.close();
  }
  await pause(REST_MS / 2);
}
