import type { Log } from '../log.ts';
import { stopWith } from '../stop-function.ts';
import type { Component } from './catalogue.ts';
import { type MetricsOptions, type MetricWriting, openMetrics } from './open.ts';
import { watchMemory } from './process.ts';

/** What a function needs of its metrics: to count, and to write before it answers. */
export type FunctionMetrics = Pick<MetricWriting, 'metrics' | 'due' | 'flush' | 'describe'>;

/**
 * The metrics of a function, whose CPU is taken away between requests: written before an answer
 * when it is time to, and at SIGTERM.
 */
export function openFunctionMetrics(
  component: Component,
  configuration: MetricsOptions['configuration'],
  log: Log,
): FunctionMetrics {
  const writing = openMetrics({ component, configuration, env: process.env, log });
  watchMemory(writing.metrics);
  const prepareStop = stopWith(() => writing.close());
  return {
    metrics: writing.metrics,
    describe: () => writing.describe(),
    async due() {
      prepareStop();
      await writing.due();
    },
    async flush() {
      prepareStop();
      await writing.flush();
    },
  };
}
