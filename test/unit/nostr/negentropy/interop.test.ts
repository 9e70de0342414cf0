import { hexOf, type Items } from '../../../../functions/nostr/negentropy/items.ts';
import { initiate, reconcile, respond } from '../../../../functions/nostr/negentropy/reconcile.ts';
import { loadNip77 } from '../../../support/nip77.ts';
import { type Item, randomItems, sealed } from '../../../support/reconciling.ts';

const FRAME = 60_000;

const { Negentropy, NegentropyStorageVector } = await loadNip77();

/** Their side: the implementation of nostr-tools, with what it found out. */
class Theirs {
  readonly side: InstanceType<typeof Negentropy>;
  readonly have: string[] = [];
  readonly need: string[] = [];

  constructor(items: readonly Item[], frame: number) {
    const storage = new NegentropyStorageVector();
    for (const { createdAt, id } of items) storage.insert(createdAt, id);
    storage.seal();
    this.side = new Negentropy(storage, frame);
  }

  hear(message: string): string | null {
    return this.side.reconcile(
      message,
      (id) => this.have.push(id),
      (id) => this.need.push(id),
    );
  }
}

function ok<T>(result: { ok: true; value: T } | { ok: false; reason: string }): T {
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}

const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex'));
const sorted = (ids: Iterable<string>) => [...new Set(ids)].sort();

const report = (what: string, { rounds, bytes }: { rounds: number; bytes: number }) =>
  process.stdout.write(`${what}: ${rounds} rounds, ${bytes} bytes\n`);

/** nostr-tools begins. */
function theyBegin(items: Items, theirs: Theirs, frame: number) {
  let message: string | null = theirs.side.initiate();
  let rounds = 0;
  let bytes = 0;
  while (message !== null) {
    rounds += 1;
    const answer = ok(respond(items, bytesOf(message), frame));
    bytes += message.length / 2 + answer.length;
    message = theirs.hear(hexOf(answer));
  }
  return { rounds, bytes };
}

/**
 * We begin. nostr-tools knows no role but the one of whoever begins: to a list of ids it answers
 * nothing, and notes the difference itself.
 */
function weBegin(items: Items, theirs: Theirs, frame: number) {
  const have: string[] = [];
  const need: string[] = [];
  let message: Uint8Array | undefined = initiate(items);
  let rounds = 0;
  let bytes = 0;
  while (message !== undefined) {
    rounds += 1;
    const answer = theirs.hear(hexOf(message));
    bytes += message.length + (answer?.length ?? 0) / 2;
    if (answer === null) break;
    const lesson = ok(reconcile(items, bytesOf(answer), frame));
    have.push(...lesson.have);
    need.push(...lesson.need);
    message = lesson.reply;
  }
  return { have: [...have, ...theirs.need], need: [...need, ...theirs.have], rounds, bytes };
}

/** Two sides that share a pool; each lacks another tenth of it. */
function tenthsMissing(count: number) {
  const pool = randomItems(Math.round(count / 0.9), 77, count);
  const lacking = pool.length - count;
  const idsOf = (items: readonly Item[]) => sorted(items.map(({ id }) => id));
  return {
    mine: pool.slice(lacking),
    yours: pool.slice(0, count),
    onlyMine: idsOf(pool.slice(count)),
    onlyYours: idsOf(pool.slice(0, lacking)),
  };
}

describe("a sync with nostr-tools' implementation, 10 % missing on each side", () => {
  it.each([
    // Sending all ids once takes 1.6 MB.
    { count: 50_000, frame: 60_000, bytesMax: 3_000_000 },
    { count: 3_000, frame: 4_096, bytesMax: 500_000 },
  ])('leaves $count events equal on both sides, frames of $frame', ({ count, frame, bytesMax }) => {
    const { mine, yours, onlyMine, onlyYours } = tenthsMissing(count);
    const items = sealed(mine);
    const theirs = new Theirs(yours, frame);
    const heard = theyBegin(items, theirs, frame);
    expect(sorted(theirs.have)).toEqual(onlyYours);
    expect(sorted(theirs.need)).toEqual(onlyMine);
    const told = weBegin(items, new Theirs(yours, frame), frame);
    expect(sorted(told.have)).toEqual(onlyMine);
    expect(sorted(told.need)).toEqual(onlyYours);
    expect(Math.max(heard.bytes, told.bytes)).toBeLessThan(bytesMax);
    report(`${count} events, frames of ${frame}, they begin`, heard);
    report(`${count} events, frames of ${frame}, we begin`, told);
  });

  it('costs little where nearly nothing is new', () => {
    const { mine } = tenthsMissing(50_000);
    const theirs = new Theirs(mine.slice(50), FRAME);
    const talk = theyBegin(sealed(mine), theirs, FRAME);
    expect(theirs.need).toHaveLength(50);
    expect(talk.bytes).toBeLessThan(200_000);
    report('50000 events, 50 of them new', talk);
  });
});
