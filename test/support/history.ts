import type { Pool } from 'pg';
import type { StoredMeta } from '../../functions/cloud/envelope.ts';
import { writeEvents } from '../../functions/database/write.ts';
import { addressOf, eventText, type NostrEvent } from '../../functions/nostr/event.ts';
import type { Random } from './random.ts';
import type { PlainFilter } from './slow-oracle.ts';
import { authorOf, unsigned } from './unsigned.ts';
import { until } from './until.ts';

/** A made-up history of a relay, for answers that are compared with a slow oracle's. */

const START = 1_700_000_000;

/** A line of the fast lane. */
export interface Message {
  readonly meta: StoredMeta;
  readonly text?: string;
}

/** Old and new, superseding and deleting each other, few authors, so that much happens. */
export function nextEvent(random: Random, earlier: readonly NostrEvent[]): NostrEvent {
  const author = random.below(6) + 1;
  const created_at = START + random.below(3_000);
  const target = earlier.length > 0 ? random.pick(earlier) : undefined;
  if (target !== undefined && random.below(10) === 0) {
    const address = addressOf(target);
    const tag = address && random.below(2) === 0 ? ['a', address] : ['e', target.id];
    // One in three is a stranger's.
    const own = [1, 2, 3, 4, 5, 6].find((n) => authorOf(n) === target.pubkey) ?? author;
    const by = random.below(3) === 0 ? author : own;
    return unsigned({ author: by, kind: 5, created_at, tags: [tag] });
  }
  const kind = random.pick([0, 1, 1, 1, 3, 7, 10_002, 30_023, 30_023]);
  const tags = [
    ['d', random.pick(['x', 'y'])],
    ['t', random.pick(['a', 'b', 'c'])],
    ['p', authorOf(random.below(6) + 1)],
  ];
  return unsigned({ author, kind, created_at, tags, content: String(random.below(1e9)) });
}

/** A filter that some of them match. */
export function nextFilter(random: Random, events: readonly NostrEvent[]): PlainFilter {
  const filter: Record<string, unknown> = {};
  if (random.below(6) === 0) filter['ids'] = [random.pick(events).id, random.pick(events).id];
  if (random.below(3) === 0) filter['authors'] = [authorOf(random.below(6) + 1), authorOf(2)];
  if (random.below(3) === 0)
    filter['kinds'] = random.pick([[1], [0], [0, 3], [30_023], [5], [1, 7]]);
  if (random.below(5) === 0) filter['#t'] = [random.pick(['a', 'b'])];
  if (random.below(6) === 0) filter['#d'] = [random.pick(['x', 'y'])];
  if (random.below(4) === 0) filter['since'] = START + random.below(3_000);
  if (random.below(4) === 0) filter['until'] = START + random.below(3_000);
  if (random.below(2) === 0) filter['limit'] = random.below(30) + 1;
  return filter as PlainFilter;
}

/** Stores a batch, and says what the fast lane says of it. */
export async function writeHistory(pool: Pool, batch: readonly NostrEvent[]): Promise<Message[]> {
  const events = batch.map((event) => ({ event, text: eventText(event) }));
  const { transaction, outcomes } = await writeEvents(pool, events);
  return outcomes.map((result, n) => {
    const { event, text } = events[n]!;
    const meta = { id: event.id, acceptedAt: 0, trace: 't' };
    if (result.outcome !== 'stored') return { meta: { ...meta, outcome: result.outcome } };
    const change = { transaction, seq: result.seq, removed: result.removed };
    return { meta: { ...meta, outcome: 'stored' as const, change }, text };
  });
}

/**
 * Resolves when the changes log gives all that is committed by now. Somebody else's transaction, such
 * as an ANALYZE of autovacuum, holds it back for a moment.
 */
export async function untilLogged(pool: Pool): Promise<void> {
  const { rows } = await pool.query<{ next: string }>(
    'select pg_snapshot_xmax(pg_current_snapshot()) as next',
  );
  await until(
    async () => {
      const passed = 'select pg_snapshot_xmin(pg_current_snapshot()) >= $1::xid8 as passed';
      return (await pool.query<{ passed: boolean }>(passed, [rows[0]?.next])).rows[0]?.passed;
    },
    { what: 'the transactions under way to end' },
  );
}
