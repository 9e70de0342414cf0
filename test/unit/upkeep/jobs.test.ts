import { openLog } from '../../../functions/cloud/log.ts';
import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import { type Job, type Leasing, runJobs } from '../../../functions/upkeep/jobs.ts';
import { sweepSubscriptions } from '../../../functions/upkeep/sweep.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { countOf } from '../../support/metrics.ts';

const quiet = openLog(
  { level: 'error', format: 'json', component: 'test' },
  { write: () => undefined },
);
const job = (name: string, run: Job['run']): Job => ({ name, deadlineMs: 1_000, run });

let metrics: Registry;
beforeEach(() => {
  metrics = new Registry('upkeep');
});
const time = (callMs = 60_000) => ({ callMs, clock: new ManualClock() });
const free: Leasing = (_, work) => work(new AbortController().signal);

describe('runJobs', () => {
  it('gives a job what is left of the call, and leaves for the next one what does not fit', async () => {
    const { callMs, clock } = time(40_000);
    const told: [string, number][] = [];
    // Works until it is told to stop, and a little longer.
    const tireless = (name: string, deadlineMs: number): Job => ({
      name,
      deadlineMs,
      run: (signal) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            told.push([name, clock.nowMs()]);
            clock.advance(1_000);
            resolve({});
          });
          setImmediate(() => clock.advance(deadlineMs));
        }),
    });
    const jobs = [tireless('one', 30_000), tireless('two', 30_000), tireless('three', 30_000)];
    expect(await runJobs(jobs, free, quiet, metrics, { callMs, clock })).toMatchObject([
      { name: 'one', result: 'done' },
      { name: 'two', result: 'done' },
      { name: 'three', result: 'postponed' },
    ]);
    expect(told).toEqual([
      ['one', 30_000],
      ['two', 40_000],
    ]);
  });

  it('goes on with the next job when one fails, and says which did', async () => {
    const released: string[] = [];
    const jobs = [
      job('one', async () => {
        throw new Error('broken');
      }),
      job('two', async () => ({ made: 1 })),
    ];
    const leasing: Leasing = async (name, work) => {
      try {
        return await work(new AbortController().signal);
      } finally {
        released.push(name);
      }
    };
    expect(await runJobs(jobs, leasing, quiet, metrics, time())).toEqual([
      { name: 'one', result: 'failed' },
      { name: 'two', result: 'done', counts: { made: 1 } },
    ]);
    expect(released).toEqual(['one', 'two']);
  });

  it('leaves a job alone that another call is doing', async () => {
    let ran = false;
    const jobs = [
      job('one', async () => {
        ran = true;
        return {};
      }),
    ];
    const reports = await runJobs(jobs, async () => undefined, quiet, metrics, time());
    expect(reports).toEqual([{ name: 'one', result: 'busy' }]);
    expect(ran).toBe(false);
  });
});

describe('metrics of jobs', () => {
  const leasing: Leasing = (_, work) => work(new AbortController().signal);

  it('count each by how it ended, and time it', async () => {
    const broken = job('one', () => Promise.reject(new Error('broken')));
    const sound = job('two', async () => ({ made: 1 }));
    await runJobs([broken, sound, sound], leasing, quiet, metrics, time());
    expect(countOf(metrics, 'success_total')).toBe(2);
    expect(countOf(metrics, 'fail_total', { reason: 'job' })).toBe(1);
    expect(countOf(metrics, 'process_duration')).toBe(3);
  });

  it('count nothing of one that another call is doing, but say that none failed', async () => {
    await runJobs([job('one', async () => ({}))], async () => undefined, quiet, metrics, time());
    expect(countOf(metrics, 'success_total')).toBe(0);
    expect(countOf(metrics, 'fail_total', { reason: 'job' })).toBe(0);
  });
});

describe('sweepSubscriptions', () => {
  it('deletes what silent instances left, and touches no other subscription', async () => {
    const orphan = 'relay-00000000-0000-4000-8000-000000000001';
    const living = 'relay-00000000-0000-4000-8000-000000000002';
    const removed: string[] = [];
    const asked: string[] = [];
    const result = await sweepSubscriptions({
      list: async () => [orphan, living, 'archive', 'relay-of-somebody-else'],
      silent: async (names) => {
        asked.push(...names);
        return [orphan];
      },
      remove: async (name) => void removed.push(name),
    });
    expect(result).toEqual({ swept: 1 });
    expect(asked).toEqual([orphan, living]);
    expect(removed).toEqual([orphan]);
  });
});
