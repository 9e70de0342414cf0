import fc from 'fast-check';
import {
  addressOf,
  compareEvents,
  computeId,
  dTag,
  eventText,
  idOfText,
  isHex64,
  type NostrEvent,
  parseAddress,
  parseEvent,
  serializeForId,
} from '../../../functions/nostr/event.ts';
import { corpusLines, fixtureLines, realTexts, sampleEvents } from '../../support/corpus.ts';
import { publicKeyOf, secretKeyOf, signEvent } from '../../support/keys.ts';

const KEY = secretKeyOf('event');
const AUTHOR = publicKeyOf(KEY);

interface Malformed {
  readonly why: string;
  readonly fault: 'shape' | 'untrue';
  readonly event: unknown;
}

describe('parseEvent', () => {
  it.each(
    fixtureLines('malformed-events.jsonl')
      .map((line) => JSON.parse(line) as Malformed)
      .filter(({ fault }) => fault === 'shape'),
  )('refuses: $why', ({ event }) => {
    const parsed = parseEvent(event);
    expect(parsed).toEqual({ ok: false, reason: expect.stringMatching(/^[a-z].{5,80}$/) });
  });

  it('refuses broken events found in the wild, and leaves the untrue ones to the verifier', () => {
    const wild = corpusLines('invalid-events.jsonl').map(
      (line) => JSON.parse(line) as { reason: string; event: unknown },
    );
    for (const { reason, event } of wild) {
      if (reason !== 'id-mismatch' && reason !== 'sig-invalid') {
        expect([reason, parseEvent(event).ok]).toEqual([reason, false]);
      }
    }
  });

  it('drops fields that NIP-01 does not know', () => {
    const event = signEvent({ kind: 1, created_at: 1 }, KEY);
    const parsed = parseEvent({ ...event, relays: ['wss://x'], __proto__: { seen: 1 } });
    expect(parsed).toEqual({ ok: true, value: event });
  });

  it('reads a negative zero as zero', () => {
    const text = eventText(signEvent({ kind: 0, created_at: 0 }, KEY));
    const parsed = parseEvent(JSON.parse(text.replaceAll(':0,', ':-0,')));
    expect(parsed.ok && Object.is(parsed.value.kind, 0)).toBe(true);
    expect(parsed.ok && Object.is(parsed.value.created_at, 0)).toBe(true);
  });

  it('takes the ends of every range', () => {
    const event = signEvent({ kind: 65_535, created_at: Number.MAX_SAFE_INTEGER }, KEY);
    expect(parseEvent(event).ok).toBe(true);
  });
});

describe('eventText', () => {
  it('of every real event is stable and hashes to the id', () => {
    for (const line of realTexts()) {
      const parsed = parseEvent(JSON.parse(line));
      if (!parsed.ok) throw new Error(parsed.reason);
      const text = eventText(parsed.value);
      const again = parseEvent(JSON.parse(text));
      if (!again.ok) throw new Error(again.reason);
      expect(eventText(again.value)).toBe(text);
      expect(computeId(again.value)).toBe(parsed.value.id);
      expect(idOfText(text)).toBe(parsed.value.id);
    }
  });

  it('keeps any content and tags through JSON', () => {
    const text = fc.string({ unit: 'binary' }).filter((value) => value.isWellFormed());
    fc.assert(
      fc.property(text, fc.array(fc.array(text, { minLength: 1 })), (content, tags) => {
        const unsigned = { pubkey: AUTHOR, created_at: 1, kind: 1, content, tags };
        const event = { id: computeId(unsigned), ...unsigned, sig: '00'.repeat(64) };
        expect(JSON.parse(eventText(event))).toEqual(event);
        expect(computeId(JSON.parse(eventText(event)) as NostrEvent)).toBe(event.id);
      }),
    );
  });
});

describe('serializeForId', () => {
  it('escapes what NIP-01 names and nothing else that JSON can hold', () => {
    const content = '\n"\\\r\t\b\f/\u007f\u2028\u2029é\u{1f600}<>&';
    expect(serializeForId({ pubkey: AUTHOR, created_at: 1, kind: 1, tags: [], content })).toBe(
      `[0,"${AUTHOR}",1,1,[],"\\n\\"\\\\\\r\\t\\b\\f/\u007f\u2028\u2029é\u{1f600}<>&"]`,
    );
  });

  it('writes the other control characters as the clients in the wild do', () => {
    const unsigned = { pubkey: AUTHOR, created_at: 1, kind: 1, tags: [], content: '\u0000\u001f' };
    expect(serializeForId(unsigned)).toContain('"\\u0000\\u001f"');
  });
});

describe('isHex64', () => {
  it.each(['', 'a'.repeat(63), 'a'.repeat(65), 'A'.repeat(64), `${'a'.repeat(64)}\n`, 7, null])(
    'refuses %j',
    (value) => expect(isHex64(value)).toBe(false),
  );
});

describe('addresses', () => {
  const event = (kind: number, tags: string[][]) => signEvent({ kind, created_at: 1, tags }, KEY);

  it('come from the first d tag of an addressable event', () => {
    expect(
      addressOf(
        event(30_023, [
          ['d', 'a:b'],
          ['d', 'second'],
        ]),
      ),
    ).toBe(`30023:${AUTHOR}:a:b`);
    expect(dTag(event(30_023, [['e', 'x'], ['d'], ['d', 'second']]))).toBe('');
  });

  it('of replaceable events ignore d tags', () => {
    expect(addressOf(event(0, [['d', 'x']]))).toBe(`0:${AUTHOR}:`);
    expect(addressOf(event(10_002, []))).toBe(`10002:${AUTHOR}:`);
  });

  it('are for kinds with versions only', () => {
    for (const kind of [1, 5, 999, 20_000, 40_000])
      expect(addressOf(event(kind, []))).toBe(undefined);
  });

  it('of all real events are read back as they were', () => {
    for (const real of sampleEvents()) {
      const address = addressOf(real);
      if (address === undefined) continue;
      const parsed = parseAddress(address);
      expect(parsed && `${parsed.kind}:${parsed.pubkey}:${parsed.d}`).toBe(address);
    }
  });

  it.each([
    '',
    '30023',
    `30023:${AUTHOR}`,
    `1:${AUTHOR}:`,
    `10002:${AUTHOR}:x`,
    `030023:${AUTHOR}:x`,
    `3e4:${AUTHOR}:x`,
    `99999:${AUTHOR}:x`,
    `30023:${AUTHOR.toUpperCase()}:x`,
    `:${AUTHOR}:x`,
  ])('are not read from %s', (value) => expect(parseAddress(value)).toBe(undefined));
});

describe('compareEvents', () => {
  it('puts the newest first, and of two in one second the lowest id', () => {
    const events = [
      { created_at: 1, id: 'aa' },
      { created_at: 2, id: 'bb' },
      { created_at: 2, id: 'ba' },
    ];
    expect(events.sort(compareEvents).map(({ id }) => id)).toEqual(['ba', 'bb', 'aa']);
    expect(compareEvents({ created_at: 1, id: 'a' }, { created_at: 1, id: 'a' })).toBe(0);
  });
});
