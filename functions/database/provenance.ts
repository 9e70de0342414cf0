import type pg from 'pg';
import { eventKey } from './keys.ts';
import { withSession } from './session.ts';
import { storedEvent } from './stored-event.ts';

/** Where an event that we hold was first seen. */
export interface Provenance {
  readonly id: string;
  readonly kind: number;
  /** Unix seconds, by its author. */
  readonly createdAt: number;
  /** `client`, or the address of the source that gave it. */
  readonly source: string;
  /** When we took it: Unix milliseconds; undefined where a version before 0004 wrote it. */
  readonly seenAt: number | undefined;
}

interface Row {
  readonly text: string;
  readonly seen_from: number | null;
  readonly seen_at: string | null;
  readonly url: string | null;
}

/** Where the event with this id came from; undefined where we do not hold it. */
export async function readProvenance(pool: pg.Pool, id: string): Promise<Provenance | undefined> {
  return withSession(pool, async (client) => {
    const { rows } = await client.query<Row>({
      name: 'read-provenance',
      text: `select e.text, e.seen_from, e.seen_at, s.url
        from (
          select text, seen_from, seen_at from events where key = $1
          union all
          select text, seen_from, seen_at from kept where key = $1
        ) e left join sources s on s.id = e.seen_from
        where substr(e.text, 8, 64) = $2`,
      values: [eventKey(id), id],
    });
    const row = rows[0];
    if (row === undefined) return undefined;
    const { kind, createdAt } = storedEvent(row.text);
    const source = row.seen_from === null ? 'client' : (row.url ?? `source ${row.seen_from}`);
    const seenAt = row.seen_at === null ? undefined : Number(row.seen_at);
    return { id, kind, createdAt, source, seenAt };
  });
}
