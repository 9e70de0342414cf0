import type pg from 'pg';
import type { LogPosition } from './changes.ts';
import { BEGIN_SNAPSHOT, withTransaction } from './session.ts';
import { type StoredEvent, storedEvent } from './stored-event.ts';

/** The newest stored events, as one snapshot of the database saw them. */
export interface Recent {
  /** Reading the changes log from here misses nothing that the snapshot did not see. */
  readonly position: LogPosition;
  /** Newest first, ties by lowest id. */
  readonly events: StoredEvent[];
  /** Every stored event with this created_at or a later one is in `events`. */
  readonly completeSince: number;
}

const ROWS_A_FETCH = 1_000;

/** Both tables, read in order, so that the cursor costs what is fetched and no more. */
const NEWEST = `
  select text from (
    select created_at, key, text from events
    union all
    select created_at, key, text from kept
  ) both_tables order by created_at desc, key`;

/**
 * Loads the newest events until one of the bounds is reached; the last event may go beyond
 * `bytesMax`. `pool` must lead to the primary.
 */
export async function loadRecent(
  pool: pg.Pool,
  { eventsMax, bytesMax }: { readonly eventsMax: number; readonly bytesMax: number },
): Promise<Recent> {
  return withTransaction(pool, BEGIN_SNAPSHOT, async (client) => {
    const { rows: heads } = await client.query<{ xmin: string }>(
      'select pg_snapshot_xmin(pg_current_snapshot()) as xmin',
    );
    const position = Number(heads[0]?.xmin);
    const events: StoredEvent[] = [];
    let bytes = 0;
    await client.query(`declare newest no scroll cursor for ${NEWEST}`);
    while (events.length < eventsMax && bytes < bytesMax) {
      const wanted = Math.min(ROWS_A_FETCH, eventsMax - events.length);
      const { rows } = await client.query<{ text: string }>(`fetch ${wanted} from newest`);
      for (const { text } of rows) {
        if (bytes >= bytesMax) break;
        events.push(storedEvent(text));
        bytes += Buffer.byteLength(text);
      }
      if (rows.length < wanted && bytes < bytesMax) return { position, events, completeSince: 0 };
    }
    // More events of the last one's second may have been left out.
    const last = events.at(-1);
    const completeSince = last === undefined ? Number.MAX_SAFE_INTEGER : last.createdAt + 1;
    return { position, events, completeSince };
  });
}
