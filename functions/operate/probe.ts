import { type Connection, connect } from '../upstream/connection.ts';
import { reasonOf } from '../upstream/failure.ts';
import { type RelayInformation, readInformation } from '../upstream/information.ts';
import { query } from '../upstream/query.ts';

/** Whether a relay speaks NIP-77; undefined where that cannot be told. */
export type SpeaksNegentropy = (
  connection: Connection,
  information: RelayInformation | undefined,
) => Promise<boolean | undefined>;

export interface ProbeOptions {
  readonly nowMs: () => number;
  /** How many of its newest events the relay is asked for. */
  readonly events: number;
  readonly timeoutMs: number;
  /** By default what the relay's NIP-11 document says. */
  readonly speaksNegentropy?: SpeaksNegentropy;
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

/** What the relay's own NIP-11 document claims. */
export const claimsNegentropy: SpeaksNegentropy = async (_, information) =>
  information?.supportedNips?.includes(77);

/** Visits a relay once: its NIP-11 document, opening, a small request. Never rejects. */
export async function probe(address: URL, options: ProbeOptions): Promise<ProbeReport> {
  const { nowMs, timeoutMs } = options;
  const information = await readInformation(address, { timeoutMs });
  const known = information.ok ? information.value : undefined;
  const report: { -readonly [K in keyof ProbeReport]: ProbeReport[K] } = {
    url: address.href,
    ...(information.ok
      ? { information: information.value }
      : { informationFailure: information.reason }),
  };
  let connection: Connection | undefined;
  try {
    const begunMs = nowMs();
    const limits = { handshakeTimeoutMs: timeoutMs, quietTimeoutMs: timeoutMs };
    connection = await connect(address.href, { limits });
    const openMs = nowMs();
    report.openMs = openMs - begunMs;
    report.events = 0;
    for await (const { created_at } of query(connection, [{ limit: options.events }])) {
      report.events += 1;
      report.newestAt = Math.max(report.newestAt ?? 0, created_at);
    }
    report.readMs = nowMs() - openMs;
    const speaks = await (options.speaksNegentropy ?? claimsNegentropy)(connection, known);
    if (speaks !== undefined) report.negentropy = speaks;
  } catch (error) {
    report.failure = reasonOf(error);
  }
  if (connection !== undefined) report.faults = connection.faults;
  await connection?.close();
  return report;
}
