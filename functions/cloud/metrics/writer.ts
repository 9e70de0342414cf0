import type { Log } from '../log.ts';
import { callsOf, type Identity, type TimeSeries } from './points.ts';
import type { Registry } from './registry.ts';

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
  #lastEndMs = Number.NEGATIVE_INFINITY;
  #lastLoggedMs = Number.NEGATIVE_INFINITY;
  #writing = false;

  constructor(registry: Registry, identity: Identity, ports: WriterPorts) {
    this.#registry = registry;
    this.#identity = identity;
    this.#ports = ports;
    this.#startMs = ports.nowMs();
  }

  /** Milliseconds since the last point, or since the start. */
  get sinceLastMs(): number {
    return this.#ports.nowMs() - Math.max(this.#lastEndMs, this.#startMs);
  }

  /** Writes what there is, unless the last write is too recent. */
  async write(): Promise<WriteResult> {
    if (this.#writing) return 'under way';
    const endMs = this.#nextEndMs();
    if (endMs === undefined) return 'too soon';
    this.#writing = true;
    try {
      return await this.#writeAt(endMs);
    } finally {
      this.#writing = false;
    }
  }

  /** The end of the next point; undefined where it would be too close to the last one. */
  #nextEndMs(): number | undefined {
    const nowMs = this.#ports.nowMs();
    const last = Math.max(this.#lastEndMs, this.#startMs);
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
    this.#lastEndMs = Number.NEGATIVE_INFINITY;
    this.#registry.counter('metric_failures_total', { reason: 'clock' }).add(counted);
    this.#log(nowMs, 'the clock stepped back: metrics begin anew', {});
    return undefined;
  }

  async #writeAt(endMs: number): Promise<WriteResult> {
    const interval = { startMs: this.#startMs, endMs };
    const calls = callsOf(this.#registry.snapshot(), this.#identity, interval);
    if (calls.length === 0) return 'nothing';
    let result: WriteResult = 'written';
    let anything = false;
    for (const series of calls) {
      const sent = await this.#ports.send(series);
      if (sent.ok) {
        anything = true;
        continue;
      }
      result = 'failed';
      // What may have been written must not be written again at an earlier time.
      if (sent.why === 'unavailable' || sent.failed < series.length) anything = true;
      this.#registry.counter('metric_failures_total', { reason: sent.why }).add(sent.failed);
      const { reason, failed } = sent;
      this.#log(this.#ports.nowMs(), 'metrics could not be written', { reason, failed });
      // The rest would wait for the same deadline.
      if (sent.why === 'unavailable') break;
    }
    if (anything) this.#lastEndMs = endMs;
    return result;
  }

  #log(nowMs: number, message: string, fields: object): void {
    if (Math.abs(nowMs - this.#lastLoggedMs) < LOGGED_MS_MIN) return;
    this.#lastLoggedMs = nowMs;
    this.#ports.log.warning(message, fields);
  }
}
