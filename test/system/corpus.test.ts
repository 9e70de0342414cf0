import { eventText, type NostrEvent } from '../../functions/nostr/event.ts';
import { corpusLines, realTexts } from '../support/corpus.ts';
import { expectServed } from '../support/expect-served.ts';
import { fetchAll } from '../support/fetch-all.ts';
import { answer, type PlainFilter, remaining } from '../support/slow-oracle.ts';
import { SocketClient } from '../support/socket-client.ts';
import { EventStream } from '../support/stream.ts';
import { useSystem } from '../support/system.ts';

const eventsOf = (texts: readonly string[]): NostrEvent[] =>
  texts.map((text) => JSON.parse(text) as NostrEvent);

const STORED_TIMEOUT_MS = 60_000;
/** What remains of the committed sample. */
const SAMPLE_REMAINING = 469;
/** What the larger corpus calls the same. */
const COUNTED_AS = 'stored_before_deletion_expiry_and_time_limits';
const EVENTS_ASKED_FOR = 60;
const DEFAULT_LIMIT = 500;

/** Questions that this event is an answer to. */
function questionsTo(event: NostrEvent): PlainFilter[] {
  const tag = event.tags.find(([name = '', value]) => {
    if (value === undefined || !/^[a-zA-Z]$/.test(name)) return false;
    return !['e', 'p'].includes(name) || /^[0-9a-f]{64}$/.test(value);
  });
  return [
    { kinds: [event.kind], until: event.created_at, limit: 20 },
    { authors: [event.pubkey], kinds: [event.kind, 0, 1] },
    { since: event.created_at - 86_400, until: event.created_at, limit: 50 },
    ...(tag === undefined ? [] : [{ [`#${tag[0]}`]: [tag[1] ?? ''] }]),
  ];
}

describe('a corpus of real events', () => {
  const system = useSystem({ relays: 2 });
  const events = eventsOf(realTexts());
  let stream: EventStream;

  beforeAll(async () => {
    const [url = ''] = system().urls;
    // Twice, and the second time from the newest on: order and copies change nothing.
    const source = [...events, ...[...events].reverse()].values();
    stream = new EventStream({ url, source: () => source.next().value, inFlight: 128 });
    await stream.done;
  }, 120_000);

  it('is answered whole: what is refused is too far from now', () => {
    expect(stream.accepted.size + stream.refused.size).toBe(events.length);
    for (const reason of stream.refused.values()) expect(reason).toMatch(/^invalid: created_at /);
    expect(stream.refused.size).toBeLessThan(events.length / 100);
  });

  it(
    'is served by every instance as NIP-01 and NIP-09 leave it, letter by letter',
    async () => {
      const accepted = [...stream.accepted.values()];
      const expected = remaining(accepted).map(eventText).sort();
      for (const url of system().urls) {
        await expectServed(url, accepted, STORED_TIMEOUT_MS);
        expect((await fetchAll(url)).map(eventText).sort()).toEqual(expected);
      }
    },
    STORED_TIMEOUT_MS * 2,
  );

  it('is found by kind, author and tag as the slow oracle finds it', async () => {
    const kept = remaining([...stream.accepted.values()]);
    const step = Math.max(1, Math.floor(kept.length / EVENTS_ASKED_FOR));
    const asked = kept.filter((_, index) => index % step === 0).flatMap(questionsTo);
    for (const url of system().urls) {
      const client = await SocketClient.open(url);
      for (const filter of asked) {
        const expected = answer(kept, [filter], DEFAULT_LIMIT).map(({ id }) => id);
        const given = (await client.query(filter)).map(({ id }) => id);
        expect({ filter, ids: given }).toEqual({ filter, ids: expected });
      }
      await client.close();
    }
  });
});

it('leaves the set that was counted by other means', () => {
  const kept = remaining(eventsOf(realTexts()));
  const counts = corpusLines('expected.json').join('');
  const counted =
    counts === '' ? SAMPLE_REMAINING : (JSON.parse(counts) as Record<string, number>)[COUNTED_AS];
  // The one deletion in the larger corpus that hits something hits an ephemeral event.
  expect(kept.length).toBe(counted);
});
