import { setTimeout as pause } from 'node:timers/promises';
import { watchEventLoop, watchMemory } from '../../../../functions/cloud/metrics/process.ts';
import { Registry } from '../../../../functions/cloud/metrics/registry.ts';
import { countOf } from '../../../support/metrics.ts';
import { until } from '../../../support/until.ts';

describe('metrics of the process', () => {
  it('say how much memory it has', () => {
    const metrics = new Registry('store');
    watchMemory(metrics);
    expect(countOf(metrics, 'memory_bytes')).toBeGreaterThan(10_000_000);
  });

  it('say how long the event loop was held, once', async () => {
    const metrics = new Registry('relay');
    watchEventLoop(metrics);
    // The first look only begins; what is held after it counts.
    await pause(60);
    const end = performance.now() + 300;
    while (performance.now() < end);
    await pause(60);
    expect(countOf(metrics, 'event_loop_delay')).toBeGreaterThan(200);
    // In so short a time one long delay among many would still be the 99th percentile.
    const quiet = () => (countOf(metrics, 'event_loop_delay') ?? 999) < 200;
    await until(quiet, { what: 'a quiet loop', timeoutMs: 500 });
  });
});
