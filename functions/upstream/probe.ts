import { ItemsBuilder } from '../nostr/negentropy/builder.ts';
import { type Connection, connect } from './connection.ts';
import { reasonOf, UpstreamFailure } from './failure.ts';
import type { AddressGuard } from './guard.ts';
import { type RelayInformation, readInformation } from './information.ts';
import { query } from './query.ts';
import { reconcile } from './reconcile.ts';

export interface ProbeOptions {
  readonly nowMs: () => number;
  /** How many of its newest events the relay is asked for. */
  readonly events: number;
  /** How long each step may take. */
  readonly timeoutMs: number;
  /** Judges each address that is visited; any address by default. */
  readonly guard?: AddressGuard;
  /** Ends the visit, which then has failed. */
  readonly signal?: AbortSignal;
}

/** What a visit to a relay found out. Times are in milliseconds. */
export interface ProbeReport {
  readonly url: string;
  readonly information?: RelayInformation;
  /** Why there is no NIP-11 document. */
  readonly informationFailure?: string;
  /** Until the WebSocket was open. */
  readonly openMs?: number;
  /** From the request to EOSE. */
  readonly readMs?: number;
  readonly events?: number;
  /** Created at, Unix seconds, of the newest event that it gave. */
  readonly newestAt?: number;
  /** Things that it sent and must not. */
  readonly faults?: number;
  readonly negentropy?: boolean;
  /** Why the visit ended early. */
  readonly failure?: string;
}

/** A few events are asked for; who sends more than this is no relay that we want. */
const RECEIVE_BYTES_MAX = 16 * 1_048_576;

/** A relay that knows NIP-77 has one second of its events at hand; others may say nothing at all. */
const NEGENTROPY_TIMEOUT_MS = 3_000;

/** Compares the newest second, which tells more than what the NIP-11 document claims. */
async function speaksNegentropy(
  connection: Connection,
  newestAt: number,
  timeoutMs: number,
): Promise<boolean | undefined> {
  try {
    await reconcile(connection, {
      filter: { since: newestAt, until: newestAt },
      items: new ItemsBuilder().seal(),
      firstAnswerTimeoutMs: Math.min(timeoutMs, NEGENTROPY_TIMEOUT_MS),
      roundsMax: 1,
    });
    return true;
  } catch (error) {
    if (!(error instanceof UpstreamFailure)) throw error;
    if (error.code === 'unsupported') return false;
    // It knows what it refuses.
    if (error.code === 'refused') return true;
    return undefined;
  }
}

/** Visits a relay once: its NIP-11 document, opening, a small request. Never rejects. */
export async function probe(address: URL, options: ProbeOptions): Promise<ProbeReport> {
  const { nowMs, timeoutMs, guard, signal } = options;
  const bounds = { ...(guard && { guard }), ...(signal && { signal }) };
  const information = await readInformation(address, { timeoutMs, ...bounds });
  const report: { -readonly [K in keyof ProbeReport]: ProbeReport[K] } = {
    url: address.href,
    ...(information.ok
      ? { information: information.value }
      : { informationFailure: information.reason }),
  };
  let connection: Connection | undefined;
  try {
    const begunMs = nowMs();
    const limits = {
      handshakeTimeoutMs: timeoutMs,
      quietTimeoutMs: timeoutMs,
      receiveBytesMax: RECEIVE_BYTES_MAX,
    };
    connection = await connect(address.href, { limits, ...bounds });
    signal?.addEventListener('abort', () => void connection?.close(), { once: true });
    const openMs = nowMs();
    report.openMs = openMs - begunMs;
    report.events = 0;
    for await (const { created_at } of query(connection, [{ limit: options.events }])) {
      report.events += 1;
      report.newestAt = Math.max(report.newestAt ?? 0, created_at);
    }
    report.readMs = nowMs() - openMs;
    const speaks = await speaksNegentropy(connection, report.newestAt ?? 0, timeoutMs);
    if (speaks !== undefined) report.negentropy = speaks;
  } catch (error) {
    report.failure = reasonOf(error);
  }
  if (connection !== undefined) report.faults = connection.faults;
  await connection?.close();
  return report;
}
