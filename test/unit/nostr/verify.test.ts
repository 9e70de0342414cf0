import fc from 'fast-check';
import { computeId, type NostrEvent, parseEvent } from '../../../functions/nostr/event.ts';
import { firstThatWorks, loadVerifier, type Verifier } from '../../../functions/nostr/verify.ts';
import { openJavascript } from '../../../functions/nostr/verify-javascript.ts';
import { openNative } from '../../../functions/nostr/verify-native.ts';
import { openWasm } from '../../../functions/nostr/verify-wasm.ts';
import { corpusLines, every, fixtureLines, realTexts, sampleEvents } from '../../support/corpus.ts';
import { secretKeyOf, signEvent } from '../../support/keys.ts';

/** bcrypto is an optional dependency: a machine without it still proves the other two. */
const native = await openNative().catch(() => undefined);
const wasm = await openWasm();
const verifiers: Verifier[] = [];
for (const name of ['native', 'wasm', 'javascript'] as const) {
  if (name !== 'native' || native !== undefined) verifiers.push(await loadVerifier(name));
}
const [fastest] = verifiers;

/** What each way says of the event. */
const verdicts = (event: NostrEvent): boolean[] =>
  verifiers.map((verifier) => verifier.verify(event));
const all = (verdict: boolean): boolean[] => verifiers.map(() => verdict);

interface Malformed {
  readonly why: string;
  readonly fault: 'shape' | 'untrue';
  readonly event: unknown;
}
const malformed = fixtureLines('malformed-events.jsonl').map(
  (line) => JSON.parse(line) as Malformed,
);

it('loads the way that is asked for', () => {
  const wanted = native === undefined ? ['wasm', 'javascript'] : ['native', 'wasm', 'javascript'];
  expect(verifiers.map(({ name }) => name)).toEqual(wanted);
});

it('loads the fastest way where none is asked for', async () => {
  expect((await loadVerifier()).name).toBe(fastest?.name);
});

describe('a way to verify', () => {
  const works = { name: 'javascript' as const, open: openJavascript };
  const broken = async () => {
    throw new Error('not built');
  };

  it.each([
    ['cannot be loaded', broken],
    ['says yes to everything', async () => () => true],
    ['says no to everything', async () => () => false],
    [
      'throws',
      async () => () => {
        throw new Error('trap');
      },
    ],
  ])('is passed over when it %s', async (_, open) => {
    const verifier = await firstThatWorks([{ name: 'native', open }, works]);
    expect(verifier.name).toBe('javascript');
  });

  it('must be among those given', async () => {
    const none = firstThatWorks([{ name: 'native', open: broken }]);
    await expect(none).rejects.toMatchObject({ errors: [new Error('not built')] });
  });
});

describe.each(verifiers)('the $name verifier', (verifier) => {
  it('takes every real event', () => {
    // In plain JavaScript the larger corpus takes 16 s.
    const texts = verifier.name === 'javascript' ? every(40, realTexts()) : realTexts();
    const refused = texts.filter((text) => !verifier.verify(JSON.parse(text) as NostrEvent));
    expect(refused).toEqual([]);
  });

  it('takes an event of a megabyte', () => {
    const content = 'ö"\n'.repeat(300_000);
    const event = signEvent({ kind: 1, created_at: 1, content }, secretKeyOf('large'));
    expect(verifier.verify(event)).toBe(true);
  });

  it('judges an object by what it holds now, not by an earlier verdict', () => {
    const event = { ...signEvent({ kind: 1, created_at: 1 }, secretKeyOf('twice')) };
    expect(verifier.verify(event)).toBe(true);
    event.content = 'changed';
    expect(verifier.verify(event)).toBe(false);
    expect(verifier.verify({ ...event, content: '' })).toBe(true);
  });

  it('refuses a signature or key of another length, whatever came before', () => {
    const event = signEvent({ kind: 1, created_at: 1 }, secretKeyOf('lengths'));
    expect(verifier.verify(event)).toBe(true);
    for (const sig of [
      '',
      event.sig.slice(0, -2),
      `${event.sig}00`,
      `${event.sig.slice(0, -2)}zz`,
    ]) {
      expect(verifier.verify({ ...event, sig })).toBe(false);
    }
  });

  it('says no to what is no event instead of throwing', () => {
    // A signature in capitals is the same signature; `parseEvent` refuses it before.
    const events = malformed.filter(({ why }) => why !== 'sig in capitals');
    const taken = events.filter(({ event }) => verifier.verify(event as NostrEvent));
    expect(taken).toEqual([]);
    expect(verifier.verify(undefined as unknown as NostrEvent)).toBe(false);
  });
});

describe('all verifiers', () => {
  it.each(malformed.filter(({ fault }) => fault === 'untrue'))('refuse: $why', ({ event }) => {
    expect(parseEvent(event).ok).toBe(true);
    expect(verdicts(event as NostrEvent)).toEqual(all(false));
  });

  it('refuse every broken event of the larger corpus that has the shape of one', () => {
    const events = corpusLines('invalid-events.jsonl').map(
      (line) => (JSON.parse(line) as { event: unknown }).event,
    );
    for (const event of events) {
      const parsed = parseEvent(event);
      if (parsed.ok) expect(verdicts(parsed.value)).toEqual(all(false));
    }
  });

  it('agree on events with one bit turned', () => {
    const events = sampleEvents();
    const fields = ['id', 'pubkey', 'sig', 'content', 'created_at'] as const;
    fc.assert(
      fc.property(
        fc.nat(events.length - 1),
        fc.constantFrom(...fields),
        fc.nat(1_000_000),
        fc.boolean(),
        (index, field, place, newId) => {
          const event = events[index] as NostrEvent;
          const turned = turnBit(event, field, place);
          // With its true id the event gets as far as the signature.
          const id = newId && !['id', 'sig'].includes(field) ? computeId(turned) : turned.id;
          expect(verdicts({ ...turned, id })).toEqual(all(false));
          expect(verifiers[0]?.verify(event)).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('agree on random signatures and keys over a true id', () => {
    const hex = (bytes: number) => fc.uint8Array({ minLength: bytes, maxLength: bytes });
    const template = signEvent({ kind: 1, created_at: 1 }, secretKeyOf('random'));
    fc.assert(
      fc.property(hex(64), (sig) => {
        const event = { ...template, sig: Buffer.from(sig).toString('hex') };
        expect(verdicts(event)).toEqual(all(false));
      }),
      { numRuns: 50 },
    );
  });

  it('refuse every key and signature of the BIP 340 vectors over an id they do not belong to', () => {
    for (const vector of bip340()) {
      const event = { ...signEvent({ kind: 1, created_at: 1 }, secretKeyOf(1)), ...vector };
      expect(verdicts(event)).toEqual(all(false));
    }
  });
});

describe.each([
  ['native', native],
  ['wasm', wasm],
] as const)('the %s signature check', (_, isRight) => {
  it('gives the verdicts of the BIP 340 vectors', () => {
    if (isRight === undefined) return;
    const event = signEvent({ kind: 1, created_at: 1 }, secretKeyOf(1));
    const given = bip340().map((vector) => isRight({ ...event, ...vector }));
    expect(given).toEqual(bip340().map(({ right }) => right));
    expect(given.filter(Boolean).length).toBeGreaterThanOrEqual(5);
  });
});

interface Vector {
  readonly id: string;
  readonly pubkey: string;
  readonly sig: string;
  readonly right: boolean;
}

/** The vectors whose message has 32 bytes, as an event's id has. */
function bip340(): Vector[] {
  return fixtureLines('bip340/test-vectors.csv')
    .slice(1)
    .map((line) => line.toLowerCase().split(','))
    .map(([, , pubkey = '', , id = '', sig = '', right]) => ({
      id,
      pubkey,
      sig,
      right: right === 'true',
    }))
    .filter(({ id }) => id.length === 64);
}

function turnBit(
  event: NostrEvent,
  field: 'id' | 'pubkey' | 'sig' | 'content' | 'created_at',
  place: number,
): NostrEvent {
  if (field === 'created_at') {
    return { ...event, created_at: event.created_at ^ (1 << (place % 30)) };
  }
  if (field === 'content') {
    const at = place % (event.content.length + 1);
    const code = event.content.charCodeAt(at);
    const [head, tail] = [event.content.slice(0, at), event.content.slice(at)];
    // At the end and at letters that may be half of a pair, one is put in instead.
    if (!(code < 0x80)) return { ...event, content: `${head.toWellFormed()}.${tail}` };
    return { ...event, content: head + String.fromCharCode(code ^ 1) + tail.slice(1) };
  }
  const bytes = Buffer.from(event[field], 'hex');
  const at = place % (bytes.length * 8);
  bytes.writeUInt8(bytes.readUInt8(at >> 3) ^ (1 << (at & 7)), at >> 3);
  return { ...event, [field]: bytes.toString('hex') };
}
