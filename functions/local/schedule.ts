import type { Severity } from './entry.ts';
import { scheduleDeadlineMs, scheduleMs } from './limits.ts';

export interface ScheduleOptions {
  readonly name: string;
  readonly url: string;
  readonly note: (severity: Severity, message: string) => void;
  readonly everyMs?: number;
  readonly deadlineMs?: number;
}

/** Calls a function as the Cloud Scheduler job does: by POST, never twice at once, with an end. */
export class Schedule {
  readonly #options: ScheduleOptions;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ScheduleOptions) {
    this.#options = options;
  }

  /** The first call comes at once, each next one a fixed time after the last one began. */
  start(): void {
    void this.#turn();
  }

  stop(): void {
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  async #turn(): Promise<void> {
    const { name, everyMs = scheduleMs, note } = this.#options;
    const began = performance.now();
    try {
      await this.#call();
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      note('WARNING', `the scheduled call of ${name} failed: ${describe(error)}`);
    }
    if (this.#stop.signal.aborted) return;
    const waitMs = Math.max(0, everyMs - (performance.now() - began));
    this.#timer = setTimeout(() => void this.#turn(), waitMs);
  }

  async #call(): Promise<void> {
    const { name, url, deadlineMs = scheduleDeadlineMs } = this.#options;
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'user-agent': 'Google-Cloud-Scheduler',
        'x-cloudscheduler': 'true',
        'x-cloudscheduler-jobname': name,
      },
      signal: AbortSignal.any([this.#stop.signal, AbortSignal.timeout(deadlineMs)]),
    });
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`answer ${response.status}`);
  }
}

function describe(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}
