import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import type { NewestCoverage } from '../../../functions/database/coverage.ts';
import { CANDIDATES_A_CALL, CANDIDATES_MAX } from '../../../functions/fetch/limits.ts';
import { type PlanPorts, type PlanRules, plan } from '../../../functions/fetch/plan.ts';
import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { filterKey } from '../../../functions/nostr/filter-key.ts';
import { silentLog } from '../../support/pubsub.ts';
import { authorOf, unsigned } from '../../support/unsigned.ts';

type Known = Awaited<ReturnType<PlanPorts['list']>>[number];

/** The world as planning sees it, with what it did to it. */
function world(given: {
  known?: Partial<Known>[];
  due?: number[];
  unprobed?: number[];
  events?: NostrEvent[];
  coverage?: NewestCoverage[] | Error;
  paused?: boolean;
}) {
  const metrics = new Registry('fetch');
  const introduced: unknown[] = [];
  const asked: object[] = [];
  const handedOut: number[] = [];
  const ports: PlanPorts = {
    paused: async () => given.paused ?? false,
    introduce: async (source) => {
      introduced.push(source);
    },
    list: async () => (given.known ?? []) as Known[],
    find: async (url) => ((given.known ?? []) as Known[]).find((each) => each.url === url),
    due: async () => (given.due ?? []).map((id) => ({ id })) as Known[],
    unprobed: async () => (given.unprobed ?? []).map((id) => ({ id })),
    newest: async ({ kinds, authors }) =>
      (given.events ?? []).filter(
        ({ kind, pubkey }) => kinds.includes(kind) && (authors?.includes(pubkey) ?? true),
      ),
    handOut: async (id) => {
      handedOut.push(id);
    },
    coverage: async (wanted) => {
      asked.push(...wanted);
      if (given.coverage instanceof Error) throw given.coverage;
      return given.coverage ?? [];
    },
    log: silentLog,
    metrics,
  };
  const run = (rules: Partial<PlanRules> = {}) =>
    plan(ports, { configured: [], outbox: false, monitors: false, probes: false, ...rules });
  return { introduced, handedOut, run, metrics, asked };
}

describe('plan', () => {
  it('hands every source that is due a piece of work of its own', async () => {
    const { handedOut, run } = world({ due: [3, 5] });
    expect(await run()).toEqual({ introduced: 0, handedOut: 2 });
    expect(handedOut).toEqual([3, 5]);
  });

  it('hands out nothing while the budget is used up, probes neither, and says why', async () => {
    const { handedOut, run } = world({ due: [3], unprobed: [5], paused: true });
    expect(await run({ probes: true })).toEqual({ introduced: 0, handedOut: 0, paused: true });
    expect(handedOut).toEqual([]);
  });

  it('notes relays that the configuration names, once, unless an operator removed them', async () => {
    const known: Partial<Known>[] = [
      { url: 'wss://a.example/', filters: [{}], origin: 'configured', state: 'active' },
      { url: 'wss://c.example/', filters: [{}], origin: 'monitor', state: 'paused' },
      { url: 'wss://d.example/', filters: [{}], origin: 'outbox', state: 'removed' },
    ];
    const { introduced, run } = world({ known });
    const configured = ['a', 'b', 'c', 'd'].map((name) => `wss://${name}.example/`);
    await run({ configured });
    expect(introduced).toEqual([
      { url: 'wss://b.example/', origin: 'configured' },
      { url: 'wss://c.example/', origin: 'configured' },
    ]);
  });

  it("follows the sources' authors to the relays that they write to, where that is on", async () => {
    const known = [
      { url: 'x', filters: [{ authors: [authorOf(1)] }], origin: 'configured' as const },
    ];
    const tags = [['r', 'wss://out.example']];
    const events = [1, 2].map((author) => unsigned({ author, kind: 10_002, tags }));
    const { introduced, run } = world({ known, events });
    await run();
    expect(introduced).toEqual([]);
    expect(await run({ outbox: true })).toMatchObject({ introduced: 1 });
    expect(introduced).toEqual([
      { url: 'wss://out.example/', origin: 'outbox', filters: [{ authors: [authorOf(1)] }] },
    ]);
  });

  it('lists relays of monitors as paused candidates, where that is on', async () => {
    const events = [unsigned({ kind: 30_166, tags: [['d', 'wss://seen.example']] })];
    const { introduced, run } = world({ events });
    await run({ monitors: true });
    expect(introduced).toMatchObject([
      { url: 'wss://seen.example/', origin: 'monitor', paused: expect.any(String) },
    ]);
  });

  it('tells how all sources stand, and how much of the active ones we hold', async () => {
    const standing = { newPerRequest: 0, uptime: 1, failuresInRow: 0 };
    const known: Partial<Known>[] = [
      { id: 1, url: 'a', filters: [{}], state: 'active', direction: 'down', standing },
      { id: 2, url: 'b', filters: [{}], state: 'paused', direction: 'down', standing },
    ];
    const coverage = [{ source: 1, filterKey: 'k', theirs: 100, held: 98 }];
    const { metrics, run, asked } = world({ known, coverage });
    await run();
    const series = metrics.snapshot();
    const says = (label: string, value: string) =>
      series.find(({ labels }) => labels[label] === value)?.value;
    expect(says('state', 'active')).toBe(1);
    expect(says('state', 'paused')).toBe(1);
    expect(says('state', 'dead')).toBe(0);
    expect(says('statistic', 'lowest')).toBe(0.98);
    expect(says('statistic', 'together')).toBe(0.98);
    expect(asked).toEqual([{ source: 1, filterKey: filterKey({}) }]);
  });

  it('hands out its work although coverage cannot be read', async () => {
    const { run, handedOut } = world({ due: [3], coverage: new Error('away') });
    expect(await run()).toMatchObject({ handedOut: 1 });
    expect(handedOut).toEqual([3]);
  });

  it('hands candidates a probe as their piece of work, where that is on', async () => {
    const { handedOut, run } = world({ due: [3], unprobed: [8, 9] });
    await run();
    expect(handedOut).toEqual([3]);
    expect(await run({ probes: true })).toMatchObject({ handedOut: 3 });
    expect(handedOut).toEqual([3, 3, 8, 9]);
  });

  it('takes a few relays that several authors name as candidates, where that is on', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const events = [1, 2].map((author) =>
      unsigned({
        author,
        kind: 10_002,
        tags: names.slice(3 * author - 3).map((name) => ['r', `wss://${name}.example`, 'read']),
      }),
    );
    const third = unsigned({ author: 3, kind: 10_002, tags: [['r', 'wss://only.example']] });
    const fourth = unsigned({
      author: 4,
      kind: 10_002,
      tags: ['a', 'b', 'c', 'd'].map((name) => ['r', `wss://${name}.example`]),
    });
    const known: Partial<Known>[] = [
      { url: 'wss://a.example/', filters: [{}], origin: 'configured', state: 'active' },
    ];
    const { introduced, run } = world({ known, events: [...events, third, fourth] });
    await run();
    expect(introduced).toEqual([]);
    expect(await run({ probes: true })).toMatchObject({ introduced: 3 });
    expect(introduced).toEqual(
      ['d', 'b', 'c'].map((name) => ({
        url: `wss://${name}.example/`,
        origin: 'probe',
        paused: expect.any(String),
      })),
    );
  });

  it('takes no more candidates while many wait for an operator', async () => {
    const tags = [['r', 'wss://next.example']];
    const events = [1, 2].map((author) => unsigned({ author, kind: 10_002, tags }));
    const known = Array.from({ length: CANDIDATES_MAX }, (_, n): Partial<Known> => {
      return { url: `wss://${n}.example/`, filters: [{}], origin: 'probe', state: 'paused' };
    });
    expect(await world({ known, events }).run({ probes: true })).toMatchObject({ introduced: 0 });
    known.pop();
    expect(await world({ known, events }).run({ probes: true })).toMatchObject({ introduced: 1 });
  });

  it('takes a few relays of monitors a call, and none that an operator removed', async () => {
    const events = ['gone', 'a', 'b', 'c', 'd', 'e'].map((name) =>
      unsigned({ kind: 30_166, tags: [['d', `wss://${name}.example`]] }),
    );
    const known: Partial<Known>[] = [
      { url: 'wss://gone.example/', filters: [{}], origin: 'monitor', state: 'removed' },
    ];
    const { introduced, run } = world({ known, events });
    expect(await run({ monitors: true })).toMatchObject({ introduced: CANDIDATES_A_CALL });
    expect(introduced).toMatchObject(['a', 'b', 'c'].map((n) => ({ url: `wss://${n}.example/` })));
  });

  it('takes no more relays of monitors while many wait, which keep no others out', async () => {
    const known = Array.from({ length: CANDIDATES_MAX }, (_, n): Partial<Known> => {
      return { url: `wss://${n}.example/`, filters: [{}], origin: 'monitor', state: 'paused' };
    });
    const tags = [['r', 'wss://named.example']];
    const events = [
      unsigned({ kind: 30_166, tags: [['d', 'wss://seen.example']] }),
      ...[1, 2].map((author) => unsigned({ author, kind: 10_002, tags })),
    ];
    const { introduced, run } = world({ known, events });
    await run({ monitors: true, probes: true });
    expect(introduced).toMatchObject([{ url: 'wss://named.example/', origin: 'probe' }]);
  });
});
