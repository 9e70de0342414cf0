import type { NostrEvent } from '../../functions/nostr/event.ts';
import { remaining } from './slow-oracle.ts';
import { SocketClient } from './socket-client.ts';
import { until } from './until.ts';

const IDS_A_QUERY = 400;

/** Which of these ids an instance answers. */
async function servedIds(url: string, ids: readonly string[]): Promise<Set<string>> {
  const served = new Set<string>();
  const client = await SocketClient.open(url);
  for (let at = 0; at < ids.length; at += IDS_A_QUERY) {
    for (const event of await client.query({ ids: ids.slice(at, at + IDS_A_QUERY) })) {
      served.add(event.id);
    }
  }
  await client.close();
  return served;
}

/**
 * Waits until the instance serves exactly what NIP-01 and NIP-09 leave of the accepted events:
 * all of that and nothing that was deleted or superseded.
 */
export async function expectServed(
  url: string,
  accepted: Iterable<NostrEvent>,
  timeoutMs: number,
): Promise<void> {
  const all = [...accepted];
  const ids = all.map(({ id }) => id);
  const expected = new Set(remaining(all).map(({ id }) => id));
  let found = new Set<string>();
  try {
    await until(
      async () => {
        found = await servedIds(url, ids);
        return found.size === expected.size && [...found].every((id) => expected.has(id));
      },
      { timeoutMs, what: `${url} to serve ${expected.size} of ${all.length} accepted events` },
    );
  } catch (error) {
    const missing = all.filter(({ id }) => expected.has(id) && !found.has(id));
    const extra = all.filter(({ id }) => !expected.has(id) && found.has(id));
    const sample = (list: NostrEvent[]): string =>
      list
        .slice(0, 5)
        .map(({ id, kind, created_at }) => `${id} (kind ${kind}, ${created_at})`)
        .join(', ');
    throw new Error(
      `${url}: ${missing.length} missing: ${sample(missing)}; ` +
        `${extra.length} that must be gone: ${sample(extra)}`,
      { cause: error },
    );
  }
}

/**
 * Waits until the instance serves those of the newest accepted events that must remain, while
 * more are being accepted.
 */
export async function expectNewestServed(
  url: string,
  accepted: ReadonlyMap<string, NostrEvent>,
  newest: readonly string[],
  timeoutMs: number,
): Promise<void> {
  const first = [...accepted.keys()].indexOf(newest[0] ?? '');
  await until(
    async () => {
      const served = await servedIds(url, newest);
      // Looked at after the answer: what was accepted meanwhile may have removed something.
      const since = [...accepted.values()].slice(Math.max(0, first));
      const expected = new Set(remaining(since).map(({ id }) => id));
      let missing = newest.filter((id) => expected.has(id) && !served.has(id));
      if (missing.length > 0) {
        // A version that was sent again after a break may have been accepted after its successor,
        // which then lies before `first`: looked at only now, since it takes long.
        const all = new Set(remaining([...accepted.values()]).map(({ id }) => id));
        missing = missing.filter((id) => all.has(id));
      }
      if (missing.length > 0) throw new Error(`missing: ${missing.slice(0, 5).join(', ')}`);
      return true;
    },
    { timeoutMs, what: `${url} to serve the ${newest.length} newest accepted events` },
  );
}
