import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { authorKey, dKey, eventKey, isKeptKind, tagKeysOf } from '../../functions/database/keys.ts';
import { eventText, type NostrEvent } from '../../functions/nostr/event.ts';
import { randomOf } from './random.ts';

/** 64 hex characters that stand for the n-th thing of a sort. */
export const hexOf = (sort: string, n: number): string =>
  (sort + n.toString(16).padStart(8, '0')).repeat(8).slice(0, 64);

export interface ManyEvents {
  readonly count: number;
  readonly authors: number;
  /** The first second, and how many follow. */
  readonly from: number;
  readonly seconds: number;
  readonly seed: number;
}

/** Skewed like the network: few authors write most, few tags are on most events. */
export function* manyEvents(options: ManyEvents): Generator<NostrEvent> {
  const random = randomOf(options.seed);
  // A square root's worth of authors writes half of everything.
  const skewed = (bound: number) => Math.floor(bound * (random.below(1e6) / 1e6) ** 3);
  for (let n = 0; n < options.count; n += 1) {
    const author = skewed(options.authors);
    const kind = [1, 1, 1, 1, 7, 7, 7, 6, 9_735, 0, 30_023, 1_984][random.below(12)] ?? 1;
    const tags: string[][] = [['t', `topic${skewed(500)}`]];
    if (kind !== 0) tags.push(['p', hexOf('a', skewed(options.authors))]);
    if (kind === 7 || kind === 6 || n % 3 === 0)
      tags.push(['e', hexOf('e', skewed(options.count))]);
    if (kind === 30_023) tags.push(['d', `article ${n}`]);
    yield {
      id: hexOf('', random.below(0xffffffff)).slice(0, 48) + n.toString(16).padStart(16, '0'),
      pubkey: kind === 0 ? hexOf('a', n % options.authors) : hexOf('a', author),
      created_at: options.from + random.below(options.seconds),
      kind,
      tags,
      content: 'x'.repeat(100),
      sig: '0'.repeat(128),
    };
  }
}

/** Puts events into the tables by COPY, as `writeEvents` would leave them; much faster. */
export async function copyEvents(pool: pg.Pool, events: Iterable<NostrEvent>): Promise<void> {
  const rows = { events: '', event_tags: '', kept: '', kept_tags: '' };
  const profiles = new Set<string>();
  for (const event of events) {
    const key = eventKey(event.id);
    const author = authorKey(event.pubkey);
    const kept = isKeptKind(event.kind);
    if (event.kind === 0) {
      if (profiles.has(event.pubkey)) continue;
      profiles.add(event.pubkey);
    }
    const text = eventText(event).replaceAll('\\', '\\\\');
    const row = `${event.created_at}\t${key}\t${author}\t${event.kind}`;
    const d = event.tags.find(([name]) => name === 'd')?.[1] ?? '';
    if (kept) rows.kept += `${row}\t${dKey(d)}\t${text}\n`;
    else rows.events += `${row}\t${text}\n`;
    for (const tag of tagKeysOf(event)) {
      rows[kept ? 'kept_tags' : 'event_tags'] +=
        `${tag}\t${event.created_at}\t${key}\t${event.kind}\n`;
    }
  }
  const columns = {
    events: '(created_at, key, author, kind, text)',
    event_tags: '(tag, created_at, key, kind)',
    kept: '(created_at, key, author, kind, d, text)',
    kept_tags: '(tag, created_at, key, kind)',
  };
  const client = await pool.connect();
  try {
    for (const table of ['events', 'event_tags', 'kept', 'kept_tags'] as const) {
      const sink = client.query(copyFrom(`copy ${table} ${columns[table]} from stdin`));
      await pipeline(Readable.from([rows[table]]), sink);
    }
  } finally {
    client.release();
  }
  await pool.query('vacuum analyze');
}
