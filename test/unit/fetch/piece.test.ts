import { computeId, type NostrEvent } from '../../../functions/nostr/event.ts';
import { filterKey } from '../../../functions/nostr/filter-key.ts';
import { secretKeyOf } from '../../support/keys.ts';
import { hexOf } from '../../support/many-events.ts';
import { speakNegentropy } from '../../support/scripted-negentropy.ts';
import type { ClientSaid, ScriptedClient, ScriptedRelay } from '../../support/scripted-relay.ts';
import { startScriptedUpstream, type UpstreamManners } from '../../support/scripted-upstream.ts';
import type { PlainFilter } from '../../support/slow-oracle.ts';
import { Visiting, type VisitOptions } from '../../support/visiting.ts';

const NOW = Math.floor(Date.now() / 1_000);
const STRFRY_MESSAGE_BYTES = 131_072;

const author = (n: number): string => hexOf('a', n);
const authors = (count: number): string[] => Array.from({ length: count }, (_, n) => author(n));

function noteAt(created_at: number, pubkey = author(0)): NostrEvent {
  const event = { pubkey, kind: 1, created_at, tags: [], content: 'note' };
  return { id: computeId(event), ...event, sig: '0'.repeat(128) };
}

const notes = (count: number): NostrEvent[] =>
  Array.from({ length: count }, (_, n) => noteAt(NOW - 1_000 - 2 * n));

const open: ScriptedRelay[] = [];
afterEach(async () => {
  for (const relay of open.splice(0)) await relay.close();
});

async function visiting(manners: UpstreamManners): Promise<Visiting> {
  const relay = await startScriptedUpstream(manners);
  open.push(relay);
  return new Visiting(relay);
}

const bytesOf = (message: ClientSaid): number => JSON.stringify(message).length;
/** The conditions of the REQs since a mark. */
const askedOf = (relay: ScriptedRelay, from = 0): PlainFilter[] =>
  relay
    .said('REQ')
    .slice(from)
    .map(([, , filter]) => filter as PlainFilter);
const sizes = (relay: ScriptedRelay): number[] =>
  relay.clients.flatMap(({ said }) => said.map(bytesOf));

/** One note of each of these authors, new and old. */
const byAuthors = (count: number): NostrEvent[] =>
  authors(count).flatMap((pubkey, n) => [
    noteAt(NOW - 100 - n, pubkey),
    noteAt(NOW - 50_000_000 - n, pubkey),
  ]);

describe('a source with a filter of thousands of authors', () => {
  const events = byAuthors(1_500);
  const source = { filters: [{ authors: authors(1_500) }], nip77: false };

  it('is fetched whole, in messages that relays take', async () => {
    const upstream = await visiting({ events });
    expect(await upstream.visit({ source })).toMatchObject({ finished: true, fresh: 3_000 });
    expect(Math.max(...sizes(upstream.relay))).toBeLessThan(STRFRY_MESSAGE_BYTES / 2);
  });

  it('is fetched whole by NIP-77, too', async () => {
    const upstream = await visiting({ events, onOther: speakNegentropy(events) });
    const report = await upstream.visit({ source: { ...source, nip77: true } });
    expect(report).toMatchObject({ finished: true, fresh: 3_000 });
    expect(Math.max(...sizes(upstream.relay))).toBeLessThan(STRFRY_MESSAGE_BYTES / 2);
  });

  it('goes back into the past for one part alone where an author came', async () => {
    const upstream = await visiting({ events });
    await upstream.visit({ source });
    const before = upstream.relay.said('REQ').length;
    const filters = [{ authors: [...authors(1_500), hexOf('b', 1)] }];
    expect(await upstream.visit({ source: { ...source, filters } })).toMatchObject({
      finished: true,
    });
    const asked = askedOf(upstream.relay, before);
    const past = asked.filter(({ since = 0 }) => since < NOW - 10_000_000);
    const parts = new Set(past.map((filter) => JSON.stringify(filter.authors)));
    expect(parts.size).toBe(1);
    expect(past[0]!.authors!.length).toBeLessThanOrEqual(500);
    expect(past.every((filter) => filter.authors!.includes(hexOf('b', 1)))).toBe(true);
  });

  it('brings what is new of all parts before the past of any', async () => {
    const upstream = await visiting({ events });
    await upstream.visit({ source });
    const asked = askedOf(upstream.relay);
    const firstPast = asked.findIndex(({ until = NOW }) => until < NOW - 700_000);
    expect(firstPast).toBeGreaterThan(2);
    const seen = new Set(asked.slice(0, firstPast).flatMap((filter) => filter.authors ?? []));
    expect(seen.size).toBe(1_500);
  });

  it('goes on with the parts that the last visit did not reach, until all are whole', async () => {
    const upstream = await visiting({ events });
    let visits = 0;
    for (let finished = false; !finished; visits += 1) {
      expect(visits).toBeLessThan(30);
      ({ finished } = await upstream.visit({ source, limits: { requestsMax: 4 } }));
    }
    expect(visits).toBeGreaterThan(3);
    expect(upstream.stored.size).toBe(3_000);
  });

  it('is measured as one, and what is missing of any part is there again', async () => {
    const upstream = await visiting({ events, onOther: speakNegentropy(events) });
    const byNip77 = { ...source, nip77: true };
    await upstream.visit({ source: byNip77 });
    upstream.stored.delete(events[1]!.id);
    await upstream.measure({ source: byNip77 });
    expect(upstream.figures).toMatchObject([
      {
        theirs: 3_000,
        held: 2_999,
        method: 'negentropy',
        filterKey: filterKey(source.filters[0]!),
      },
    ]);
    expect(upstream.stored.size).toBe(3_000);
  });

  it('is fetched again for that part alone of which something is missing', async () => {
    const upstream = await visiting({ events });
    await upstream.visit({ source });
    upstream.stored.delete(events[0]!.id);
    await upstream.measure({ source });
    const open = [...upstream.ranges.values()].filter(
      (ranges) => ranges.length > 1 || ranges[0]!.until < NOW - 1_000,
    );
    expect(open).toHaveLength(1);
    await upstream.visit({ source });
    expect(upstream.stored.size).toBe(3_000);
  });

  it('has the turns of all other parts where one is refused, and says so', async () => {
    const upstream = await visiting({
      events,
      onReq({ id, filter, client }) {
        if (!filter.authors!.includes(author(7))) return false;
        client.send(['CLOSED', id, 'blocked: not this one']);
        return true;
      },
    });
    const report = await upstream.visit({ source });
    expect(report).toMatchObject({ finished: false, failure: 'blocked: not this one' });
    expect(upstream.stored.size).toBeGreaterThan(2_000);
  });
});

describe('a source that is not fetched whole', () => {
  const events = notes(600);
  const source = { nip77: false };
  const key = filterKey({});

  it('is measured by the longest stretch that is, which the figure names', async () => {
    const upstream = await visiting({ events });
    await upstream.visit({ source });
    const [first, last] = [NOW - 1_900, NOW - 1_200];
    upstream.ranges.set(key, [
      { since: 0, until: 5 },
      { since: first, until: last },
      { since: NOW - 600, until: NOW },
    ]);
    await upstream.measure({ source });
    const [figure] = upstream.figures;
    expect(figure).toMatchObject({ since: first, until: last, held: figure!.theirs });
    expect(figure!.held).toBeGreaterThan(340);
  });

  it('is measured by what is fetched of all its parts', async () => {
    const upstream = await visiting({ events: byAuthors(1_500) });
    const filters = [{ authors: authors(1_500) }];
    await upstream.visit({ source: { ...source, filters } });
    const [part, other] = [...upstream.ranges.keys()];
    upstream.ranges.set(part!, [{ since: 1_000, until: NOW - 5 }]);
    upstream.ranges.set(other!, [{ since: 0, until: NOW - 100 }]);
    await upstream.measure({ source: { ...source, filters } });
    expect(upstream.figures).toMatchObject([{ since: 1_000, until: NOW - 100 }]);
  });

  it('is not measured where one of its parts has nothing yet, and the log says so', async () => {
    const upstream = await visiting({ events });
    await upstream.measure({ source });
    expect(upstream.figures).toEqual([]);
    expect(upstream.logged).toContain('coverage cannot be measured before something is fetched');
  });
});

describe('a failure of our own side', () => {
  it('is recorded with its reason, backed off from, and no fault of the source', async () => {
    const upstream = await visiting({ events: notes(10) });
    const publish = () => {
      throw Object.assign(new Error('canceling statement due to statement timeout'), {
        code: '57014',
      });
    };
    const report = await upstream.visit({ source: { nip77: false }, publish });
    expect(report.failure).toMatch(/^our own side: canceling statement/);
    const [run] = upstream.runs;
    expect(run).toMatchObject({
      failure: report.failure,
      standing: { uptime: 1, failuresInRow: 1 },
    });
    expect(run!.nextInSeconds).toBeGreaterThanOrEqual(60);
    expect(upstream.ranges.size).toBe(0);
  });
});

describe('a source that is read and sent to', () => {
  const source = { direction: 'both', nip77: false } as const;
  const arrivals = notes(3);
  const takes = (message: ClientSaid, client: ScriptedClient): void => {
    if (message[0] === 'EVENT') client.send(['OK', (message[1] as NostrEvent).id, true, '']);
  };

  it('is sent to although it lets nobody read, and that failure is told', async () => {
    const upstream = await visiting({
      events: [],
      onOther: takes,
      onReq({ id, client }) {
        client.send(['CLOSED', id, 'restricted: not for you']);
        return true;
      },
    });
    const report = await upstream.visit({ source, arrivals });
    expect(report).toMatchObject({ finished: false, sent: 3, failure: 'restricted: not for you' });
  });

  it('is sent nothing where the connection is gone', async () => {
    const upstream = await visiting({
      events: [],
      onOther: takes,
      onReq({ client }) {
        client.cut();
        return true;
      },
    });
    const report = await upstream.visit({ source, arrivals });
    expect(report).toMatchObject({ requests: 1, sent: 0, failureCode: 'lost' });
  });
});

describe("a source's NIP-11 limits", () => {
  const events = notes(600);

  it('bound every message, and NIP-77 is left out where messages are too short for it', async () => {
    const upstream = await visiting({ events, onOther: speakNegentropy(events) });
    const source = { filters: [{ authors: authors(200) }] };
    const information = { messageBytesMax: 2_048 };
    expect(await upstream.visit({ source, information })).toMatchObject({ finished: true });
    expect(upstream.stored.size).toBe(600);
    expect(upstream.relay.said('NEG-OPEN')).toEqual([]);
    expect(Math.max(...sizes(upstream.relay))).toBeLessThanOrEqual(2_048);
  });

  it('bound frames of NIP-77 and lots of ids', async () => {
    const upstream = await visiting({ events, onOther: speakNegentropy(events) });
    for (const event of events) {
      if (event.created_at % 3 !== 0) upstream.stored.set(event.id, event);
    }
    const information = { messageBytesMax: 16_384, limitMax: 30 };
    expect(await upstream.visit({ information })).toMatchObject({ finished: true });
    expect(upstream.stored.size).toBe(600);
    expect(Math.max(...sizes(upstream.relay))).toBeLessThanOrEqual(16_384);
    const lots = askedOf(upstream.relay).map(({ ids }) => ids?.length ?? 0);
    expect(Math.max(...lots)).toBe(30);
  });

  const visitMembersOnly = async (options: VisitOptions) => {
    const upstream = await visiting({
      events,
      onConnect: (client) => client.send(['AUTH', 'riddle']),
      onOther([verb, event], client) {
        if (verb === 'AUTH') client.send(['OK', (event as NostrEvent).id, true, '']);
      },
    });
    const information = { authRequired: true };
    const source = { nip77: false, ...options.source };
    const report = await upstream.visit({ ...options, source, information });
    return { report, said: upstream.relay.clients[0]!.said.map(([verb]) => verb) };
  };

  it('are kept by logging in before the first question where it must be', async () => {
    const options = { source: { auth: true }, secretKey: secretKeyOf('fetcher') };
    const { report, said } = await visitMembersOnly(options);
    expect(report).toMatchObject({ finished: true, fresh: 600, failure: undefined });
    expect(said.indexOf('AUTH')).toBe(0);
  });

  it.each([
    ['it is not turned on', { source: { auth: false } }, /^auth-required: .*not turned on/],
    ['there is no key', { source: { auth: true } }, /no key is configured/],
  ])('are no reason to ask in vain where %s to log in', async (_, options, failure) => {
    const { report, said } = await visitMembersOnly(options);
    expect(report.failure).toMatch(failure);
    expect(said).toEqual([]);
  });
});

describe('a source that wants us to come more slowly', () => {
  const events = notes(500);
  const negentropy = speakNegentropy(events, 4_096);

  /** Says it to each n-th message of a verb, instead of an answer. */
  const slowing = (
    verb: string,
    words: (id: unknown) => readonly unknown[],
    every = 3,
  ): UpstreamManners => {
    let asked = 0;
    const isSlowed = (said: unknown): boolean => said === verb && asked++ % every === 0;
    return {
      events,
      onReq({ id, client }) {
        if (!isSlowed('REQ')) return false;
        client.send(words(id));
        return true;
      },
      onOther(message, client) {
        if (isSlowed(message[0])) client.send(words(message[1]));
        else negentropy(message, client);
      },
    };
  };

  it.each<[string, string, (id: unknown) => readonly unknown[]]>([
    ['NEG-ERR to NEG-OPEN', 'NEG-OPEN', (id) => ['NEG-ERR', id, 'rate-limited: slow down']],
    ['NEG-ERR in the middle', 'NEG-MSG', (id) => ['NEG-ERR', id, 'rate-limited: slow down']],
    ['NOTICE to NEG-OPEN', 'NEG-OPEN', () => ['NOTICE', 'you are too fast']],
    ['NOTICE in the middle', 'NEG-MSG', () => ['NOTICE', 'rate limit exceeded']],
    ['CLOSED to a lot of ids', 'REQ', (id) => ['CLOSED', id, 'rate-limited: slow down']],
    ['NOTICE to a lot of ids', 'REQ', () => ['NOTICE', 'please slow down']],
  ])('by %s is waited for, and fetched whole', async (_, verb, words) => {
    const upstream = await visiting(slowing(verb, words));
    const report = await upstream.visit({ source: { nip77: true } });
    expect(report).toMatchObject({ finished: true, fresh: 500, failure: undefined });
    // Never by another way, which would be asking just as fast.
    expect(askedOf(upstream.relay).every(({ ids }) => ids !== undefined)).toBe(true);
    expect(upstream.pauses).toBeGreaterThan(0);
  });

  it('for longer than a visit leaves it unfinished, with what came by then', async () => {
    let lots = 0;
    const upstream = await visiting({
      events,
      onOther: negentropy,
      onReq({ id, client }) {
        lots += 1;
        if (lots <= 2) return false;
        client.send(['CLOSED', id, 'rate-limited: slow down']);
        return true;
      },
    });
    const report = await upstream.visit({ source: { nip77: true }, limits: { pieceMs: 900 } });
    expect(report).toMatchObject({ finished: false, fresh: 400, failure: undefined });
    expect(upstream.runs[0]!.standing.failuresInRow).toBe(0);
  });

  it('and gives nothing is recorded with its words', async () => {
    const words = (id: unknown) => ['NEG-ERR', id, 'rate-limited: come back later'];
    const upstream = await visiting(slowing('NEG-OPEN', words, 1));
    const report = await upstream.visit({ source: { nip77: true }, limits: { pieceMs: 900 } });
    expect(report.failure).toBe('rate-limited: come back later');
  });
});

describe('the first fetch of a large source by NIP-77', () => {
  it('learns each id about once, and fetches it once', async () => {
    const events = Array.from({ length: 25_000 }, (_, n) => noteAt(NOW - 50_000_000 - n));
    const byId = new Map(events.map((event) => [event.id, event]));
    let hexReceived = 0;
    const speak = speakNegentropy(events);
    const upstream = await visiting({
      events: [],
      onOther: (message, client) =>
        speak(message, {
          ...client,
          send(answer) {
            hexReceived += String((answer as ClientSaid)[2]).length;
            client.send(answer);
          },
        }),
      onReq({ filter, give }) {
        give((filter.ids ?? []).map((id) => byId.get(id)!));
        return true;
      },
    });
    const report = await upstream.visit({ source: { nip77: true } });
    expect(report).toMatchObject({ finished: true, events: 25_000, fresh: 25_000 });
    expect(hexReceived).toBeLessThan(1.1 * 64 * 25_000);
    expect(report.rounds).toBeLessThan(100);
  }, 60_000);
});
