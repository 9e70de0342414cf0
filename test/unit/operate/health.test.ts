import { CATALOGUE } from '../../../functions/cloud/metrics/catalogue.ts';
import { OURS } from '../../../functions/operate/health-read.ts';
import { openTestMonitoring, type TestMonitoring } from '../../support/monitoring/server.ts';
import { counter, distribution, metric, PROJECT } from '../../support/monitoring/wire-series.ts';
import { runOperate } from '../../support/run-operator.ts';

const MINUTE = 60_000;
const BEGAN = Date.parse('2026-11-25T10:00:00Z');
const NOW = BEGAN + 5 * MINUTE;
const BOUNDS = [10, 100, 1_000, 5_000];
const NEW = 'relay-00008-new';

let monitoring: TestMonitoring;
let clockMs = NOW;
beforeEach(async () => {
  monitoring = await openTestMonitoring(() => clockMs);
});
afterEach(() => monitoring.close());

type Series = ReturnType<typeof counter>;

/** An instance writes, when it is that time. */
async function written(endMs: number, ...timeSeries: Series[]): Promise<void> {
  clockMs = endMs;
  await monitoring.client.createTimeSeries({
    name: `projects/${PROJECT}`,
    timeSeries: timeSeries as never,
  });
  clockMs = NOW;
}

const work = (
  revision: string,
  done: number,
  failed: Readonly<Record<string, number>> = {},
  [startMs, endMs]: readonly [number, number] = [BEGAN, BEGAN + 2 * MINUTE],
) => {
  const task = `${revision}-1a2b3c-abcd`;
  const at = [startMs, endMs] as const;
  const series = [counter(done, at, { type: metric('success_total'), task })];
  for (const [reason, count] of Object.entries(failed)) {
    series.push(counter(count, at, { type: metric('fail_total'), task, labels: { reason } }));
  }
  return written(endMs, ...series);
};

const judge = (...revisions: string[]) =>
  runOperate(['health', '--since', '2026-11-25T10:00:00Z', '--wait', '0', ...revisions], {
    env: {
      GOOGLE_CLOUD_PROJECT: PROJECT,
      MONITORING_EMULATOR_HOST: `127.0.0.1:${monitoring.server.port}`,
    },
    nowMs: NOW,
  });

describe('distrise health', () => {
  it('finds a revision good that does its work', async () => {
    await work(NEW, 1_000, { error: 2 });
    const { code, stdout } = await judge(NEW);
    expect(stdout).toBe(`${NEW}: 1000 done, 2 failed through our fault; good\n`);
    expect(code).toBe(0);
  });

  it('finds a revision bad of whose work more than one in a hundred fails through our fault', async () => {
    await work(NEW, 970, { error: 20, unpublished: 10 });
    const { code, stdout } = await judge(NEW);
    expect(stdout).toContain('970 done, 30 failed through our fault; more than 1 % fail');
    expect(code).toBe(1);
  });

  it('does not blame a revision for what clients do wrong', async () => {
    await work(NEW, 100, { invalid: 500, 'rate-limited': 500 });
    expect((await judge(NEW)).code).toBe(0);
  });

  it('does not judge by a handful', async () => {
    await work(NEW, 3, { error: 2 });
    expect((await judge(NEW)).code).toBe(0);
  });

  it('judges by what came after the moment only', async () => {
    await work(NEW, 0, { error: 500 }, [BEGAN - 5 * MINUTE, BEGAN - MINUTE]);
    await work(NEW, 1_000, { error: 501 }, [BEGAN - 5 * MINUTE, BEGAN + MINUTE]);
    const { code, stdout } = await judge(NEW);
    expect(stdout).toContain('1000 done, 1 failed');
    expect(code).toBe(0);
  });

  it('judges a revision by its own instances, not by those of another', async () => {
    await work('relay-00007-old', 0, { error: 500 });
    await work(NEW, 100);
    expect((await judge(NEW)).code).toBe(0);
    expect((await judge('relay-00007-old')).code).toBe(1);
  });

  it('finds a relay bad whose clients wait', async () => {
    const task = `${NEW}-1a2b3c-abcd`;
    const at = [BEGAN, BEGAN + MINUTE] as const;
    const buckets = { bounds: BOUNDS, counts: [80, 10, 4, 6, 0] };
    await written(
      at[1],
      distribution(buckets, at, { type: metric('process_duration'), task }) as Series,
    );
    const { code, stdout } = await judge(NEW);
    expect(stdout).toContain('95 % within 5000 ms; one in twenty waits longer than 2000 ms');
    expect(code).toBe(1);
  });

  it('finds a relay bad that writes nothing, and a function not, which nobody may have called', async () => {
    const { code, stdout } = await judge(NEW, 'store-00008-new');
    expect(stdout).toMatch(/relay-00008-new: .*it writes no metrics/);
    expect(stdout).toMatch(/store-00008-new: .*good/);
    expect(code).toBe(1);
    expect((await judge('store-00008-new')).code).toBe(0);
  });

  it('blames a revision of store for what a relay had taken and store does not write', async () => {
    await work('store-00008-new', 950, { refused: 25, unreadable: 25 });
    const { code, stdout } = await judge('store-00008-new');
    expect(stdout).toContain('950 done, 50 failed through our fault; more than 1 % fail');
    expect(code).toBe(1);
  });

  it('knows of every reason that relay and store write whose fault it is', () => {
    const { relay, store } = CATALOGUE.fail_total.labels.reason;
    const clients = ['deleted', 'invalid', 'rate-limited', 'restricted', 'pow', 'blocked'];
    expect(new Set([...OURS, ...clients])).toEqual(new Set<string>([...relay, ...store]));
    expect(clients.filter((reason) => OURS.has(reason))).toEqual([]);
  });

  it('refuses a time that is none', async () => {
    expect((await runOperate(['health', '--since', 'yesterday', NEW])).code).toBe(2);
  });
});
