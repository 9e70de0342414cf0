import type { Log } from '../cloud/log.ts';
import type { Metrics } from '../cloud/metrics/registry.ts';
import type { NostrEvent } from '../nostr/event.ts';
import type { RelayInformation } from '../upstream/information.ts';
import type { Step, WalkReport } from '../upstream/walk.ts';
import type { ProbeEvents } from '../upstream/walk-events.ts';
import { monitorEvent } from './events.ts';

/** What a probe reaches of the world. */
export interface ProbePorts {
  /** Signed events that nobody has seen yet. */
  events(): ProbeEvents;
  walk(events: ProbeEvents): Promise<WalkReport>;
  information(): Promise<RelayInformation | undefined>;
  /** Publishes at the relay itself; never rejects. */
  publish(event: NostrEvent): Promise<boolean>;
  /** Tells the operator; false where no inbox took it. Absent where nobody is to be told. */
  readonly tell?: (message: string) => Promise<boolean>;
  nowMs(): number;
  readonly metrics: Metrics;
  readonly log: Log;
}

export interface ProbeRules {
  readonly address: string;
  readonly key: Uint8Array;
  readonly attemptsMax: number;
  readonly announce: boolean;
}

/** What came of a probe. */
export interface ProbeReport extends WalkReport {
  readonly attempts: number;
}

/** An outage is told once, and again after so long, not each minute. */
const TOLD_AGAIN_MS = 3_600_000;

/** The metric's reason for a step that failed. */
const REASONS = {
  open: 'connect',
  live: 'live',
  write: 'write',
  read: 'read',
  delete: 'delete',
} as const satisfies Record<Step, string>;

/** Looks at the relay as a client does, tries again before it believes in a failure, and says it. */
export class Probe {
  readonly #ports: ProbePorts;
  readonly #rules: ProbeRules;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #failing = false;

  constructor(ports: ProbePorts, rules: ProbeRules) {
    this.#ports = ports;
    this.#rules = rules;
  }

  /** One probe with its retries. Rejects only by a fault of ours. */
  async run(): Promise<ProbeReport> {
    const { metrics, nowMs } = this.#ports;
    const startMs = nowMs();
    const report = await this.#attempts();
    metrics.distribution('process_duration', {}).record(nowMs() - startMs);
    for (const [step, ms] of Object.entries(report.times) as [Step, number][]) {
      metrics.distribution('probe_duration', { step }).record(ms);
    }
    metrics.gauge('probe_success', {}).set(report.failure === undefined ? 1 : 0);
    if (report.failure === undefined) await this.#succeeded(report);
    else await this.#failed(report, report.failure);
    return report;
  }

  async #attempts(): Promise<ProbeReport> {
    for (let attempts = 1; ; attempts += 1) {
      const report = await this.#ports.walk(this.#ports.events());
      if (report.failure === undefined) return { ...report, attempts };
      if (await this.#isMeant(report.failure)) {
        this.#ports.log.info('the relay takes no events for now, as its budget has it', {
          ...report.failure,
        });
        return { times: report.times, attempts };
      }
      if (attempts >= this.#rules.attemptsMax) return { ...report, attempts };
      this.#ports.log.info('probe is tried again', { ...report.failure, attempts });
    }
  }

  /** True for a refusal that the relay announces: nobody need be woken up by what was decided. */
  async #isMeant({ reason }: NonNullable<WalkReport['failure']>): Promise<boolean> {
    if (!reason.includes('refused: restricted:')) return false;
    return (await this.#ports.information())?.readOnlyByBudget === true;
  }

  async #succeeded(report: ProbeReport): Promise<void> {
    const { metrics, log, tell, information, publish, nowMs } = this.#ports;
    const { address, key, announce } = this.#rules;
    metrics.counter('success_total', {}).add();
    const { times, untried, attempts } = report;
    log.info('probe went well', { times, attempts, ...(untried && { untried }) });
    if (this.#failing) {
      this.#failing = false;
      this.#toldAtMs = Number.NEGATIVE_INFINITY;
      await tell?.(`${address} answers again.`);
    }
    if (!announce) return;
    const event = monitorEvent(key, nowMs(), address, report.times, await information());
    if (!(await publish(event))) log.warning('the NIP-66 event was not taken', { id: event.id });
  }

  async #failed(report: ProbeReport, failure: NonNullable<WalkReport['failure']>): Promise<void> {
    const { metrics, log, tell, nowMs } = this.#ports;
    const { step, reason } = failure;
    metrics.counter('fail_total', { reason: REASONS[step] }).add();
    log.error('probe failed', { step, reason, attempts: report.attempts });
    this.#failing = true;
    const nowAtMs = nowMs();
    if (nowAtMs - this.#toldAtMs < TOLD_AGAIN_MS) return;
    const told = await tell?.(
      `${this.#rules.address} fails at step "${step}" after ${report.attempts} attempts: ${reason}`,
    );
    if (told) this.#toldAtMs = nowAtMs;
  }
}
