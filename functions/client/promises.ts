import { ItemsBuilder } from '../nostr/negentropy/builder.ts';
import type { Connection } from '../upstream/connection.ts';
import { reasonOf, UpstreamFailure } from '../upstream/failure.ts';
import { type RelayInformation, readInformation } from '../upstream/information.ts';
import { query } from '../upstream/query.ts';
import { reconcile } from '../upstream/reconcile.ts';

/** One thing that a relay does or fails to do. */
export interface Finding {
  readonly ok: boolean;
  /** False where it could not be tried, which is no failure. */
  readonly tried?: boolean;
  readonly name: string;
  readonly detail: string;
}

export interface PromisePorts {
  open(): Promise<Connection>;
  readonly timeoutMs: number;
}

/** Above this nobody tries a limit by going over it. */
const TRIED_MAX = 1_000;

const NIP_NEGENTROPY = 77;

/** A filter that nothing matches: ids are hashes, and nobody finds this one. */
const NOTHING = { ids: ['0'.repeat(64)] };

type Proof = (information: RelayInformation, ports: PromisePorts) => Promise<string>;

/** Each promise with its proof, which gives what was seen, or throws what was seen instead. */
const PROOFS: Readonly<Record<string, Proof>> = {
  'gives no more than max_limit': async ({ limitMax }, ports) => {
    if (limitMax === undefined) return 'none named';
    return withConnection(ports, async (connection) => {
      let found = 0;
      for await (const _ of query(connection, [{ limit: limitMax + 1 }])) found += 1;
      if (found > limitMax) throw new Error(`${found} events, and ${limitMax} are said`);
      return `${found} of ${limitMax}`;
    });
  },
  'refuses more than max_filters': async ({ filtersMax }, ports) => {
    if (!isTried(filtersMax)) return 'none named';
    return withConnection(ports, async (connection) => {
      await answered(connection, filtersMax);
      if (await closes(connection, filtersMax + 1)) return String(filtersMax);
      throw new Error(`${filtersMax + 1} filters are answered`);
    });
  },
  'takes max_subscriptions, and no more': async ({ subscriptionsMax }, ports) => {
    if (!isTried(subscriptionsMax)) return 'none named';
    return withConnection(ports, async (connection) => {
      for (let count = 0; count < subscriptionsMax; count += 1) await answered(connection);
      if (await closes(connection)) return String(subscriptionsMax);
      throw new Error(`${subscriptionsMax + 1} subscriptions stand`);
    });
  },
  'speaks NIP-77 where it says so': async ({ supportedNips = [] }, ports) => {
    const said = supportedNips.includes(NIP_NEGENTROPY);
    const spoken = await withConnection(ports, speaksNegentropy);
    if (said !== spoken) throw new Error(`said: ${said}, done: ${spoken}`);
    return said ? 'spoken' : 'not offered';
  },
  'asks for a login only where it says so': async ({ authRequired = false }, ports) =>
    withConnection(ports, async (connection) => {
      const closed = await closes(connection);
      if (closed !== authRequired) throw new Error(`said: ${authRequired}, done: ${closed}`);
      return authRequired ? 'login' : 'open to all';
    }),
};

/** Holds a relay to its NIP-11 document, one promise after the other. Never throws. */
export async function* provePromises(address: URL, ports: PromisePorts): AsyncGenerator<Finding> {
  const document = await readInformation(address, { timeoutMs: ports.timeoutMs });
  const name = 'has a NIP-11 document';
  if (!document.ok) {
    yield { ok: false, name, detail: document.reason };
    return;
  }
  const information = document.value;
  yield {
    ok: true,
    name,
    detail: [information.software, information.version].filter(Boolean).join(' '),
  };
  for (const nip of [1, 11]) {
    const ok = information.supportedNips?.includes(nip) ?? false;
    yield { ok, name: `names NIP-${nip} as supported`, detail: '' };
  }
  for (const [name, prove] of Object.entries(PROOFS)) {
    try {
      yield { ok: true, name, detail: await prove(information, ports) };
    } catch (error) {
      yield { ok: false, name, detail: reasonOf(error) };
    }
  }
}

const isTried = (limit: number | undefined): limit is number =>
  limit !== undefined && limit <= TRIED_MAX;

async function withConnection<T>(
  ports: PromisePorts,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await ports.open();
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

/** Subscribes and leaves the subscription open. @returns whether it is refused. */
async function closes(connection: Connection, filters = 1): Promise<boolean> {
  const asked = Array.from({ length: filters }, () => NOTHING);
  // Not by `for await`, which would end the subscription.
  const items = connection.subscribe(asked)[Symbol.asyncIterator]();
  try {
    const { value } = await items.next();
    return value?.type === 'closed';
  } catch (error) {
    if (error instanceof UpstreamFailure && error.code === 'refused') return true;
    throw error;
  }
}

async function answered(connection: Connection, filters = 1): Promise<void> {
  if (await closes(connection, filters)) throw new Error('refused below what it says');
}

async function speaksNegentropy(connection: Connection): Promise<boolean> {
  try {
    await reconcile(connection, {
      filter: NOTHING,
      items: new ItemsBuilder().seal(),
      firstAnswerTimeoutMs: 3_000,
      roundsMax: 1,
    });
    return true;
  } catch (error) {
    if (error instanceof UpstreamFailure && error.code === 'unsupported') return false;
    throw error;
  }
}
