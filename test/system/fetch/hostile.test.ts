import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { eventText, type NostrEvent } from '../../../functions/nostr/event.ts';
import { ItemsBuilder } from '../../../functions/nostr/negentropy/builder.ts';
import { hexOf } from '../../../functions/nostr/negentropy/items.ts';
import { respond } from '../../../functions/nostr/negentropy/reconcile.ts';
import { type Fetching, idsOf, openFetching } from '../../support/fetching.ts';
import { type ForeignRelay, startForeignRelay } from '../../support/foreign-relay.ts';
import { signedEvent } from '../../support/signed-events.ts';
import { useSystem } from '../../support/system.ts';
import { until } from '../../support/until.ts';

const PIECE_SECONDS = 6;

const notes = (count: number, key: number, kind = 1): NostrEvent[] =>
  Array.from({ length: count }, (_, n) =>
    signedEvent({ key, kind, created_at: 1_700_000_000 + n, content: `note ${n} of ${key}` }),
  );
const honest = notes(700, 1);
const frame = (id: string, event: NostrEvent): string => `["EVENT","${id}",${eventText(event)}]`;

/** How a relay answers a REQ with this id, well or badly. */
type Answer = (id: string, socket: WebSocket) => void;

interface Hostile {
  readonly what: string;
  readonly answer: Answer;
  readonly compress?: boolean;
  /** Speaks NIP-77, and says that it has the honest events. */
  readonly negentropy?: boolean;
  /** What stands in the source's record afterwards. */
  readonly failure?: RegExp;
  readonly quarantined?: boolean;
}

const sendAll = (socket: WebSocket, texts: Iterable<string>): void => {
  for (const text of texts) if (socket.readyState === socket.OPEN) socket.send(text);
};

const HOSTILE: readonly Hostile[] = [
  { what: 'never answers', answer: () => {}, failure: /nothing came within|no answer within/ },
  {
    what: 'answers garbage',
    answer: (_, socket) =>
      sendAll(
        socket,
        Array.from({ length: 2_000 }, (_, n) => `{garbage ${n}`),
      ),
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
    failure: /must not/,
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
  },
  {
    what: 'announces events by negentropy and gives none of them',
    negentropy: true,
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
    failure: /./,
  },
  {
    what: 'hands out an event of 10 MB',
    answer: (id, socket) =>
      socket.send(frame(id, { ...honest[0]!, content: 'x'.repeat(10_000_000) })),
    failure: /./,
  },
];

/** The answer of a relay that has the honest events. */
function announce(hex: string): string {
  const builder = new ItemsBuilder();
  for (const { created_at, id } of honest) builder.add(created_at, id);
  const answer = respond(builder.seal(), Buffer.from(hex, 'hex'), 60_000);
  return answer.ok ? hexOf(answer.value) : '61';
}

interface Running {
  readonly url: string;
  close(): void;
}

function startHostile({ answer, compress = false, negentropy = false }: Hostile): Promise<Running> {
  const http = createServer((_, response) => response.writeHead(404).end());
  const server = new WebSocketServer({ server: http, perMessageDeflate: compress });
  server.on('connection', (socket) => {
    socket.on('error', () => socket.terminate());
    socket.on('message', (data) => {
      const [verb, id, second, third] = JSON.parse(data.toString()) as string[];
      if (verb?.startsWith('NEG-') && negentropy) {
        const message = verb === 'NEG-OPEN' ? third : second;
        if (message !== undefined) socket.send(JSON.stringify(['NEG-MSG', id, announce(message)]));
        return;
      }
      if (verb === 'NEG-OPEN') socket.send('["NOTICE","unknown message NEG-OPEN"]');
      if (verb === 'REQ') answer(id ?? '', socket);
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
      FETCH_COVERAGE_HOURS: '0',
    },
  });
  let fetching: Fetching;
  let good: ForeignRelay;
  let elsewhere: Running;
  let hostile: Running[] = [];
  const rows = new Map<string, Record<string, unknown>>();

  beforeAll(async () => {
    good = await startForeignRelay(honest);
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
          `select s.url, s.state, s.reason, s.last_failure, s.successes + s.failures as visits,
            (select count(*)::int from fetch_ranges r where r.source = s.id) as ranges from sources s`,
        );
        for (const row of found) rows.set(String(row['url']), row);
        return found.length > 0 && found.every((row) => Number(row['visits']) > 0);
      },
      { timeoutMs: (PIECE_SECONDS + 15) * 1_000, what: 'every piece to end' },
    );
  }, 90_000);
  afterAll(async () => {
    await fetching.close();
    await good.close();
    for (const relay of hostile) relay.close();
  });

  it('the honest one is fetched whole', async () => {
    const wanted = idsOf(honest);
    await until(
      async () => {
        const ids = await fetching.storedIds();
        return [...wanted].every((id) => ids.has(id));
      },
      { what: 'the honest events to be stored' },
    );
    expect(rows.get(new URL(good.url).href)).toMatchObject({ state: 'active', ranges: 1 });
  });

  it.each(HOSTILE.map((each, n) => [each.what, each, n] as const))(
    'one that %s gets no seconds covered, and its record says why',
    (_, { failure, quarantined }, n) => {
      const row = rows.get(hostile[n]!.url);
      expect(row).toMatchObject({
        ranges: 0,
        state: quarantined === true ? 'quarantined' : 'active',
      });
      if (failure !== undefined) expect(row?.['last_failure']).toMatch(failure);
      if (quarantined === true) expect(row?.['reason']).toMatch(/invalid or not what was asked/);
    },
  );

  it('one that redirects in circles is no relay', () => {
    const row = rows.get(elsewhere.url);
    expect(row).toMatchObject({ ranges: 0, state: 'active' });
    expect(row?.['last_failure']).toMatch(/302/);
  });

  it('nothing forged or unasked is stored', async () => {
    const stored = await fetching.storedIds();
    const unwanted = [...idsOf(notes(300, 3, 7)), ...idsOf(notes(300, 4))];
    expect(unwanted.filter((id) => stored.has(id))).toEqual([]);
  });
});
