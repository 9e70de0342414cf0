import type { WireTimeSeries } from '../../../functions/local/monitoring/wire.ts';
import { randomOf } from '../random.ts';
import { counter, distribution, gauge, metric } from './wire-series.ts';

/** A time in which instances come and go, and what they truly counted in it. */
export interface Life {
  readonly startMs: number;
  readonly endMs: number;
  /** Instances that live at the same time. */
  readonly instances: number;
}

export interface Truth {
  readonly total: number;
  readonly byReason: Readonly<Record<string, number>>;
  readonly mean: number;
  readonly instances: number;
  readonly restarts: number;
}

/** Hands the series of one instance to whoever writes them; time is told. */
export type Hand = (series: readonly WireTimeSeries[], nowMs: number) => void | Promise<void>;

const MINUTE = 60_000;
const REASONS = ['error', 'refused', 'timeout'] as const;
const BOUNDS = [10, 100, 1_000];

interface Instance {
  readonly task: string;
  readonly untilMs: number;
  startMs: number;
  nextMs: number;
  counts: Record<string, number>;
  buckets: number[];
  sum: number;
}

/**
 * Lets instances live and write about once a minute: each for some minutes up to two hours, some
 * start their process again under the same name. What an instance counts after its last write is
 * not counted here either: nobody can know of it.
 */
export async function live({ startMs, endMs, instances }: Life, hand: Hand): Promise<Truth> {
  const { below } = randomOf(4);
  const random = () => below(1_000_000) / 1_000_000;
  const byReason: Record<string, number> = { error: 0, refused: 0, timeout: 0 };
  let born = 0;
  let restarts = 0;
  let sum = 0;
  let count = 0;
  const begin = (atMs: number): Instance => {
    born += 1;
    const lastsMs = (5 + random() * 115) * MINUTE;
    return { ...fresh(atMs, random), task: `task-${born}`, untilMs: atMs + lastsMs };
  };
  const alive = Array.from({ length: instances }, () => begin(startMs + random() * 30 * MINUTE));
  for (;;) {
    alive.sort((one, other) => one.nextMs - other.nextMs);
    const instance = alive[0]!;
    const nowMs = Math.round(instance.nextMs);
    if (nowMs > endMs) break;
    const work = Math.floor(random() * 100);
    for (const reason of REASONS) {
      const failed = Math.floor(random() * 3);
      instance.counts[reason] = (instance.counts[reason] ?? 0) + failed;
      byReason[reason] = (byReason[reason] ?? 0) + failed;
    }
    for (let each = 0; each < work; each += 1) {
      const value = Math.floor(10 ** (random() * 3.5));
      const bucket = BOUNDS.findIndex((bound) => value < bound);
      const at = bucket < 0 ? BOUNDS.length : bucket;
      instance.buckets[at] = (instance.buckets[at] ?? 0) + 1;
      instance.sum += value;
      sum += value;
      count += 1;
    }
    await hand(seriesOf(instance, nowMs), nowMs);
    if (nowMs > instance.untilMs) alive[0] = begin(nowMs + random() * 10 * MINUTE);
    else if (random() < 0.01) {
      restarts += 1;
      alive[0] = { ...instance, ...fresh(nowMs + 1_000, random) };
    } else instance.nextMs = nowMs + MINUTE * (0.8 + 0.4 * random());
  }
  const total = Object.values(byReason).reduce((all, each) => all + each, 0);
  return { total, byReason, mean: sum / count, instances: born, restarts };
}

/** A process that has counted nothing yet; its first write is not due before some seconds. */
function fresh(atMs: number, random: () => number) {
  return {
    startMs: Math.round(atMs),
    nextMs: atMs + 10_000 + random() * MINUTE,
    counts: {},
    buckets: new Array<number>(BOUNDS.length + 1).fill(0),
    sum: 0,
  };
}

function seriesOf(
  { task, startMs, counts, buckets, sum }: Instance,
  nowMs: number,
): WireTimeSeries[] {
  const interval = [startMs, nowMs] as const;
  const values = buckets.reduce((all, each) => all + each, 0);
  return [
    ...REASONS.map((reason) =>
      counter(counts[reason] ?? 0, interval, { task, type: metric('fails'), labels: { reason } }),
    ),
    distribution(
      { bounds: BOUNDS, counts: [...buckets], mean: values === 0 ? 0 : sum / values },
      interval,
      { task, type: metric('duration') },
    ),
    gauge(1, nowMs, { task, type: metric('alive') }),
  ];
}
