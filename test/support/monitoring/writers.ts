import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import { MetricWriter, type WriterPorts } from '../../../functions/cloud/metrics/writer.ts';
import { silentLog } from '../pubsub.ts';
import { randomOf } from '../random.ts';
import type { Life } from './day.ts';
import { PROJECT } from './wire-series.ts';

const MINUTE = 60_000;
const REASONS = ['error', 'unavailable', 'unpublished'] as const;

export interface WritersTruth {
  /** What had been counted, by reason, when each process wrote for the last time. */
  readonly byReason: Readonly<Record<string, number>>;
  readonly total: number;
  readonly writers: number;
  /** How often a write came to what. */
  readonly results: Readonly<Record<string, number>>;
}

interface Process {
  readonly registry: Registry;
  readonly writer: MetricWriter;
  readonly untilMs: number;
  nextMs: number;
  /** Counted since the last write. */
  unwritten: Record<string, number>;
}

/**
 * Lets processes live with the registry and the writer that the services have: each counts, writes
 * once a minute, and once more at its end, however soon after the last write that is.
 */
export async function liveWriters(
  { startMs, endMs, instances }: Life,
  send: WriterPorts['send'],
  tell: (nowMs: number) => void,
): Promise<WritersTruth> {
  const { below } = randomOf(7);
  const byReason: Record<string, number> = {};
  const results: Record<string, number> = {};
  let nowMs = startMs;
  let writers = 0;
  const begin = (): Process => {
    writers += 1;
    const registry = new Registry('relay');
    const whose = { project: PROJECT, location: 'global', namespace: 'distrise', job: 'relay' };
    const writer = new MetricWriter(
      registry,
      { ...whose, task: `writer-${writers}` },
      { send, nowMs: () => nowMs, newTask: () => 'nobody', log: silentLog },
    );
    const untilMs = nowMs + MINUTE + below(90 * MINUTE);
    return { registry, writer, untilMs, nextMs: nowMs + below(MINUTE) + 1, unwritten: {} };
  };
  const alive = Array.from({ length: instances }, begin);
  for (;;) {
    alive.sort((one, other) => one.nextMs - other.nextMs);
    const one = alive[0]!;
    if (one.nextMs > endMs) break;
    nowMs = one.nextMs;
    tell(nowMs);
    count(one, below);
    const result = await one.writer.write();
    results[result] = (results[result] ?? 0) + 1;
    if (result === 'written') {
      for (const [reason, value] of Object.entries(one.unwritten)) {
        byReason[reason] = (byReason[reason] ?? 0) + value;
      }
      one.unwritten = {};
    }
    if (nowMs >= one.untilMs) alive[0] = begin();
    else one.nextMs = Math.min(one.untilMs, nowMs + MINUTE);
  }
  const total = Object.values(byReason).reduce((sum, each) => sum + each, 0);
  return { byReason, total, writers, results };
}

/** Some reasons turn up only after a while, as they do in life. */
function count({ registry, unwritten }: Process, below: (bound: number) => number): void {
  for (const reason of REASONS) {
    const failed = below(3);
    if (failed === 0) continue;
    registry.counter('fail_total', { reason }).add(failed);
    unwritten[reason] = (unwritten[reason] ?? 0) + failed;
  }
  registry.distribution('process_duration', {}).record(below(5_000));
  registry.gauge('subscriptions', {}).set(below(100));
}
