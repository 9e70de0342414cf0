import { inspectProcess } from '../../../functions/local/processes.ts';
import { signedEvent } from '../signed-events.ts';
import { SocketClient } from '../socket-client.ts';
import { freePorts } from '../system.ts';
import { until } from '../until.ts';
import { makeFolder } from './folder.ts';
import { RunningSystem } from './running.ts';

/**
 * The shortest proof that a system works: started by the command in the arguments (`npm start --`
 * unless given), it takes an event, serves it from the database's side too, and ends on Ctrl-C with
 * exit code 0 and nothing left. Exits 1 with the reason otherwise.
 */

const given = process.argv.slice(2);
const folder = makeFolder();
const port = await freePorts(1);
const began = performance.now();
const system = new RunningSystem({
  port,
  data: folder.path,
  ...(given.length === 0 ? {} : { command: given }),
});
try {
  await system.ready();
  const readyMs = performance.now() - began;
  const event = signedEvent({ content: 'smoke', created_at: Math.floor(Date.now() / 1000) });
  const client = await SocketClient.open(`ws://localhost:${port}`);
  const { accepted, message } = await client.publish(event);
  if (!accepted) throw new Error(`the event was refused: ${message}`);
  await until(async () => (await client.query({ ids: [event.id] })).length === 1, {
    what: 'the event to come back',
  });
  await client.close();
  const pids = system.pids();
  const stopped = performance.now();
  system.signalGroup('SIGINT');
  const code = await system.exited();
  if (code !== 0) throw new Error(`exit code ${code}`);
  const left = pids.filter((pid) => inspectProcess(pid) !== undefined);
  if (left.length > 0) throw new Error(`processes are left: ${left.join(', ')}`);
  const seconds = (ms: number): string => (ms / 1000).toFixed(1);
  process.stdout.write(
    `Smoke run passed: ready after ${seconds(readyMs)} s, ` +
      `stopped within ${seconds(performance.now() - stopped)} s.\n`,
  );
} catch (error) {
  process.stderr.write(`Smoke run failed: ${(error as Error).message}\n${system.output}\n`);
  process.exitCode = 1;
} finally {
  await system.end();
  folder.remove();
}
