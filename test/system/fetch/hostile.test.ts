import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type WebSocket, WebSocketServer } from 'ws';
import { eventText, type NostrEvent } from '../../../functions/nostr/event.ts';
import { ItemsBuilder } from '../../../functions/nostr/negentropy/builder.ts';
import { hexOf } from '../../../functions/nostr/negentropy/items.ts';
import { respond } from '../../../functions/nostr/negentropy/reconcile.ts';
import { type Fetching, idsOf, openFetching } from '../../support/fetching.ts';
import { type ForeignRelay, startForeignRelay } from '../../support/foreign-relay.ts';
import { signedEvent } from '../../support/signed-events.ts';
import { inOrder, matches, type PlainFilter } from '../../support/slow-oracle.ts';
import { useSystem } from '../../support/system.ts';
import { until } from '../../support/until.ts';

/** Long enough, on a busy machine too, for all but those whom only time ends. */
const PIECE_SECONDS = 15;
/** How that reads, whichever of two clocks is the first. */
const TIME_IS_OVER = /(no answer|nothing came) within 15 s/;
const PIECE_BYTES = 20_000_000;
/** All that one instance may take for all of them at once; it begins with about 150 MiB. */
const MEMORY_BYTES_MAX = 512 * 1_048_576;

const notes = (count: number, key: number, kind = 1): NostrEvent[] =>
  Array.from({ length: count }, (_, n) =>
    signedEvent({ key, kind, created_at: 1_700_000_000 + n, content: `note ${n} of ${key}` }),
  );
const honest = notes(700, 1);
/** What the one has that behaves. */
const undisturbed = notes(700, 2);
const frame = (id: string, event: NostrEvent): string => `["EVENT","${id}",${eventText(event)}]`;

/** How a relay answers a REQ with this id, well or badly. */
type Answer = (id: string, socket: WebSocket, filter: PlainFilter) => void;

interface Hostile {
  readonly what: string;
  readonly answer: Answer;
  readonly compress?: boolean;
  /** What it answers to a message of NIP-77; it does not know that by default. */
  readonly negentropy?: (hex: string) => string;
  /** What stands in the source's record afterwards; absent where it is fetched whole all the same. */
  readonly failure?: RegExp;
  readonly quarantined?: boolean;
}

const sendAll = (socket: WebSocket, texts: Iterable<string>): void => {
  for (const text of texts) if (socket.readyState === socket.OPEN) socket.send(text);
};

/** As an honest relay does. */
const givePage: Answer = (id, socket, filter) => {
  const page = inOrder(honest.filter((event) => matches(filter, event)));
  sendAll(
    socket,
    page.slice(0, filter.limit).map((event) => frame(id, event)),
  );
  socket.send(`["EOSE","${id}"]`);
};

/** The answer of a relay that has the honest events. */
function announce(hex: string): string {
  const builder = new ItemsBuilder();
  for (const { created_at, id } of honest) builder.add(created_at, id);
  const answer = respond(builder.seal(), Buffer.from(hex, 'hex'), 60_000);
  return answer.ok ? hexOf(answer.value) : '61';
}

/** Each time another fingerprint of everything, so that it never comes to an end. */
const anotherFingerprint = (): string => `61000001${randomBytes(16).toString('hex')}`;

const HOSTILE: readonly Hostile[] = [
  { what: 'never answers', answer: () => {}, failure: TIME_IS_OVER },
  {
    what: 'answers garbage',
    answer: (_, socket) =>
      sendAll(
        socket,
        Array.from({ length: 2_000 }, (_, n) => `{garbage ${n}`),
      ),
    failure: /must not, last: message is not JSON/,
    quarantined: true,
  },
  {
    what: 'floods without an end',
    answer(id, socket) {
      const text = frame(id, honest[0]!);
      const more = (): void => {
        sendAll(
          socket,
          Array.from({ length: 200 }, () => text),
        );
        if (socket.readyState === socket.OPEN) setImmediate(more);
      };
      more();
    },
    failure: /must not, last: more events than the limit allows/,
  },
  {
    what: 'floods with notices',
    answer(_, socket) {
      const text = JSON.stringify(['NOTICE', 'x'.repeat(100_000)]);
      const more = (error?: Error | null): void => {
        if (!error) socket.send(text, more);
      };
      more();
    },
    failure: /sent more than 40000000 bytes/,
  },
  {
    what: 'sends events that do not match the filter',
    answer(id, socket) {
      sendAll(
        socket,
        notes(300, 3, 7).map((event) => frame(id, event)),
      );
      socket.send(`["EOSE","${id}"]`);
    },
    failure: /not asked for/,
    quarantined: true,
  },
  {
    what: 'sends forged events',
    answer(id, socket) {
      const forged = notes(300, 4).map((event) => ({ ...event, content: `${event.content}!` }));
      sendAll(
        socket,
        forged.map((event) => frame(id, event)),
      );
      socket.send(`["EOSE","${id}"]`);
    },
    failure: /id or signature is wrong/,
    quarantined: true,
  },
  {
    what: 'trickles one event after the other',
    answer(id, socket) {
      let n = 0;
      const more = setInterval(() => {
        if (socket.readyState !== socket.OPEN) clearInterval(more);
        else socket.send(frame(id, honest[n++ % honest.length]!));
      }, 300);
    },
    failure: TIME_IS_OVER,
  },
  {
    what: 'reconciles without an end',
    negentropy: anotherFingerprint,
    answer: givePage,
    failure: TIME_IS_OVER,
  },
  {
    what: 'answers negentropy with garbage and pages well',
    negentropy: () => '61ffff',
    answer: givePage,
  },
  {
    what: 'announces events by negentropy and gives none of them',
    negentropy: announce,
    answer: (id, socket) => socket.send(`["EOSE","${id}"]`),
    failure: /gives nothing/,
  },
  {
    what: 'closes in the middle',
    answer(id, socket) {
      sendAll(
        socket,
        notes(20, 5).map((event) => frame(id, event)),
      );
      socket.close();
    },
    failure: /closed the connection/,
  },
  {
    what: 'compresses a bomb',
    compress: true,
    answer: (_, socket) => socket.send(`["NOTICE","${'a'.repeat(64 * 1_048_576)}"]`),
    failure: /Max payload size exceeded/,
  },
  {
    what: 'hands out an event of 10 MB before the good ones',
    answer(id, socket, filter) {
      socket.send(frame(id, { ...honest[0]!, content: 'x'.repeat(10_000_000) }));
      givePage(id, socket, filter);
    },
  },
  {
    what: 'hands out an event of 10 MB and then nothing',
    answer: (id, socket) =>
      socket.send(frame(id, { ...honest[0]!, content: 'x'.repeat(10_000_000) })),
    failure: TIME_IS_OVER,
  },
];

interface Running {
  readonly url: string;
  close(): void;
}

function startHostile({ answer, compress = false, negentropy }: Hostile): Promise<Running> {
  const http = createServer((_, response) => response.writeHead(404).end());
  const server = new WebSocketServer({ server: http, perMessageDeflate: compress });
  server.on('connection', (socket) => {
    socket.on('error', () => socket.terminate());
    socket.on('message', (data) => {
      const [verb, id, ...rest] = JSON.parse(data.toString()) as [string, string, ...unknown[]];
      if (verb.startsWith('NEG-') && negentropy) {
        const message = verb === 'NEG-OPEN' ? rest[1] : rest[0];
        if (typeof message === 'string') {
          socket.send(JSON.stringify(['NEG-MSG', id, negentropy(message)]));
        }
        return;
      }
      if (verb === 'NEG-OPEN') socket.send('["NOTICE","unknown message NEG-OPEN"]');
      if (verb === 'REQ') answer(id, socket, rest[0] as PlainFilter);
    });
  });
  return listening(http, () => {
    for (const socket of server.clients) socket.terminate();
  });
}

function listening(http: Server, beforeClose: () => void = () => {}): Promise<Running> {
  return new Promise((resolve) => {
    http.listen(0, '127.0.0.1', () => {
      const { port } = http.address() as AddressInfo;
      resolve({
        url: `ws://127.0.0.1:${port}/`,
        close() {
          beforeClose();
          http.closeAllConnections();
          http.close();
        },
      });
    });
  });
}

describe('among hostile upstreams', () => {
  const system = useSystem({
    env: {
      FETCH_ALLOW_LOOPBACK: 'on',
      FETCH_PIECE_SECONDS: String(PIECE_SECONDS),
      FETCH_PIECE_BYTES: String(PIECE_BYTES),
      FETCH_COVERAGE_HOURS: '0',
    },
  });
  let fetching: Fetching;
  let good: ForeignRelay;
  let elsewhere: Running;
  let hostile: Running[] = [];
  const rows = new Map<string, Record<string, unknown>>();

  beforeAll(async () => {
    good = await startForeignRelay(undisturbed);
    hostile = await Promise.all(HOSTILE.map(startHostile));
    const loop = createServer((request, response) => {
      response.writeHead(302, { location: `http://${request.headers.host}/` }).end();
    });
    elsewhere = await listening(loop);
    hostile.push(elsewhere);
    fetching = openFetching(system());
    await fetching.add([...hostile.map(({ url }) => url), good.url], { kinds: [1] });
    await fetching.visit();
    // Each piece ends within its bounds, whatever the other side does.
    await until(
      async () => {
        const { rows: found } = await fetching.pool.query<Record<string, unknown>>(
          `select s.url, s.state, s.reason, s.last_failure, s.uptime, s.failures_in_row,
            s.bytes::float, s.new_per_request, s.successes + s.failures as visits,
            (select count(*)::int from fetch_ranges r where r.source = s.id) as ranges from sources s`,
        );
        for (const row of found) rows.set(String(row['url']), row);
        return found.length > 0 && found.every((row) => Number(row['visits']) > 0);
      },
      { timeoutMs: (PIECE_SECONDS + 45) * 1_000, what: 'every piece to end' },
    );
  }, 150_000);
  afterAll(async () => {
    await fetching.close();
    await good.close();
    for (const relay of hostile) relay.close();
  });

  /** What the fetcher's log says of a source. */
  const logged = (url: string): Record<string, unknown>[] =>
    readFileSync(join(system().directory, 'log', 'fetch.log'), 'utf8')
      .split('\n')
      .filter((line) => line.includes(url))
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  it('the honest one is fetched whole', async () => {
    const wanted = idsOf(undisturbed);
    await until(
      async () => {
        const ids = await fetching.storedIds();
        return [...wanted].every((id) => ids.has(id));
      },
      { what: 'the honest events to be stored' },
    );
    expect(rows.get(new URL(good.url).href)).toMatchObject({
      state: 'active',
      ranges: 1,
      uptime: 1,
      failures_in_row: 0,
    });
    expect(rows.get(new URL(good.url).href)?.['new_per_request']).toBeGreaterThan(0);
  });

  const BAD = HOSTILE.flatMap((each, n) => (each.failure ? [[each.what, each, n] as const] : []));
  it.each(BAD)(
    'one that %s gets no seconds covered, and its record, its score and the log say why',
    (_, { failure, quarantined = false }, n) => {
      const url = hostile[n]!.url;
      const row = rows.get(url);
      expect(row).toMatchObject({
        ranges: 0,
        state: quarantined ? 'quarantined' : 'active',
        last_failure: expect.stringMatching(failure!),
        reason: quarantined ? expect.stringMatching(/invalid or not what was asked/) : null,
        failures_in_row: 1,
        new_per_request: 0,
      });
      expect(row?.['uptime']).toBeLessThan(1);
      const lines = logged(url);
      expect(lines).toContainEqual(
        expect.objectContaining({
          severity: 'WARNING',
          message: 'source visited',
          failure: row?.['last_failure'],
        }),
      );
      expect(lines.some(({ message }) => message === 'source is quarantined')).toBe(quarantined);
    },
  );

  const GOOD = HOSTILE.flatMap((each, n) => (each.failure ? [] : [[each.what, n] as const]));
  it.each(GOOD)('one that %s is fetched whole all the same', (_, n) => {
    expect(rows.get(hostile[n]!.url)).toMatchObject({
      ranges: 1,
      state: 'active',
      last_failure: null,
      failures_in_row: 0,
      uptime: 1,
    });
  });

  it('one that redirects in circles is no relay', () => {
    const row = rows.get(elsewhere.url);
    expect(row).toMatchObject({ ranges: 0, state: 'active', failures_in_row: 1 });
    expect(row?.['last_failure']).toMatch(/302/);
    expect(logged(elsewhere.url)).toContainEqual(
      expect.objectContaining({ severity: 'WARNING', failure: row?.['last_failure'] }),
    );
  });

  it('none gets more bytes or memory out of us than a visit has', () => {
    // What is on its way when the bound is reached comes on top.
    const bytesMax = 2 * PIECE_BYTES + 5_000_000;
    for (const row of rows.values()) expect(row['bytes']).toBeLessThan(bytesMax);
    const status = readFileSync(`/proc/${system().pid('fetch')}/status`, 'utf8');
    const peak = 1_024 * Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]);
    process.stdout.write(
      `${rows.size} hostile and honest sources: fetch took ${Math.round(peak / 1_048_576)} MiB at most\n`,
    );
    expect(peak).toBeLessThan(MEMORY_BYTES_MAX);
  });

  it('nothing forged or unasked is stored', async () => {
    const stored = await fetching.storedIds();
    const unwanted = [...idsOf(notes(300, 3, 7)), ...idsOf(notes(300, 4))];
    expect(unwanted.filter((id) => stored.has(id))).toEqual([]);
  });
});
