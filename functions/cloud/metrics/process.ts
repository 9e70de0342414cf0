import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { Metrics } from './registry.ts';

/** How often the loop is looked at: a delay shorter than this is nobody's trouble. */
const RESOLUTION_MS = 20;

/** Delays of the event loop in nanoseconds, as Node gathers them. */
export type Delays = Pick<IntervalHistogram, 'enable' | 'percentile' | 'reset'>;

/** Has the memory of this process written. */
export function watchMemory(metrics: Metrics): void {
  metrics.watch('memory_bytes', {}, () => process.memoryUsage.rss());
}

/**
 * Has written how long the event loop was held, from one write to the next. Only for processes
 * that always have a CPU: a function's is taken away between two calls, which looks the same.
 */
export function watchEventLoop(
  metrics: Metrics,
  delays: Delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS }),
): void {
  delays.enable();
  metrics.watch('event_loop_delay', {}, () => {
    const p99Ms = delays.percentile(99) / 1e6;
    delays.reset();
    // The time between two looks is no delay.
    return Math.max(0, p99Ms - RESOLUTION_MS);
  });
}
