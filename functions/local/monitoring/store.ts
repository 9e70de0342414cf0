import { type Descriptor, descriptorOf, descriptorsFull, readDescriptor } from './descriptors.ts';
import { readIncoming } from './incoming.ts';
import { limits } from './limits.ts';
import { Refusal } from './refusal.ts';
import { checkDescriptor, checkOrder } from './rules.ts';
import { describeSeries, type Incoming, keyOf, type Point, type Series } from './series.ts';
import { thin } from './thin.ts';
import type { WireMetricDescriptor, WireTimeSeries } from './wire.ts';

/** A series of a call that was not written. */
export interface Failure {
  readonly index: number;
  /** Which one it is, in the words of a refusal. */
  readonly series: string;
  readonly reason: string;
}

interface Kept extends Series {
  readonly key: string;
  points: Point[];
  /** Points since the series was thinned last. */
  fresh: number;
}

/**
 * The last day of every series, in memory and bounded. What Cloud Monitoring would not take is not
 * taken here either. Time is told with each call.
 */
export class SeriesStore {
  /** In the order of their last points, so that the first is the one to go. */
  readonly #series = new Map<string, Kept>();
  readonly #descriptors = new Map<string, Descriptor>();
  #points = 0;

  /** Writes what may be written and tells what may not; the call itself was found to be whole. */
  write(list: readonly WireTimeSeries[], project: string, nowMs: number): readonly Failure[] {
    const failures: Failure[] = [];
    const seen = new Set<string>();
    for (const [index, wire] of list.entries()) {
      const incoming = readIncoming(wire, project, nowMs);
      const refusal = incoming instanceof Refusal ? incoming : this.#take(incoming, seen, nowMs);
      if (refusal === undefined) continue;
      const series =
        incoming instanceof Refusal ? (wire.metric?.type ?? '') : describeSeries(incoming);
      failures.push({ index, series, reason: refusal.reason });
    }
    return failures;
  }

  /** Tells what a metric means, before or after its first point. */
  describe(wire: WireMetricDescriptor): Descriptor | Refusal {
    const known = this.#descriptors.get(wire.type ?? '');
    const descriptor = readDescriptor(wire, known);
    if (descriptor instanceof Refusal) return descriptor;
    if (known === undefined && descriptorsFull(this.#descriptors.size)) return tooManyMetrics();
    this.#descriptors.set(descriptor.type, descriptor);
    return descriptor;
  }

  descriptors(): readonly Descriptor[] {
    return [...this.#descriptors.values()];
  }

  descriptor(type: string): Descriptor | undefined {
    return this.#descriptors.get(type);
  }

  /** Every series; read at once, since later writes change what is there. */
  series(): Iterable<Series> {
    return this.#series.values();
  }

  get size(): { readonly series: number; readonly points: number } {
    return { series: this.#series.size, points: this.#points };
  }

  #take(incoming: Incoming, seen: Set<string>, nowMs: number): Refusal | undefined {
    const key = keyOf(incoming);
    if (seen.has(key)) {
      return new Refusal(
        'Duplicate TimeSeries encountered. Only one point can be written per TimeSeries per request.',
      );
    }
    seen.add(key);
    const descriptor = this.#descriptors.get(incoming.metricType);
    const known = this.#series.get(key);
    const last = known?.points.at(-1);
    const refusal =
      (descriptor === undefined ? undefined : checkDescriptor(descriptor, incoming)) ??
      (last === undefined ? undefined : checkOrder(last, incoming));
    if (refusal !== undefined) return refusal;
    if (descriptor === undefined) {
      if (descriptorsFull(this.#descriptors.size)) return tooManyMetrics();
      this.#descriptors.set(incoming.metricType, descriptorOf(incoming));
    }
    this.#append(key, known, incoming, nowMs);
    return undefined;
  }

  #append(key: string, known: Kept | undefined, incoming: Incoming, nowMs: number): void {
    const { point, ...name } = incoming;
    const series = known ?? { ...name, key, points: [], fresh: 0 };
    series.points.push(withSharedBounds(series.points.at(-1), point));
    series.fresh += 1;
    this.#points += 1;
    if (series.fresh >= limits.thinnedEvery) this.#thin(series, nowMs);
    // Behind all others: it is the newest now.
    this.#series.delete(key);
    this.#series.set(key, series);
    for (const oldest of this.#series.values()) {
      if (!this.#mustGo(oldest, nowMs)) break;
      this.#series.delete(oldest.key);
      this.#points -= oldest.points.length;
    }
  }

  #thin(series: Kept, nowMs: number): void {
    const before = series.points.length;
    series.points = thin(series.points, nowMs);
    series.fresh = 0;
    this.#points += series.points.length - before;
  }

  #mustGo(oldest: Kept, nowMs: number): boolean {
    const lastMs = oldest.points.at(-1)?.endMs ?? Number.NEGATIVE_INFINITY;
    if (this.#series.size <= 1) return false;
    return (
      this.#series.size > limits.seriesMax ||
      this.#points > limits.pointsMax ||
      lastMs < nowMs - limits.keptMsMax
    );
  }
}

const tooManyMetrics = () =>
  new Refusal(`There are already ${limits.descriptorsMax} metrics, as many as are allowed.`);

/** Every point brings the same bounds; one copy of them is enough. */
function withSharedBounds(last: Point | undefined, point: Point): Point {
  const { value } = point;
  if (typeof value === 'number' || last === undefined || typeof last.value === 'number') {
    return point;
  }
  const { bounds } = last.value;
  const same =
    bounds.length === value.bounds.length &&
    bounds.every((bound, index) => bound === value.bounds[index]);
  return same ? { ...point, value: { ...value, bounds } } : point;
}
