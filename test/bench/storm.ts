import { fork } from 'node:child_process';
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { WebSocket } from 'ws';
import { startServer } from '../support/relay-server.ts';

/**
 * All clients of one relay come back in the same moment: how long its event loop is held, and how
 * long the last of them waits for its EOSE. `node test/bench/storm.ts [clients] [REQs of each]`.
 * The relay is a process of its own, in front of an engine in memory: sockets are what is measured.
 */
const clients = Number(process.argv[2] ?? 1_000);
const requests = Number(process.argv[3] ?? 5);

async function relay(): Promise<void> {
  const delays = monitorEventLoopDelay({ resolution: 1 });
  const { webSocketUrl, server } = await startServer({ RELAY_CONNECTIONS_MAX: String(clients) });
  delays.enable();
  process.on('message', () => {
    const [p99, max] = [delays.percentile(99), delays.max].map((ns) => Math.round(ns / 1e5) / 10);
    process.send?.({ p99, max, open: server.connections, rss: process.memoryUsage.rss() });
    delays.reset();
  });
  process.send?.(webSocketUrl);
}

/** Connects, asks, and is there once all is answered. */
function client(url: string): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    let left = requests;
    socket.on('open', () => {
      for (let at = 0; at < requests; at += 1) {
        socket.send(JSON.stringify(['REQ', `${at}`, { kinds: [1], limit: 10 }]));
      }
    });
    socket.on('message', (data: Buffer) => {
      if (data.toString('utf8', 0, 7) === '["EOSE"') left -= 1;
      if (left === 0) resolve(socket);
    });
    socket.on('error', reject);
    socket.on('close', (code) => reject(new Error(`closed with ${code}`)));
  });
}

async function storm(): Promise<void> {
  const child = fork(new URL(import.meta.url), [String(clients), String(requests)], {
    env: { ...process.env, STORM_RELAY: '1' },
  });
  const [url] = (await once(child, 'message')) as [string];
  const figures = async () => {
    child.send('figures');
    return ((await once(child, 'message')) as [object])[0];
  };
  await client(url);
  await figures();
  const began = performance.now();
  const waits: number[] = [];
  const came = await Promise.allSettled(
    Array.from({ length: clients - 1 }, async () => {
      const socket = await client(url);
      waits.push(performance.now() - began);
      return socket;
    }),
  );
  waits.sort((a, b) => a - b);
  const failed = came.filter(({ status }) => status === 'rejected').length;
  const [median, last] = [waits[waits.length >> 1], waits.at(-1)].map((ms) => Math.round(ms ?? 0));
  console.log({ clients, requests, failed, median, last, relay: await figures() });
  child.kill('SIGKILL');
  process.exit(failed === 0 ? 0 : 1);
}

await (process.env['STORM_RELAY'] === undefined ? storm() : relay());
