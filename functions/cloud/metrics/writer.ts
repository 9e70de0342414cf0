import type { Log } from '../log.ts';
import { callsOf, type Identity, type StartedSeries, type TimeSeries } from './points.ts';
import type { Registry, SeriesSnapshot } from './registry.ts';

/** What came of one call with up to 200 series. */
export type SendResult =
  | { readonly ok: true }
  | {
      readonly ok: false;
      /** `refused`: the rest of the call was taken; `unavailable`: it may or may not have been. */
      readonly why: 'refused' | 'unavailable';
      /** Series that were not written, as far as is known. */
      readonly failed: number;
      readonly reason: string;
    };

/** What writing reaches of the world. */
export interface WriterPorts {
  /** Hands series to Cloud Monitoring; never rejects, and ends within a few seconds. */
  send(series: readonly TimeSeries[]): Promise<SendResult>;
  /** Unix time in milliseconds. */
  nowMs(): number;
  /** A name that nobody has had: for a process that must begin its series anew. */
  newTask(): string;
  readonly log: Log;
}

export type WriteResult = 'written' | 'failed' | 'too soon' | 'under way' | 'nothing';

/** Cloud Monitoring refuses points of a series closer than 5 s, and has refused 5.5 s. */
export const GAP_MS_MIN = 10_000;

/**
 * A clock that stepped back by less than this is waited for, with points a little ahead of it:
 * they may be up to 5 minutes in the future.
 */
const AHEAD_MS_MAX = 240_000;

/** What failed is said at most this often; it is counted each time. */
const LOGGED_MS_MIN = 60_000;

/**
 * Writes a registry to Cloud Monitoring, one point a series at a time. A write that fails loses
 * nothing: counters add up, and the next write carries them. Never throws and never rejects.
 */
export class MetricWriter {
  readonly #registry: Registry;
  readonly #ports: WriterPorts;
  #identity: Identity;
  #startMs: number;
  /** Since when each series adds up. */
  readonly #starts = new Map<string, number>();
  #lastEndMs = Number.NEGATIVE_INFINITY;
  #lastLoggedMs = Number.NEGATIVE_INFINITY;
  #running: Promise<WriteResult> | undefined;

  constructor(registry: Registry, identity: Identity, ports: WriterPorts) {
    this.#registry = registry;
    this.#identity = identity;
    this.#ports = ports;
    this.#startMs = ports.nowMs();
  }

  /** Writes what there is, unless the last write is too recent. */
  async write(): Promise<WriteResult> {
    if (this.#running !== undefined) return 'under way';
    const endMs = this.#nextEndMs();
    if (endMs === undefined) return 'too soon';
    this.#running = this.#writeAt(endMs);
    try {
      return await this.#running;
    } finally {
      this.#running = undefined;
    }
  }

  /** Resolves when no write is under way. */
  async settled(): Promise<void> {
    await this.#running;
  }

  /** The end of the next point; undefined where it would be too close to the last one. */
  #nextEndMs(): number | undefined {
    const nowMs = this.#ports.nowMs();
    const last = Math.max(this.#lastEndMs, this.#startMs);
    // A point ends after its start, also one of the first millisecond.
    if (nowMs === this.#startMs && nowMs > this.#lastEndMs) return nowMs + 1;
    if (nowMs >= this.#lastEndMs + GAP_MS_MIN && nowMs > this.#startMs) return nowMs;
    if (nowMs >= last) return undefined;
    // The clock stepped back. Points of a series never do.
    const ahead = Math.max(this.#lastEndMs + GAP_MS_MIN, this.#startMs + 1);
    if (ahead - nowMs <= AHEAD_MS_MAX) return ahead;
    return this.#beginAnew(nowMs);
  }

  /**
   * After a long step back nothing could be written until the clock has caught up. So the process
   * takes another name; what was counted since the last write has no place in either series.
   */
  #beginAnew(nowMs: number): undefined {
    const counted = this.#registry.size;
    this.#identity = { ...this.#identity, task: this.#ports.newTask() };
    this.#registry.reset();
    this.#startMs = nowMs;
    this.#starts.clear();
    this.#lastEndMs = Number.NEGATIVE_INFINITY;
    this.#registry.counter('metric_failures_total', { reason: 'clock' }).add(counted);
    this.#log(nowMs, 'the clock stepped back: metrics begin anew', {});
    return undefined;
  }

  async #writeAt(endMs: number): Promise<WriteResult> {
    const series = this.#registry.snapshot().map((each) => this.#started(each));
    const calls = callsOf(series, this.#identity, endMs);
    if (calls.length === 0) return 'nothing';
    let result: WriteResult = 'written';
    let anything = false;
    for (const [at, call] of calls.entries()) {
      const sent = await this.#ports.send(call);
      if (sent.ok) {
        anything = true;
        continue;
      }
      result = 'failed';
      // What may have been written must not be written again at an earlier time.
      if (sent.why === 'unavailable' || sent.failed < call.length) anything = true;
      // The rest would wait for the same deadline, and is not tried.
      const isAway = sent.why === 'unavailable';
      const untried = isAway ? calls.slice(at + 1).reduce((sum, { length }) => sum + length, 0) : 0;
      const failed = sent.failed + untried;
      this.#registry.counter('metric_failures_total', { reason: sent.why }).add(failed);
      const { reason } = sent;
      this.#log(this.#ports.nowMs(), 'metrics could not be written', { reason, failed });
      if (isAway) break;
    }
    if (anything) this.#lastEndMs = endMs;
    return result;
  }

  /**
   * A series that is new counts since the last write and not since the process began: else a burst
   * after quiet hours would be taken for a slow trickle through all of them.
   */
  #started(series: SeriesSnapshot): StartedSeries {
    const key = JSON.stringify([series.name, series.labels]);
    const startMs = this.#starts.get(key) ?? Math.max(this.#startMs, this.#lastEndMs + 1);
    this.#starts.set(key, startMs);
    return { ...series, startMs };
  }

  #log(nowMs: number, message: string, fields: object): void {
    if (Math.abs(nowMs - this.#lastLoggedMs) < LOGGED_MS_MIN) return;
    this.#lastLoggedMs = nowMs;
    this.#ports.log.warning(message, fields);
  }
}
