import fc from 'fast-check';
import type { Items } from '../../../../functions/nostr/negentropy/items.ts';
import {
  FRAME_BYTES_MIN,
  initiate,
  reconcile,
  respond,
} from '../../../../functions/nostr/negentropy/reconcile.ts';
import { type Item, randomItems, sealed, talk } from '../../../support/reconciling.ts';

const FRAME = 60_000;

/** Who lacks what, by looking at everything. */
function difference(ours: readonly Item[], theirs: readonly Item[]) {
  const [a, b] = [ours, theirs].map((items) => new Set(items.map(({ id }) => id)));
  return {
    have: [...a!].filter((id) => !b!.has(id)).sort(),
    need: [...b!].filter((id) => !a!.has(id)).sort(),
  };
}

/** Full frames may bring an id twice. */
const found = ({ have, need }: { have: string[]; need: string[] }) => ({
  have: [...new Set(have)].sort(),
  need: [...new Set(need)].sort(),
});

/** Two sets out of one pool, and how crowded its seconds are. */
const twoSets = fc
  .record({
    count: fc.integer({ min: 0, max: 600 }),
    seconds: fc.constantFrom(1, 10, 100_000),
    seed: fc.nat(1_000),
    ours: fc.integer({ min: 0, max: 10 }),
    theirs: fc.integer({ min: 0, max: 10 }),
  })
  .map(({ count, seconds, seed, ours, theirs }) => {
    const pool = randomItems(count, seed, seconds);
    const part = (tenths: number, salt: number) =>
      pool.filter(({ id }) => Number.parseInt(id.slice(salt, salt + 4), 16) % 10 < tenths);
    return { ours: part(ours, 0), theirs: part(theirs, 8) };
  });

describe('two sides that reconcile', () => {
  it('learn exactly who lacks what', () => {
    fc.assert(
      fc.property(twoSets, fc.constantFrom(FRAME_BYTES_MIN, FRAME), ({ ours, theirs }, frame) => {
        const result = talk(sealed(ours), sealed(theirs), frame);
        expect(found(result)).toEqual(difference(ours, theirs));
      }),
    );
  });

  it('need one round for equal sets of any size', () => {
    const items = randomItems(30_000, 4);
    expect(talk(sealed(items), sealed(items), FRAME)).toMatchObject({ rounds: 1 });
  });

  it('keep every frame within its limit, also where one side is empty', () => {
    const items = randomItems(5_000, 5, 3);
    const empty = sealed([]);
    const result = talk(empty, sealed(items), FRAME_BYTES_MIN);
    expect(result.need).toHaveLength(5_000);
    // 32 bytes an id in frames of 4,096 with some room for what else they hold.
    expect(result.rounds).toBeGreaterThanOrEqual(40);
    expect(result.rounds).toBeLessThanOrEqual(48);
    expect(talk(sealed(items), empty, FRAME_BYTES_MIN).have).toHaveLength(5_000);
  });

  it('never say more than a frame holds', () => {
    const ours = sealed(randomItems(3_000, 6));
    const theirs = sealed([...randomItems(2_000, 6), ...randomItems(2_000, 7)]);
    let message: Uint8Array | undefined = initiate(ours);
    while (message !== undefined) {
      expect(message.length).toBeLessThanOrEqual(FRAME_BYTES_MIN);
      const answer = respond(theirs, message, FRAME_BYTES_MIN);
      if (!answer.ok) throw new Error(answer.reason);
      expect(answer.value.length).toBeLessThanOrEqual(FRAME_BYTES_MIN);
      const lesson = reconcile(ours, answer.value, FRAME_BYTES_MIN);
      message = lesson.ok ? lesson.value.reply : undefined;
    }
  });

  it('understand times of a later century than 32 bits reach', () => {
    const late = randomItems(100, 8).map(({ createdAt, id }) => ({
      createdAt: Number.MAX_SAFE_INTEGER - (createdAt % 1_000),
      id,
    }));
    const [ours, theirs] = [late.slice(10), late.slice(0, 90)];
    expect(found(talk(sealed(ours), sealed(theirs), FRAME))).toEqual(difference(ours, theirs));
  });
});

/** Messages as they really occur, from both sides. */
function realMessages(): { message: Uint8Array; items: Items; to: 'initiator' | 'responder' }[] {
  const ours = sealed(randomItems(400, 9, 200));
  const theirs = sealed([...randomItems(380, 9, 200), ...randomItems(30, 10, 200)]);
  const all: ReturnType<typeof realMessages> = [];
  let message: Uint8Array | undefined = initiate(ours);
  while (message !== undefined) {
    all.push({ message, items: theirs, to: 'responder' });
    const answer = respond(theirs, message, FRAME);
    if (!answer.ok) throw new Error(answer.reason);
    all.push({ message: answer.value, items: ours, to: 'initiator' });
    const lesson = reconcile(ours, answer.value, FRAME);
    message = lesson.ok ? lesson.value.reply : undefined;
  }
  return all;
}

describe('a message that is none', () => {
  const messages = realMessages();
  const hear = ({ items, to }: (typeof messages)[number], message: Uint8Array) => {
    if (to === 'responder') {
      const answer = respond(items, message, FRAME_BYTES_MIN);
      if (answer.ok) expect(answer.value.length).toBeLessThanOrEqual(FRAME_BYTES_MIN);
      return answer;
    }
    const lesson = reconcile(items, message, FRAME_BYTES_MIN);
    if (lesson.ok) {
      expect(lesson.value.need.length).toBeLessThanOrEqual(message.length / 32);
      expect(lesson.value.have.length).toBeLessThanOrEqual(items.size);
    }
    return lesson;
  };

  it('is refused with a reason where it ends too early, unless between two ranges', () => {
    for (const one of messages) {
      let whole = 0;
      for (let length = 0; length < one.message.length; length += 1) {
        const result = hear(one, one.message.subarray(0, length));
        if (result.ok) whole += 1;
        else expect(result.reason).toMatch(/empty|early/);
      }
      expect(whole).toBeLessThan(1 + one.message.length / 19);
    }
  });

  it('throws nothing and stays within bounds with any bit turned', () => {
    for (const one of messages) {
      // Of long messages every 13th bit, which meets all places of a byte.
      const step = one.message.length < 500 ? 1 : 13;
      for (let bit = 0; bit < one.message.length * 8; bit += step) {
        const turned = Uint8Array.from(one.message);
        turned[bit >> 3] = turned[bit >> 3]! ^ (1 << (bit & 7));
        hear(one, turned);
      }
    }
  });

  it('throws nothing whatever the bytes are', () => {
    const bytes = fc.uint8Array({ maxLength: 300 });
    const fewValues = fc.array(fc.constantFrom(0, 1, 2, 128, 255), { maxLength: 60 });
    const any = fc.oneof(
      bytes,
      fewValues.map((values) => Uint8Array.from(values)),
    );
    fc.assert(
      fc.property(any, fc.constantFrom(...messages), (rest, one) => {
        hear(one, rest);
        hear(one, Uint8Array.of(0x61, ...rest));
      }),
      { numRuns: 2_000 },
    );
  });

  it.each<[string, readonly number[], RegExp]>([
    ['nothing', [], /empty/],
    ['another protocol', [0x7b], /version/],
    ['an unknown mode', [0x61, 0, 0, 3], /mode 3/],
    ['a bound of too many bytes', [0x61, 1, 33, ...Array<number>(33).fill(0), 0], /33 bytes/],
    ['a list of more ids than there are bytes', [0x61, 0, 0, 2, 0x83, 0xff, 0xff, 0x7f], /early/],
    ['ranges after the end', [0x61, 0, 0, 0, 0, 0, 0], /after|follows/],
    ['bounds that go back', [0x61, 2, 1, 9, 0, 1, 1, 8, 0], /order/],
    ['a number without end', [0x61, ...Array<number>(11).fill(0xff)], /large|long/],
    ['a time beyond all', [0x61, ...Array<number>(8).fill(0xff), 0x7f, 0, 0], /large|beyond/],
  ])('is refused by name: %s', (_, bytes, reason) => {
    const result = respond(sealed([]), Uint8Array.from(bytes), FRAME);
    expect(result).toEqual({ ok: false, reason: expect.stringMatching(reason) });
  });

  it('gets our version where it is of a later one', () => {
    const later = Uint8Array.of(0x62, 1, 2, 3);
    expect(respond(sealed([]), later, FRAME)).toEqual({ ok: true, value: Uint8Array.of(0x61) });
    expect(reconcile(sealed([]), later, FRAME)).toMatchObject({
      ok: false,
      reason: expect.stringContaining('version 2'),
    });
  });
});
