import { AbstractRelay } from 'nostr-tools/abstract-relay';
import { verifyEvent } from 'nostr-tools/pure';
import { fetchAll } from '../support/fetch-all.ts';
import { difference, idsOf } from '../support/fetching.ts';
import { loadNip77 } from '../support/nip77.ts';
import { useSystem } from '../support/system.ts';
import { publishAll, twoSides } from '../support/two-sides.ts';

/** Events on each side before: some by default, 50000 when the whole is to be shown. */
const EVENTS = Number(process.env['EVENTS'] ?? 4_500);
const TIMEOUT_MS = 60_000 + 10 * EVENTS;
const IDS_A_REQUEST = 400;
const PUBLISHED_AT_ONCE = 100;
const NONE = { missing: [], extra: [] };

/** Messages and their characters, by direction. */
interface Carried {
  messages: number;
  characters: number;
}

/** A WebSocket that counts what NIP-77 costs, and everything else apart from that. */
class CountingSocket extends WebSocket {
  static readonly counts = {
    negentropy: { sent: none(), received: none() },
    other: { sent: none(), received: none() },
  };
  /** Refusals, which nostr-tools takes for the end of a session. */
  static readonly refused: string[] = [];

  constructor(url: string) {
    super(url);
    this.addEventListener('message', ({ data }) => count('received', String(data)));
  }

  override send(data: string): void {
    count('sent', data);
    super.send(data);
  }
}

function none(): Carried {
  return { messages: 0, characters: 0 };
}

function count(direction: 'sent' | 'received', text: string): void {
  const sort = text.startsWith('["NEG-') ? 'negentropy' : 'other';
  const counts = CountingSocket.counts[sort][direction];
  counts.messages += 1;
  counts.characters += text.length;
  if (text.startsWith('["NEG-ERR"')) CountingSocket.refused.push(text);
}

describe(`nostr-tools' negentropy with a running system, ${EVENTS} events on each side`, () => {
  const system = useSystem();
  const sides = twoSides(EVENTS);
  /** What the client holds. */
  const theirs = new Map(sides.theirs.map((event) => [event.id, event]));
  let client: AbstractRelay;

  beforeAll(async () => {
    const url = system().urls[0] ?? '';
    await publishAll(url, sides.ours);
    client = await AbstractRelay.connect(url, {
      verifyEvent,
      websocketImplementation: CountingSocket as unknown as typeof WebSocket,
    });
    client.onnotice = () => undefined;
  }, TIMEOUT_MS);
  afterAll(() => client.close());

  /** What nostr-tools finds out, and what that costs. */
  async function compare(): Promise<{ have: Set<string>; need: Set<string> }> {
    const { NegentropyStorageVector, NegentropySync } = await loadNip77();
    const storage = new NegentropyStorageVector();
    for (const { created_at, id } of theirs.values()) storage.insert(created_at, id);
    storage.seal();
    const have = new Set<string>();
    const need = new Set<string>();
    const before = structuredClone(CountingSocket.counts.negentropy);
    await new Promise<void>((resolve, reject) => {
      const sync = new NegentropySync(
        client as never,
        storage,
        {},
        {
          onhave: (id) => have.add(id),
          onneed: (id) => need.add(id),
          onclose: (why) => (why === undefined ? resolve() : reject(new Error(why))),
        },
      );
      sync.start().catch(reject);
    });
    expect(CountingSocket.refused).toEqual([]);
    const { sent, received } = CountingSocket.counts.negentropy;
    const bytes = (now: Carried, then: Carried) => now.characters - then.characters;
    process.stdout.write(
      `nostr-tools, ${theirs.size} events: ${received.messages - before.received.messages} rounds, ` +
        `${bytes(sent, before.sent)} bytes sent, ${bytes(received, before.received)} received; ` +
        `it has ${have.size} that we lack, and needs ${need.size}\n`,
    );
    return { have, need };
  }

  /** Asks for events by id, as a client does that has learnt what it lacks. */
  async function download(ids: readonly string[]): Promise<void> {
    for (let at = 0; at < ids.length; at += IDS_A_REQUEST) {
      const lot = ids.slice(at, at + IDS_A_REQUEST);
      await new Promise<void>((resolve, reject) => {
        const subscription = client.subscribe([{ ids: lot, limit: lot.length }], {
          onevent: (event) => theirs.set(event.id, event),
          oneose: () => {
            resolve();
            subscription.close();
          },
          // Too late to matter where we close it ourselves.
          onclose: (why) => reject(new Error(why)),
        });
      });
    }
  }

  async function publish(ids: readonly string[]): Promise<void> {
    for (let at = 0; at < ids.length; at += PUBLISHED_AT_ONCE) {
      const lot = ids.slice(at, at + PUBLISHED_AT_ONCE);
      // Rejects unless the answer is OK true.
      await Promise.all(lot.map((id) => client.publish(theirs.get(id) as never)));
    }
  }

  it(
    'leaves both sides with all events, when what each lacks is carried over',
    async () => {
      const { have, need } = await compare();
      expect(difference(idsOf(sides.onlyTheirs), have)).toEqual(NONE);
      expect(difference(idsOf(sides.onlyOurs), need)).toEqual(NONE);
      await download([...need]);
      await publish([...have]);
      // What was accepted a moment ago counts at once, stored or not.
      expect(await compare()).toEqual({ have: new Set(), need: new Set() });
      const { sent, received } = CountingSocket.counts.other;
      process.stdout.write(
        `the events themselves: ${sent.characters} bytes sent, ${received.characters} received\n`,
      );
      const held = idsOf(await fetchAll(system().urls[0] ?? ''));
      expect(difference(idsOf(sides.all), held)).toEqual(NONE);
      expect(difference(idsOf(sides.all), new Set(theirs.keys()))).toEqual(NONE);
    },
    TIMEOUT_MS,
  );
});
