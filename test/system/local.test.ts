import { type AddressInfo, createServer } from 'node:net';
import { inspectProcess } from '../../functions/local/processes.ts';
import { makeFolder } from '../support/local/folder.ts';
import { RunningSystem } from '../support/local/running.ts';
import { signedEvent } from '../support/signed-events.ts';
import { SocketClient } from '../support/socket-client.ts';
import { freePorts } from '../support/system.ts';
import { until } from '../support/until.ts';

const temporary = makeFolder();
const running: RunningSystem[] = [];
afterAll(async () => {
  for (const system of running) await system.end();
  temporary.remove();
});

const begin = (options: ConstructorParameters<typeof RunningSystem>[0]): RunningSystem => {
  const system = new RunningSystem(options);
  running.push(system);
  return system;
};
const exists = (pid: number): boolean => inspectProcess(pid) !== undefined;

describe('npm start', () => {
  const data = temporary.path;
  const event = signedEvent({ content: 'kept over all that' });
  let port: number;
  let system: RunningSystem;

  const isServed = async (): Promise<boolean> => {
    const client = await SocketClient.open(`ws://127.0.0.1:${port}`);
    try {
      return (await client.query({ ids: [event.id] })).length === 1;
    } finally {
      client.terminate();
    }
  };

  beforeAll(async () => {
    port = await freePorts(2);
    system = await begin({ port, data, relays: 2 }).ready();
  }, 60_000);

  it('says where the relays listen, where the data are, and what to try next', () => {
    for (const words of [
      `ws://localhost:${port}`,
      `ws://localhost:${port + 1}`,
      data,
      'npx distrise publish',
      'npx distrise subscribe',
      'npx distrise import',
      'dashboards http://localhost:',
    ]) {
      expect(system.output).toContain(words);
    }
    expect(system.output.split('\n').length).toBeLessThan(20);
  });

  it('runs every part as a process of its own and names it in a file', () => {
    const parts = ['postgres', 'pubsub', 'monitoring', 'store', 'upkeep', 'relay-0', 'relay-1'];
    const names = ['supervisor', ...parts];
    const pids = names.map((name) => system.pid(name));
    expect(pids.every(exists)).toBe(true);
    expect(new Set(pids).size).toBe(names.length);
    expect(inspectProcess(system.pid('postgres'))?.command).toMatch(/postgres -D/);
  });

  it('shows the dashboards where it says so', async () => {
    const [, url] = /dashboards (\S+)/.exec(system.output) ?? [];
    const page = await fetch(`${url}/`);
    expect(await page.text()).toContain('<title>Distrise');
    const view = (await (await fetch(`${url}/api/view`)).json()) as { faults: string[] };
    expect(view.faults).toEqual([]);
  });

  it('takes an event at one relay and serves it at the other', async () => {
    const client = await SocketClient.open(`ws://127.0.0.1:${port + 1}`);
    await client.store(event);
    client.terminate();
    await until(isServed, { what: 'event at the other relay' });
  });

  it('refuses a second start on the same folder', async () => {
    const second = begin({ port: await freePorts(1), data });
    expect(await second.exited()).toBe(1);
    expect(second.output).toMatch(
      new RegExp(`already running on the data folder ${data} \\(process \\d+\\)`),
    );
    expect(exists(system.pid('postgres'))).toBe(true);
  });

  it('refuses a port in use, names it, and starts nothing', async () => {
    const other = makeFolder();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, resolve));
    const taken = (server.address() as AddressInfo).port;
    const second = begin({ port: taken - 1, data: other.path, relays: 2 });
    expect(await second.exited()).toBe(1);
    expect(second.output).toMatch(new RegExp(`Port (${taken}|${taken - 1}),.* already in use`));
    expect(second.pids()).toEqual([]);
    server.close();
    other.remove();
  });

  it.each(['relay-0', 'store', 'upkeep', 'pubsub', 'monitoring', 'postgres', 'guard'])(
    'starts %s again within a second when it is killed',
    async (name) => {
      const before = system.pid(name);
      process.kill(before, 'SIGKILL');
      await until(() => system.pid(name) !== before && exists(system.pid(name)), {
        timeoutMs: 1_000,
        what: `another ${name}`,
      });
    },
  );

  it('serves again after those deaths', async () => {
    await until(isServed, { timeoutMs: 15_000, what: 'event after the deaths' });
  });

  it('leaves nothing behind when it is killed, and then finds its data again', async () => {
    const pids = system.pids();
    expect(pids.length).toBeGreaterThanOrEqual(8);
    system.signalGroup('SIGKILL');
    process.kill(system.pid('supervisor'), 'SIGKILL');
    await until(() => !pids.some(exists), { timeoutMs: 10_000, what: 'the end of all parts' });
    system = await begin({ port, data, relays: 2 }).ready();
    await until(isServed, { what: 'event after the kill' });
  }, 40_000);

  it('ends what a killed start left running when it is started again at once', async () => {
    const pids = system.pids();
    process.kill(system.pid('supervisor'), 'SIGKILL');
    system = await begin({ port, data, relays: 2 }).ready();
    expect(pids.some(exists)).toBe(false);
    await until(isServed, { what: 'event after the second kill' });
  }, 40_000);

  it('stops everything within 10 s of Ctrl-C, with exit code 0', async () => {
    const pids = system.pids();
    const asked = performance.now();
    system.signalGroup('SIGINT');
    expect(await system.exited()).toBe(0);
    expect(performance.now() - asked).toBeLessThan(10_000);
    expect(pids.some(exists)).toBe(false);
    expect(system.output).not.toMatch(/starting it again|ERROR/);
  }, 15_000);
});
