import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Part } from '../../../functions/local/part.ts';
import { guardPart } from '../../../functions/local/parts.ts';
import { inspectProcess } from '../../../functions/local/processes.ts';
import { ListeningHost } from '../../support/local/host.ts';
import { until } from '../../support/until.ts';

/** A process that heeds nothing but force; ready when it has said so. */
const startDeaf = async (): Promise<ChildProcess> => {
  const script = "for (const s of ['SIGTERM', 'SIGINT']) process.on(s, () => {}); console.log(1);";
  const child = spawn(process.execPath, ['-e', `${script} setInterval(() => {}, 1000)`]);
  await once(child.stdout, 'data');
  return child;
};

const watchOf = (child: ChildProcess) => {
  const pid = child.pid as number;
  const started = inspectProcess(pid)?.started;
  if (started === undefined) throw new Error('the process has ended');
  return { watch: 'relay-0', pid, started };
};

const parts: Part[] = [];
/** A part that does not outlive its test, however that ends. */
const makePart = (...given: ConstructorParameters<typeof Part>): Part => {
  const part = new Part(...given);
  parts.push(part);
  return part;
};
afterEach(async () => {
  for (const part of parts.splice(0)) await part.stop([{ signal: 'SIGTERM', waitMs: 2_000 }]);
});

describe('the guard', () => {
  it('ends what hangs once the supervisor is gone, then itself', async () => {
    const host = new ListeningHost();
    const guard = makePart(guardPart(process.env), host);
    await guard.start();
    const deaf = await startDeaf();
    guard.send(watchOf(deaf));
    guard.disconnect();
    await until(() => deaf.signalCode === 'SIGKILL', { what: 'the end of the deaf process' });
    await until(() => host.ends === 1, { what: 'the end of the guard' });
  });

  it('lets alone what it was told to forget, and a stranger with an old number', async () => {
    const host = new ListeningHost();
    const guard = makePart(guardPart(process.env), host);
    await guard.start();
    const [forgotten, stranger] = [await startDeaf(), await startDeaf()];
    guard.send(watchOf(forgotten));
    guard.send({ forget: 'relay-0' });
    guard.send({ ...watchOf(stranger), watch: 'relay-1', started: 'some other time' });
    guard.disconnect();
    await until(() => host.ends === 1, { what: 'the end of the guard' });
    expect([forgotten.signalCode, stranger.signalCode]).toEqual([null, null]);
    forgotten.kill('SIGKILL');
    stranger.kill('SIGKILL');
  });

  it('outlives signals that are sent to all processes at once', async () => {
    const host = new ListeningHost();
    const guard = makePart(guardPart(process.env), host);
    await guard.start();
    for (const signal of ['SIGINT', 'SIGHUP'] as const) process.kill(guard.pid as number, signal);
    const deaf = await startDeaf();
    guard.send(watchOf(deaf));
    guard.disconnect();
    await until(() => deaf.signalCode === 'SIGKILL', { what: 'the end of the deaf process' });
    expect(host.ends).toBeLessThanOrEqual(1);
  });
});
