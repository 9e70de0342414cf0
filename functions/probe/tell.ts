import * as nip17 from 'nostr-tools/nip17';
import type { NostrEvent } from '../nostr/event.ts';
import { parseRelayAddress } from '../upstream/address.ts';
import type { Connection } from '../upstream/connection.ts';
import { reasonOf } from '../upstream/failure.ts';
import { query } from '../upstream/query.ts';

const KIND_INBOXES = 10_050;
/** NIP-17 asks for one to three. */
const INBOXES_MAX = 4;

export interface TellPorts {
  connect(address: string): Promise<Connection>;
}

export interface Telling {
  /** The probe's secret key. */
  readonly key: Uint8Array;
  /** The operator's public key, hex. */
  readonly to: string;
  /** Where the operator's list of inboxes is looked for. */
  readonly relays: readonly string[];
  readonly message: string;
}

/**
 * Sends a private message (NIP-17) to the inboxes that the operator's kind 10050 names, and nowhere
 * else, as the NIP wants.
 * @returns how many inboxes took it, and why others did not. Never rejects.
 */
export async function tell(
  { key, to, relays, message }: Telling,
  ports: TellPorts,
): Promise<{ readonly told: number; readonly reasons: readonly string[] }> {
  const reasons: string[] = [];
  const lists = await Promise.all(
    relays.map((relay) => at(relay, ports, reasons, (connection) => inboxList(connection, to))),
  );
  const newest = lists
    .filter((list) => list !== undefined)
    .sort((a, b) => b.created_at - a.created_at)[0];
  const inboxes = inboxesOf(newest);
  if (inboxes.length === 0) reasons.push('no list of inboxes (kind 10050) was found');
  const wrap = nip17.wrapEvent(key, { publicKey: to }, message, 'Distrise');
  const taken = await Promise.all(
    inboxes.map((inbox) =>
      at(inbox, ports, reasons, async (connection) => {
        const answer = await connection.publish(wrap);
        if (!answer.accepted) reasons.push(`${inbox}: ${answer.message}`);
        return answer.accepted;
      }),
    ),
  );
  return { told: taken.filter((took) => took === true).length, reasons };
}

async function inboxList(connection: Connection, author: string): Promise<NostrEvent | undefined> {
  let newest: NostrEvent | undefined;
  const filter = { kinds: [KIND_INBOXES], authors: [author], limit: 1 };
  for await (const event of query(connection, [filter])) {
    if (newest === undefined || event.created_at > newest.created_at) newest = event;
  }
  return newest;
}

function inboxesOf(list: NostrEvent | undefined): readonly string[] {
  const urls = new Set<string>();
  for (const [name, value = ''] of list?.tags ?? []) {
    if (name !== 'relay') continue;
    const address = parseRelayAddress(value);
    if (address.ok) urls.add(address.value.href);
  }
  return [...urls].slice(0, INBOXES_MAX);
}

async function at<T>(
  address: string,
  ports: TellPorts,
  reasons: string[],
  work: (connection: Connection) => Promise<T>,
): Promise<T | undefined> {
  let connection: Connection | undefined;
  try {
    connection = await ports.connect(address);
    return await work(connection);
  } catch (error) {
    reasons.push(`${address}: ${reasonOf(error)}`);
    return undefined;
  } finally {
    await connection?.close();
  }
}
