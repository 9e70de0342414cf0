import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { randomOf } from '../../support/random.ts';
import { speakNegentropy } from '../../support/scripted-negentropy.ts';
import type { ScriptedRelay } from '../../support/scripted-relay.ts';
import { startScriptedUpstream } from '../../support/scripted-upstream.ts';
import { unsigned } from '../../support/unsigned.ts';
import { Visiting } from '../../support/visiting.ts';

const NOW = Math.floor(Date.now() / 1_000);
const COUNT = Number(process.env['EVENTS'] ?? 5_000);

const open: ScriptedRelay[] = [];
afterEach(async () => {
  for (const relay of open.splice(0)) await relay.close();
});

/** A relay that was fetched whole; two in a hundred of its events do not stay here. */
async function fetched(nip77: boolean) {
  const events: NostrEvent[] = Array.from({ length: COUNT }, (_, n) =>
    unsigned({ created_at: NOW - 1_000 - 600 * n, content: `${n}` }),
  );
  const leaving = new Set(events.filter((_, n) => n % 50 === 7));
  const leavingIds = new Set([...leaving].map(({ id }) => id));
  const relay = await startScriptedUpstream({
    events,
    cap: 500,
    ...(nip77 && { onOther: speakNegentropy(events) }),
  });
  open.push(relay);
  const upstream = new Visiting(relay);
  const random = randomOf(1);
  const options = {
    source: { nip77 },
    stays: ({ id }: NostrEvent) => !leavingIds.has(id),
    chance: () => random.below(1_000) / 1_000,
  };
  const visit = () => upstream.visit(options);
  const measure = async () => {
    await upstream.measure(options);
    return upstream.figures.at(-1)!;
  };
  expect(await visit()).toMatchObject({ finished: true, fresh: COUNT });
  expect(upstream.stored.size).toBe(COUNT - leaving.size);
  const rest = events.filter((event) => !leaving.has(event));
  const lose = (isLost: (n: number) => boolean) => {
    for (const [n, { id }] of rest.entries()) if (isLost(n)) upstream.stored.delete(id);
  };
  return { upstream, visit, measure, lose, rest };
}

describe.each([
  ['by pages', false],
  ['by NIP-77', true],
])('a measurement of a source that is fetched %s', (way, nip77) => {
  it('has nothing fetched again for the sake of what does not stay here', async () => {
    const { upstream, visit, measure } = await fetched(nip77);
    for (let n = 0; n < 2; n += 1) {
      const figure = await measure();
      expect(figure.theirs - figure.held).toBeGreaterThan(0);
      const requests = upstream.relay.said('REQ').length;
      const report = await visit();
      process.stdout.write(
        `${way}: ${figure.held} of ${figure.theirs} held, the next visit takes ` +
          `${report.requests} requests, ${report.events} events, ${report.bytes} bytes\n`,
      );
      expect(report.events).toBeLessThan(10);
      expect(upstream.relay.said('REQ').length - requests).toBeLessThan(5);
    }
  });

  it('has what was lost fetched again all the same', async () => {
    const { upstream, visit, measure, lose, rest } = await fetched(nip77);
    await measure();
    lose((n) => n % 125 === 60);
    const before = upstream.stored.size;
    await measure();
    await visit();
    expect(upstream.stored.size).toBe(rest.length);
    expect(before).toBeLessThan(rest.length);
  });
});

it('a measurement that has all missing events in hand has them stored, and takes nothing back', async () => {
  const { upstream, measure, lose, rest } = await fetched(true);
  lose((n) => n === 40 || n === 4_000);
  await measure();
  expect(upstream.stored.size).toBe(rest.length);
  expect([...upstream.ranges.values()]).toMatchObject([[{ since: 0 }]]);
});
