import { Part, type PartSpec } from '../../../functions/local/part.ts';
import { inspectProcess } from '../../../functions/local/processes.ts';
import { ListeningHost } from '../../support/local/host.ts';
import { until } from '../../support/until.ts';

/** A part whose process runs a few words of JavaScript. */
const specOf = (script: string): PartSpec => ({
  name: 'stand-in',
  command: process.execPath,
  args: ['-e', script],
  env: process.env,
  ready: 'message',
});
const stays = "process.on('message', () => {}); process.send({ready: true});";

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

describe('a part', () => {
  it('is started again within a second when it is killed', async () => {
    const host = new ListeningHost();
    const part = makePart(specOf(stays), host);
    await part.start();
    const [first] = host.pids;
    const killed = performance.now();
    process.kill(first as number, 'SIGKILL');
    await until(() => host.notes.some((note) => note.includes('is back')), { what: 'return' });
    expect(performance.now() - killed).toBeLessThan(1_000);
    expect(part.pid).toBe(host.pids[1]);
    await part.stop([{ signal: 'SIGTERM', waitMs: 2_000 }]);
  });

  it('is not started again when it is stopped', async () => {
    const host = new ListeningHost();
    const part = makePart(specOf(stays), host);
    await part.start();
    await part.stop([{ signal: 'SIGTERM', waitMs: 2_000 }]);
    expect(host.ends).toBe(1);
    expect(part.pid).toBeUndefined();
    expect(host.notes).toEqual([]);
  });

  it('that will not stop is killed', async () => {
    const host = new ListeningHost();
    const part = makePart(specOf(`process.on('SIGTERM', () => {}); ${stays}`), host);
    await part.start();
    await part.stop([{ signal: 'SIGTERM', waitMs: 100 }]);
    expect(inspectProcess(host.pids[0] as number)).toBeUndefined();
    expect(host.notes.join()).toContain('did not stop in time');
  });

  it('that never gets ready fails the start with its last output', async () => {
    const host = new ListeningHost();
    const part = makePart(specOf("console.error('no such thing'); process.exit(3)"), host);
    await expect(part.start()).rejects.toThrow(/would not start.*exit code 3.*\n {2}no such thing/);
    expect(host.pids.length).toBe(4);
  });

  it('fails with words for people where its last output was a line for machines', async () => {
    const line = JSON.stringify({
      severity: 'ERROR',
      message: 'two\nmistakes',
      error: { message: 'no' },
    });
    const part = makePart(
      specOf(`console.log(${JSON.stringify(line)}); process.exit(1)`),
      new ListeningHost(),
    );
    await expect(part.start()).rejects.toThrow(/\n {2}two\n {2}mistakes: no$/);
  });

  it('whose program is missing fails the start and says so', async () => {
    const part = makePart({ ...specOf(''), command: '/no/such/program' }, new ListeningHost());
    await expect(part.start()).rejects.toThrow(/ENOENT/);
  });

  it('that is stopped while it starts ends the start', async () => {
    const part = makePart(specOf('setInterval(() => {}, 1000)'), new ListeningHost());
    const starting = part.start();
    await part.stop([{ signal: 'SIGTERM', waitMs: 2_000 }]);
    await expect(starting).rejects.toThrow('stopped before it was ready');
  });
});
