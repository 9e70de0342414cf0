import type { Socket } from 'node:net';
import { byValue } from '../cloud/metrics/by-value.ts';
import type { Counter, Metrics } from '../cloud/metrics/registry.ts';

/** Who or what ended a connection. */
export type EndCause = 'client' | 'slow' | 'dead' | 'idle' | 'age' | 'stopping' | 'protocol';

/** Counts connections and their bytes. */
export class TrafficMeter {
  /** A connection came to be, or why it did not. */
  readonly came: (outcome: 'opened' | 'full' | 'address' | 'stopping') => Counter;
  readonly ended: (cause: EndCause) => Counter;
  readonly #received: Counter;
  readonly #sent: Counter;

  constructor(metrics: Metrics) {
    this.came = byValue((outcome) => metrics.counter('connections_total', { outcome }));
    this.ended = byValue((cause) => metrics.counter('disconnects_total', { cause }));
    this.#received = metrics.counter('received_bytes_total', {});
    this.#sent = metrics.counter('sent_bytes_total', {});
    // Known to be zero before the first of them.
    for (const outcome of ['opened', 'full'] as const) this.came(outcome);
    for (const cause of ['client', 'slow', 'dead'] as const) this.ended(cause);
  }

  /**
   * @returns to be called now and then, and when the socket has closed: counts what it has carried
   *   since the last call. So a message costs nothing.
   */
  follow(socket: Socket): () => void {
    let received = 0;
    let sent = 0;
    return () => {
      const { bytesRead, bytesWritten, writableLength } = socket;
      this.#received.add(bytesRead - received);
      received = bytesRead;
      // Node counts what still waits, and takes it back when the socket is destroyed.
      const gone = Math.max(sent, bytesWritten - writableLength);
      this.#sent.add(gone - sent);
      sent = gone;
    };
  }
}
