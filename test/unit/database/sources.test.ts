import {
  appendCoverage,
  newestCoverage,
  readCoverage,
} from '../../../functions/database/coverage.ts';
import {
  coveredRanges,
  coveredRangesOf,
  coverRange,
  uncoverRange,
} from '../../../functions/database/fetch-ranges.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import { recordProbe, unprobedSources, waitsForProbe } from '../../../functions/database/probes.ts';
import {
  addSource,
  dueSources,
  listSources,
  pauseSource,
  quarantineSource,
  recordRun,
  removeSource,
  resumeSource,
  type Source,
  type SourceRun,
  sourceById,
  sourceByUrl,
} from '../../../functions/database/sources.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { authorOf } from '../../support/unsigned.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
  await migrate(database.url);
});
afterAll(() => database.drop());
beforeEach(() => database.pool.query('truncate sources, fetch_ranges, fetch_coverage'));

let count = 0;
const urlOf = (): string => {
  count += 1;
  return `wss://relay-${count}.example/`;
};
const configured = () =>
  addSource(database.pool, { url: urlOf(), origin: 'configured' }) as Promise<Source>;
const stateOf = async ({ id }: Source) => {
  const source = await sourceById(database.pool, id);
  return [source?.state, source?.reason];
};
const due = async (limit = 10) =>
  (await dueSources(database.pool, { limit })).map(({ url }) => url);
const RUN: SourceRun = {
  requests: 2,
  events: 10,
  newEvents: 4,
  bytes: 5_000_000_000,
  invalid: 1,
  withheld: 3,
  suspect: 0,
  standing: { newPerRequest: 0.4, uptime: 1, failuresInRow: 0 },
  nextInSeconds: 600,
};

describe('sources', () => {
  it('are found again as they were added, without the times of their filters', async () => {
    const url = urlOf();
    const tags = new Map([['t', ['x']]]);
    const added = await addSource(database.pool, {
      url,
      origin: 'configured',
      direction: 'both',
      filters: [
        { kinds: [1, 7], since: 5, until: 9, limit: 3 },
        { authors: [authorOf(1)], tags },
      ],
      limits: { eventsMax: 100 },
      auth: true,
    });
    expect(added).toMatchObject({
      url,
      origin: 'configured',
      direction: 'both',
      state: 'active',
      filters: [{ kinds: [1, 7] }, { authors: [authorOf(1)], tags }],
      limits: { eventsMax: 100 },
      auth: true,
      nip77: undefined,
      counts: { requests: 0, events: 0 },
      standing: { newPerRequest: 0, uptime: 1, failuresInRow: 0 },
    });
    expect(await sourceByUrl(database.pool, url)).toEqual(added);
    expect(await listSources(database.pool)).toEqual([added]);
    expect(await sourceById(database.pool, added.id + 1)).toBeUndefined();
  });

  it('are added once, however many do it at the same time', async () => {
    const url = urlOf();
    const add = () => addSource(database.pool, { url, origin: 'outbox' });
    const ids = await Promise.all(Array.from({ length: 8 }, async () => (await add()).id));
    expect(new Set(ids).size).toBe(1);
  });

  it('that an operator adds again are active with the new filters, and due at once', async () => {
    const source = await configured();
    await recordRun(database.pool, source.id, RUN);
    await quarantineSource(database.pool, source.id, 'forged events');
    const again = await addSource(database.pool, {
      url: source.url,
      origin: 'configured',
      filters: [{ kinds: [3] }],
    });
    expect(again).toMatchObject({ id: source.id, state: 'active', reason: undefined });
    expect(again.filters).toEqual([{ kinds: [3] }]);
    expect(again.counts.requests).toBe(2);
    expect(await due()).toEqual([source.url]);
  });

  it('that were found automatically never overrule an operator, nor wake what sleeps', async () => {
    const named = await configured();
    const gone = await configured();
    await removeSource(database.pool, gone.id);
    const found = await addSource(database.pool, { url: urlOf(), origin: 'outbox' });
    await pauseSource(database.pool, found.id, 'not now');
    for (const { url } of [named, gone, found]) {
      await addSource(database.pool, { url, origin: 'outbox', filters: [{ kinds: [0] }] });
    }
    const filtersOf = async ({ id }: Source) => (await sourceById(database.pool, id))?.filters;
    expect(await filtersOf(named)).toEqual([{}]);
    expect(await stateOf(gone)).toEqual(['removed', undefined]);
    expect(await stateOf(found)).toEqual(['paused', 'not now']);
    expect(await filtersOf(found)).toEqual([{ kinds: [0] }]);
  });

  it('that are mere candidates wait for an operator, or for an author who writes there', async () => {
    const paused = 'resume to fetch';
    const byProbe = await addSource(database.pool, { url: urlOf(), origin: 'probe', paused });
    const named = await configured();
    await addSource(database.pool, { url: named.url, origin: 'probe', paused });
    expect(await stateOf(byProbe)).toEqual(['paused', paused]);
    expect(await stateOf(named)).toEqual(['active', undefined]);
    await addSource(database.pool, { url: byProbe.url, origin: 'outbox' });
    expect(await stateOf(byProbe)).toEqual(['active', undefined]);
  });

  it('that were candidates until an operator resumed them are changed by operators only', async () => {
    const filters = [{ authors: [authorOf(1)] }];
    for (const origin of ['monitor', 'probe'] as const) {
      const [visited, moving] = [urlOf(), urlOf()];
      for (const url of [visited, moving]) {
        const { id } = await addSource(database.pool, { url, origin, paused: 'candidate' });
        await resumeSource(database.pool, id);
        if (url === moving) await pauseSource(database.pool, id, 'moves house');
      }
      const byOutbox = (url: string) =>
        addSource(database.pool, { url, origin: 'outbox', filters });
      expect((await byOutbox(visited)).filters).toEqual([{}]);
      expect(await stateOf(await byOutbox(moving))).toEqual(['paused', 'moves house']);
    }
  });

  it("that authors' relay lists name are so still when an operator resumes them", async () => {
    const source = await addSource(database.pool, { url: urlOf(), origin: 'outbox' });
    await pauseSource(database.pool, source.id);
    await resumeSource(database.pool, source.id);
    const filters = [{ authors: [authorOf(1)] }];
    expect(
      await addSource(database.pool, { url: source.url, origin: 'outbox', filters }),
    ).toMatchObject({
      state: 'active',
      filters,
    });
  });

  it('that are mere candidates are probed once, and keep what was found', async () => {
    const candidate = (origin: 'probe' | 'monitor') =>
      addSource(database.pool, { url: urlOf(), origin, paused: 'resume to fetch' });
    const [first, second, resumed] = [
      await candidate('monitor'),
      await candidate('probe'),
      await candidate('probe'),
    ];
    await resumeSource(database.pool, resumed.id);
    await pauseSource(database.pool, (await configured()).id);
    const waiting = async (limit = 10) =>
      (await unprobedSources(database.pool, { limit })).map(({ id }) => id);
    expect(await waiting()).toEqual([first.id, second.id]);
    expect(await waiting(1)).toEqual([first.id]);
    expect(await waitsForProbe(database.pool, second.id)).toBe(true);
    await recordProbe(database.pool, second.id, {
      openMs: 12,
      readMs: 34,
      negentropy: true,
      information: { name: 'R' },
    });
    expect(await waitsForProbe(database.pool, second.id)).toBe(false);
    expect(await sourceById(database.pool, second.id)).toMatchObject({
      state: 'paused',
      nip77: true,
      information: { name: 'R' },
      probe: { openMs: 12, readMs: 34, negentropy: true, at: expect.any(Date) },
    });
    // One that was visited needs none.
    await recordRun(database.pool, resumed.id, RUN);
    await pauseSource(database.pool, resumed.id);
    expect(await waiting()).toEqual([first.id]);
  });

  it('are judged by what they sent of late, which fades, and not by what was forgiven', async () => {
    const { id, url } = await configured();
    const run = (events: number, invalid: number) =>
      recordRun(database.pool, id, { ...RUN, events, invalid });
    expect(await run(10, 5)).toEqual({ seen: 15, invalid: 5 });
    const { seen, invalid } = await run(10, 5);
    expect([seen, invalid]).toEqual([expect.closeTo(28.5), expect.closeTo(9.5)]);
    // A visit that brings nothing makes nobody better.
    expect((await run(0, 0)).invalid).toBeCloseTo(9.5);
    let last = invalid;
    for (let n = 0; n < 30; n += 1) last = (await run(10, 0)).invalid;
    expect(last).toBeLessThan(1);
    await run(10, 9);
    await quarantineSource(database.pool, id, 'forged events');
    await resumeSource(database.pool, id);
    expect(await run(1, 1)).toEqual({ seen: 2, invalid: 1 });
    await addSource(database.pool, { url, origin: 'configured' });
    expect(await run(1, 1)).toEqual({ seen: 2, invalid: 1 });
  });

  it('are due in the order of their times while they are active', async () => {
    const [first, second, third, paused] = [
      await configured(),
      await configured(),
      await configured(),
      await configured(),
    ];
    await recordRun(database.pool, first.id, { ...RUN, nextInSeconds: -10 });
    await recordRun(database.pool, second.id, { ...RUN, nextInSeconds: -20 });
    await recordRun(database.pool, third.id, { ...RUN, nextInSeconds: 20 });
    await pauseSource(database.pool, paused.id);
    expect(await due()).toEqual([second.url, first.url]);
    expect(await due(1)).toEqual([second.url]);
  });

  it('are paused, quarantined, resumed and removed only from where that makes sense', async () => {
    const source = await configured();
    const { pool } = database;
    const { id } = source;
    expect(await resumeSource(pool, id)).toBe(false);
    expect(await pauseSource(pool, id, 'holiday')).toBe(true);
    // A worker that is still at it must not overrule the operator.
    expect(await quarantineSource(pool, id, 'forged events')).toBe(false);
    expect(await stateOf(source)).toEqual(['paused', 'holiday']);
    expect(await resumeSource(pool, id)).toBe(true);
    expect(await quarantineSource(pool, id, 'forged events')).toBe(true);
    expect(await due()).toEqual([]);
    expect(await stateOf(source)).toEqual(['quarantined', 'forged events']);
    expect(await resumeSource(pool, id)).toBe(true);
    expect(await due()).toEqual([source.url]);
    expect(await removeSource(pool, id)).toBe(true);
    expect(await removeSource(pool, id)).toBe(false);
    expect(await pauseSource(pool, id)).toBe(false);
    expect(await resumeSource(pool, id)).toBe(false);
    expect(await listSources(pool)).toEqual([]);
  });

  it('with filters that nobody can read count as quarantined, and hinder no others', async () => {
    const bad = await configured();
    const good = await configured();
    await database.pool.query(`update sources set filters = '[{"near":"me"}]' where id = $1`, [
      bad.id,
    ]);
    expect(await due()).toEqual([good.url]);
    expect(await stateOf(bad)).toEqual(['quarantined', expect.stringContaining('near')]);
  });
});

describe('the record of a source', () => {
  it('adds up visits, and keeps when and why the last one failed', async () => {
    const { id } = await configured();
    await recordRun(database.pool, id, { ...RUN, nip77: true, information: { name: 'R' } });
    await recordRun(database.pool, id, {
      ...RUN,
      failure: 'no WebSocket within 10 s',
      withheld: 0,
      suspect: 2,
      standing: { newPerRequest: 0.3, uptime: 0.8, failuresInRow: 1 },
    });
    const source = await sourceById(database.pool, id);
    expect(source).toMatchObject({
      counts: {
        requests: 4,
        events: 20,
        newEvents: 8,
        bytes: 10_000_000_000,
        invalid: 2,
        successes: 1,
        failures: 1,
        withheld: 3,
        suspect: 2,
      },
      lastRun: { withheld: 0, suspect: 2 },
      standing: { newPerRequest: 0.3, uptime: 0.8, failuresInRow: 1 },
      lastFailure: 'no WebSocket within 10 s',
      nip77: true,
      information: { name: 'R' },
    });
    expect(source?.lastSuccessAt).toBeInstanceOf(Date);
    expect(source?.lastFailureAt).toBeInstanceOf(Date);
    const wait = Number(source?.nextAt) - Number(source?.lastFailureAt);
    expect(Math.round(wait / 1_000)).toBe(600);
  });
});

describe('covered ranges', () => {
  const key = 'k1';
  const cover = (source: number, since: number, until: number, filterKey = key) =>
    coverRange(database.pool, { source, filterKey, since, until });

  it('merge with what they overlap or touch, and with nothing else', async () => {
    const { id } = await configured();
    const other = await configured();
    await cover(other.id, 0, 1_000);
    await cover(id, 0, 1_000, 'k2');
    await cover(id, 10, 19);
    await cover(id, 30, 39);
    await cover(id, 50, 59);
    expect(await coveredRanges(database.pool, id, key)).toHaveLength(3);
    await cover(id, 20, 29);
    await cover(id, 12, 13);
    expect(await coveredRanges(database.pool, id, key)).toEqual([
      { since: 10, until: 39 },
      { since: 50, until: 59 },
    ]);
    await cover(id, 0, Number.MAX_SAFE_INTEGER);
    expect(await coveredRanges(database.pool, id, key)).toEqual([
      { since: 0, until: Number.MAX_SAFE_INTEGER },
    ]);
    expect(await coveredRanges(database.pool, other.id, key)).toEqual([{ since: 0, until: 1_000 }]);
  });

  it('are read for many filters at once, for each its own', async () => {
    const { id } = await configured();
    await cover(id, 50, 59);
    await cover(id, 10, 19);
    await cover(id, 0, 9, 'k2');
    await cover(id, 0, 9, 'k3');
    const ranges = await coveredRangesOf(database.pool, id, [key, 'k2', 'none']);
    const ofFirst = [
      { since: 10, until: 19 },
      { since: 50, until: 59 },
    ];
    expect(ranges).toEqual(
      new Map([
        [key, ofFirst],
        ['k2', [{ since: 0, until: 9 }]],
      ]),
    );
  });

  it('are taken back where they overlap a range, and stay around it', async () => {
    const { id } = await configured();
    await cover(id, 0, 99);
    await cover(id, 200, 299);
    await cover(id, 400, 499);
    await uncoverRange(database.pool, { source: id, filterKey: key, since: 50, until: 249 });
    await uncoverRange(database.pool, { source: id, filterKey: key, since: 450, until: 460 });
    expect(await coveredRanges(database.pool, id, key)).toEqual([
      { since: 0, until: 49 },
      { since: 250, until: 299 },
      { since: 400, until: 449 },
      { since: 461, until: 499 },
    ]);
    const end = Number.MAX_SAFE_INTEGER;
    await uncoverRange(database.pool, { source: id, filterKey: key, since: 0, until: end });
    expect(await coveredRanges(database.pool, id, key)).toEqual([]);
  });

  it('stay disjoint and apart, and lose nothing, when many are noted at the same time', async () => {
    const { id } = await configured();
    const seconds = new Set<number>();
    const given = Array.from({ length: 120 }, (_, n) => {
      const since = (n * 37) % 400;
      const until = since + ((n * 13) % 9);
      for (let at = since; at <= until; at += 1) seconds.add(at);
      return { since, until };
    });
    await Promise.all(given.map(({ since, until }) => cover(id, since, until)));
    const ranges = await coveredRanges(database.pool, id, key);
    const covered = ranges.flatMap(({ since, until }) =>
      Array.from({ length: until - since + 1 }, (_, n) => since + n),
    );
    expect(covered).toEqual([...seconds].sort((a, b) => a - b));
    ranges.slice(1).forEach(({ since }, n) => {
      expect(since).toBeGreaterThan((ranges[n]?.until ?? 0) + 1);
    });
  });

  it('are refused where they are none, or of no source', async () => {
    const { id } = await configured();
    await expect(cover(id, 2, 1)).rejects.toThrow('no range of seconds: 2 to 1');
    await expect(cover(id, 0.5, 1)).rejects.toThrow('no range of seconds');
    await expect(cover(id + 1, 1, 2)).rejects.toThrow('there is no source');
    expect(await coveredRanges(database.pool, id, key)).toEqual([]);
  });

  it('are forgotten with their source, so that one added again is read from the start', async () => {
    const { id } = await configured();
    await cover(id, 1, 9);
    await removeSource(database.pool, id);
    expect(await coveredRanges(database.pool, id, key)).toEqual([]);
  });
});

it('coverage is kept as a series, newest first', async () => {
  const { id } = await configured();
  const measured = { source: id, filterKey: 'k1', theirs: 1_000, held: 992, since: 0, until: 99 };
  await appendCoverage(database.pool, { ...measured, method: 'sampled' });
  await appendCoverage(database.pool, { ...measured, held: 1_000, method: 'negentropy' });
  await appendCoverage(database.pool, { ...measured, filterKey: 'k2', method: 'negentropy' });
  const series = await readCoverage(database.pool, id, { filterKey: 'k1', limit: 10 });
  expect(series).toEqual([
    { ...measured, held: 1_000, method: 'negentropy', measuredAt: expect.any(Date) },
    { ...measured, method: 'sampled', measuredAt: expect.any(Date) },
  ]);
  expect(await readCoverage(database.pool, id, { limit: 1 })).toMatchObject([{ filterKey: 'k2' }]);
});

it('the newest measurements are read of those filters that are asked for', async () => {
  const [a, b] = [await configured(), await configured()];
  const measured = { theirs: 100, held: 90, method: 'negentropy' as const, since: 0, until: 9 };
  await appendCoverage(database.pool, { ...measured, source: a.id, filterKey: 'k1' });
  await appendCoverage(database.pool, { ...measured, source: a.id, filterKey: 'k1', held: 95 });
  await appendCoverage(database.pool, { ...measured, source: a.id, filterKey: 'gone' });
  await appendCoverage(database.pool, { ...measured, source: b.id, filterKey: 'k1', held: 7 });
  const wanted = [
    { source: a.id, filterKey: 'k1' },
    { source: b.id, filterKey: 'k1' },
    { source: b.id, filterKey: 'never measured' },
  ];
  const newest = await newestCoverage(database.pool, wanted);
  expect(newest).toHaveLength(2);
  expect(newest).toEqual(
    expect.arrayContaining([
      { source: a.id, filterKey: 'k1', theirs: 100, held: 95 },
      { source: b.id, filterKey: 'k1', theirs: 100, held: 7 },
    ]),
  );
  expect(await newestCoverage(database.pool, [])).toEqual([]);
});
