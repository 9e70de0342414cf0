import {
  type Component,
  type CounterName,
  type DistributionName,
  definitionOf,
  type GaugeName,
  type LabelsOf,
  labelValues,
  type MetricName,
  OTHER,
} from './catalogue.ts';
import { Distribution, type DistributionValue } from './distribution.ts';

/** Counts up; what is not above zero changes nothing. */
export interface Counter {
  add(by?: number): void;
}
/** Is set; written once for each time that it was set. */
export interface Gauge {
  set(value: number): void;
}
/** Gathers values. */
export interface Recorder {
  record(value: number): void;
}

/**
 * Where code says what happened. Asking for the same series again gives the same object; whoever
 * counts for every event may keep it. Nothing here ever throws or waits.
 */
export interface Metrics {
  counter<N extends CounterName>(name: N, labels: LabelsOf<N>): Counter;
  gauge<N extends GaugeName>(name: N, labels: LabelsOf<N>): Gauge;
  distribution<N extends DistributionName>(name: N, labels: LabelsOf<N>): Recorder;
  /** A gauge that is read when metrics are written. What `read` throws leaves the point out. */
  watch<N extends GaugeName>(name: N, labels: LabelsOf<N>, read: () => number): void;
}

/** One series as it stands now. */
export interface SeriesSnapshot {
  readonly name: MetricName;
  /** All labels of the metric, the component among them. */
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number | DistributionValue;
}

interface Series {
  readonly name: MetricName;
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined where there is nothing to write. */
  take(): number | DistributionValue | undefined;
  reset(): void;
}

class CounterSeries implements Counter {
  #count = 0;
  readonly name: MetricName;
  readonly labels: Readonly<Record<string, string>>;
  constructor(name: MetricName, labels: Readonly<Record<string, string>>) {
    this.name = name;
    this.labels = labels;
  }
  add(by = 1): void {
    // What falls would be taken for a new start, with all of it counted again.
    if (by > 0) this.#count += by;
  }
  take(): number {
    return this.#count;
  }
  reset(): void {
    this.#count = 0;
  }
}

class GaugeSeries implements Gauge {
  readonly name: MetricName;
  readonly labels: Readonly<Record<string, string>>;
  #value: number | undefined;
  #read: (() => number) | undefined;
  constructor(name: MetricName, labels: Readonly<Record<string, string>>) {
    this.name = name;
    this.labels = labels;
  }
  set(value: number): void {
    this.#value = value;
  }
  watch(read: () => number): void {
    this.#read = read;
  }
  take(): number | undefined {
    const value = this.#read === undefined ? this.#value : safely(this.#read);
    this.#value = undefined;
    return value === undefined || !Number.isFinite(value) ? undefined : value;
  }
  reset(): void {
    // Nothing is added up.
  }
}

class DistributionSeries extends Distribution {
  readonly name: MetricName;
  readonly labels: Readonly<Record<string, string>>;
  constructor(
    name: MetricName,
    labels: Readonly<Record<string, string>>,
    bounds: readonly number[],
  ) {
    super(bounds);
    this.name = name;
    this.labels = labels;
  }
  take(): DistributionValue {
    return this.value();
  }
}

/** All series of one process, in memory. */
export class Registry implements Metrics {
  readonly #component: Component;
  readonly #series = new Map<string, Series>();
  readonly #faults: CounterSeries;

  constructor(component: Component) {
    this.#component = component;
    this.#faults = this.#find('label_faults_total', {}, CounterSeries);
  }

  counter<N extends CounterName>(name: N, labels: LabelsOf<N>): Counter {
    return this.#find(name, labels, CounterSeries);
  }

  gauge<N extends GaugeName>(name: N, labels: LabelsOf<N>): Gauge {
    return this.#find(name, labels, GaugeSeries);
  }

  watch<N extends GaugeName>(name: N, labels: LabelsOf<N>, read: () => number): void {
    this.#find(name, labels, GaugeSeries).watch(read);
  }

  distribution<N extends DistributionName>(name: N, labels: LabelsOf<N>): Recorder {
    return this.#find(name, labels, DistributionSeries);
  }

  /** Every series that has something to write. Gauges that were set count as written with it. */
  snapshot(): readonly SeriesSnapshot[] {
    const taken: SeriesSnapshot[] = [];
    for (const series of this.#series.values()) {
      const value = series.take();
      if (value === undefined) continue;
      taken.push({ name: series.name, labels: series.labels, value });
    }
    return taken;
  }

  /** Sets all that adds up to nothing: for a start under another name. */
  reset(): void {
    for (const series of this.#series.values()) series.reset();
  }

  get size(): number {
    return this.#series.size;
  }

  #find<S extends Series>(
    name: MetricName,
    given: Readonly<Record<string, string>>,
    Class: new (
      name: MetricName,
      labels: Readonly<Record<string, string>>,
      bounds: readonly number[],
    ) => S,
  ): S {
    const key = keyOf(name, given);
    const found = this.#series.get(key);
    if (found !== undefined) return found as S;
    const labels = this.#allowed(name, given);
    const allowedKey = keyOf(name, labels);
    let series = this.#series.get(allowedKey);
    if (series === undefined) {
      const definition = definitionOf(name);
      const bounds = definition.kind === 'distribution' ? definition.bounds : [];
      series = new Class(name, { component: this.#component, ...labels }, bounds);
      this.#series.set(allowedKey, series);
    }
    return series as S;
  }

  /** What the catalogue does not allow is written as `other`, so that labels stay bounded. */
  #allowed(
    name: MetricName,
    given: Readonly<Record<string, string>>,
  ): Readonly<Record<string, string>> {
    const allowed: Record<string, string> = {};
    for (const label of Object.keys(definitionOf(name).labels)) {
      const value = given[label];
      const known =
        value !== undefined && labelValues(name, label, this.#component).includes(value);
      allowed[label] = known ? value : OTHER;
      if (!known) this.#faults.add();
    }
    return allowed;
  }
}

/** Label values in the order of the catalogue; names need not be in it. */
function keyOf(name: MetricName, labels: Readonly<Record<string, string>>): string {
  let key: string = name;
  for (const label in definitionOf(name).labels) key += `\u0000${labels[label]}`;
  return key;
}

function safely(read: () => number): number | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
