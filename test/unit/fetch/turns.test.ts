import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { filterKey } from '../../../functions/nostr/filter-key.ts';
import { randomOf } from '../../support/random.ts';
import type { ScriptedRelay } from '../../support/scripted-relay.ts';
import { startScriptedUpstream } from '../../support/scripted-upstream.ts';
import { unsigned } from '../../support/unsigned.ts';
import { Visiting } from '../../support/visiting.ts';

const NOW = Math.floor(Date.now() / 1_000);
const KINDS_MANY = Array.from({ length: 60 }, (_, n) => 1_000 + n);

const open: ScriptedRelay[] = [];
afterEach(async () => {
  for (const relay of open.splice(0)) await relay.close();
});

/** A relay with thirty notes of each kind that takes questions for some kinds alone. */
async function choosy(kinds: readonly number[]) {
  const takes = new Set<number>();
  const events: NostrEvent[] = kinds.flatMap((kind) =>
    Array.from({ length: 30 }, (_, n) => unsigned({ kind, created_at: NOW - 1_000 - 60 * n })),
  );
  const relay = await startScriptedUpstream({
    events,
    onReq({ id, filter, client }) {
      if (filter.kinds?.every((kind) => takes.has(kind)) !== false) return false;
      client.send(['CLOSED', id, 'restricted: not this kind']);
      return true;
    },
  });
  open.push(relay);
  const random = randomOf(1);
  const upstream = new Visiting(relay);
  const visit = () =>
    upstream.visit({
      source: { filters: kinds.map((kind) => ({ kinds: [kind] })), nip77: false },
      chance: () => random.below(1_000) / 1_000,
    });
  const heldOf = (kind: number) =>
    [...upstream.stored.values()].filter((event) => event.kind === kind).length;
  return { relay, takes, visit, heldOf, upstream };
}

describe('parts that a relay refuses', () => {
  it('keep none from its turn that it takes, however many stand before it', async () => {
    const { takes, visit, heldOf } = await choosy([4, 1_059, 13, 14, 1]);
    takes.add(1);
    expect(await visit()).toMatchObject({ failure: 'restricted: not this kind' });
    expect(heldOf(1)).toBe(30);
  });

  it('keep none from its turn that it once took, though all others come before', async () => {
    const { takes, visit, heldOf, upstream } = await choosy([...KINDS_MANY, 1, 7]);
    for (const kind of [...KINDS_MANY, 1, 7]) takes.add(kind);
    await visit();
    for (const kind of KINDS_MANY) {
      takes.delete(kind);
      // Long refused: what they lack is more than what the others lack.
      upstream.ranges.set(filterKey({ kinds: [kind] }), [{ since: 0, until: NOW - 5_000 }]);
    }
    for (const kind of [1, 7]) {
      upstream.ranges.set(filterKey({ kinds: [kind] }), [{ since: 0, until: NOW - 1_500 }]);
    }
    upstream.stored.clear();
    await visit();
    expect(heldOf(1)).toBeGreaterThan(0);
    expect(heldOf(7)).toBeGreaterThan(0);
  });

  it('that have nothing yet all have a chance to be tried', async () => {
    const { takes, visit, heldOf } = await choosy(KINDS_MANY);
    takes.add(KINDS_MANY.at(-1)!);
    let visits = 0;
    for (; heldOf(KINDS_MANY.at(-1)!) === 0; visits += 1) {
      expect(visits).toBeLessThan(40);
      await visit();
    }
  });

  it('end the visit soon where they are all there is', async () => {
    const { relay, visit } = await choosy(KINDS_MANY);
    expect(await visit()).toMatchObject({ failure: 'restricted: not this kind' });
    expect(relay.said('REQ').length).toBeLessThan(20);
  });

  it('are asked for once in a visit', async () => {
    const { relay, takes, visit } = await choosy([4, 1]);
    takes.add(1);
    await visit();
    const asked = relay.said('REQ').map(([, , filter]) => (filter as { kinds: number[] }).kinds[0]);
    expect(asked.filter((kind) => kind === 4)).toHaveLength(1);
  });
});

it('the ranges of many parts are read without taking every connection there is', async () => {
  const { takes, visit, upstream } = await choosy(KINDS_MANY);
  for (const kind of KINDS_MANY) takes.add(kind);
  expect(await visit()).toMatchObject({ finished: true });
  expect(upstream.readsAtOnce).toBe(1);
});
