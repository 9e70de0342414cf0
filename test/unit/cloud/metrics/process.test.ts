import {
  type Delays,
  watchEventLoop,
  watchMemory,
} from '../../../../functions/cloud/metrics/process.ts';
import { Registry } from '../../../../functions/cloud/metrics/registry.ts';
import { countOf } from '../../../support/metrics.ts';

describe('metrics of the process', () => {
  it('say how much memory it has', () => {
    const metrics = new Registry('store');
    watchMemory(metrics);
    expect(countOf(metrics, 'memory_bytes')).toBeGreaterThan(10_000_000);
  });

  it('say how long the event loop was held, once, without the time between two looks', () => {
    const metrics = new Registry('relay');
    const given = [320, 21, 4];
    const delays: Delays = {
      enable: () => true,
      percentile: (percent) => (percent === 99 ? (given[0] ?? 0) * 1e6 : Number.NaN),
      reset: () => void given.shift(),
    };
    watchEventLoop(metrics, delays);
    const read = () => countOf(metrics, 'event_loop_delay');
    expect([read(), read(), read()]).toEqual([300, 1, 0]);
  });

  it('are read of the real event loop', () => {
    const metrics = new Registry('relay');
    watchEventLoop(metrics);
    expect(countOf(metrics, 'event_loop_delay')).toBeGreaterThanOrEqual(0);
  });
});
