import type { LabelsOf } from '../cloud/metrics/catalogue.ts';
import type { Counter, Metrics } from '../cloud/metrics/registry.ts';
import type { FailureCode } from '../upstream/failure.ts';

type Reason = LabelsOf<'fail_total', 'fetch'>['reason'];

/** Why a visit failed, in the words that all components share. */
const REASONS: Readonly<Record<FailureCode, Reason>> = {
  unreachable: 'unreachable',
  lost: 'unreachable',
  forbidden: 'unreachable',
  timeout: 'timeout',
  misbehaved: 'misbehaved',
  unsupported: 'misbehaved',
  invalid: 'invalid',
  refused: 'refused',
  closed: 'error',
};

/** What counts of a visit. */
export interface Visit {
  readonly requests: number;
  readonly bytes: number;
  readonly invalid: number;
  readonly failure: string | undefined;
  readonly failureCode: FailureCode | undefined;
}

/** Counts what is fetched, whoever does it: scheduled visits and following. */
export class FetchMeter {
  readonly #metrics: Metrics;
  readonly #success: Counter;
  readonly #fresh: Counter;
  readonly #known: Counter;
  readonly #unwanted: Counter;
  readonly #invalid: Counter;
  readonly #requests: Counter;
  readonly #bytes: Counter;
  #connections = 0;

  constructor(metrics: Metrics) {
    const events = (result: LabelsOf<'fetched_events_total'>['result']) =>
      metrics.counter('fetched_events_total', { result });
    this.#metrics = metrics;
    this.#success = metrics.counter('success_total', {});
    this.#fresh = events('new');
    this.#known = events('known');
    this.#unwanted = events('unwanted');
    this.#invalid = events('invalid');
    this.#requests = metrics.counter('fetch_requests_total', {});
    this.#bytes = metrics.counter('fetch_bytes_total', {});
    // Known to be zero before the first of them.
    for (const reason of ['unreachable', 'timeout', 'error'] as const) {
      metrics.counter('fail_total', { reason });
    }
    metrics.watch('websocket_connections', {}, () => this.#connections);
  }

  /** A scheduled visit is over, whatever came of it. */
  visited({ requests, bytes, invalid, failure, failureCode }: Visit, tookMs: number): void {
    this.#requests.add(requests);
    this.#bytes.add(bytes);
    this.#invalid.add(invalid);
    this.#metrics.distribution('process_duration', {}).record(tookMs);
    if (failure === undefined) this.#success.add();
    else this.failed(failureCode === undefined ? 'error' : REASONS[failureCode]);
  }

  /** Work failed; `error` where our own side is to blame. */
  failed(reason: Reason): void {
    this.#metrics.counter('fail_total', { reason }).add();
  }

  /** So many events came, and this became of them. */
  delivered(events: { readonly fresh: number; readonly known: number; readonly unwanted: number }) {
    this.#fresh.add(events.fresh);
    this.#known.add(events.known);
    this.#unwanted.add(events.unwanted);
  }

  /** An event came that is none, or not what was asked for; where one follows. */
  invalid(): void {
    this.#invalid.add();
  }

  /** Bytes that came where one follows. */
  received(bytes: number): void {
    this.#bytes.add(bytes);
  }

  /** A connection is open until the promise resolves. */
  opened(closed: Promise<unknown>): void {
    this.#connections += 1;
    void closed.then(() => {
      this.#connections -= 1;
    });
  }
}
