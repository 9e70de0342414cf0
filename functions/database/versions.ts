import type pg from 'pg';
import type { Address } from '../nostr/event.ts';
import { idOfText } from '../nostr/event.ts';
import { plainArray } from './array.ts';
import { authorKey, dKey } from './keys.ts';
import { withSession } from './session.ts';

/** Which version of a replaceable or addressable event is stored. */
export interface StoredVersion {
  readonly id: string;
  readonly created_at: number;
}

/** The stored versions at these addresses, in their order; undefined where there is none. */
export async function storedVersions(
  pool: pg.Pool,
  addresses: readonly Address[],
): Promise<(StoredVersion | undefined)[]> {
  const versions: (StoredVersion | undefined)[] = addresses.map(() => undefined);
  if (addresses.length === 0) return versions;
  await withSession(pool, async (client) => {
    const { rows } = await client.query<{ n: string; created_at: string; head: string }>({
      name: 'stored-versions',
      // The id stands at a text's beginning.
      text: `select n, k.created_at, left(k.text, 80) as head
        from unnest($1::uuid[], $2::int[], $3::uuid[]) with ordinality as given(author, kind, d, n)
        join kept k on k.author = given.author and k.kind = given.kind and k.d = given.d`,
      values: [
        plainArray(addresses.map(({ pubkey }) => authorKey(pubkey))),
        plainArray(addresses.map(({ kind }) => kind)),
        plainArray(addresses.map(({ d }) => dKey(d))),
      ],
    });
    for (const { n, created_at, head } of rows) {
      versions[Number(n) - 1] = { id: idOfText(head), created_at: Number(created_at) };
    }
  });
  return versions;
}
