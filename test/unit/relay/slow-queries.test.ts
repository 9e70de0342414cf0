import { openLog } from '../../../functions/cloud/log.ts';
import type { Filter } from '../../../functions/nostr/filter.ts';
import type { Asker } from '../../../functions/relay/engine-types.ts';
import { SLOW_MS, SlowQueries, type TookLong } from '../../../functions/relay/slow-queries.ts';
import { instanceWith } from '../../support/instance.ts';

const ASKER: Asker = { connectionId: 'c1', address: '192.0.2.7' };
const SECRET = 'd'.repeat(64);
const AUTHORS: readonly Filter[] = [{ authors: [SECRET] }, { ids: [SECRET] }];
const slow: TookLong = { tookMs: 2_345.6, answeredBy: 'database', end: 'answered' };

function opened() {
  const lines: Record<string, unknown>[] = [];
  const clock = { nowMs: 0 };
  const write = (line: string) => lines.push(JSON.parse(line));
  const log = openLog({ component: 'relay', level: 'warning', format: 'json' }, { write });
  return { lines, clock, queries: new SlowQueries(log, () => clock.nowMs) };
}

describe('a slow REQ', () => {
  it('leaves a line that names the client, the shape, the time and who answered', () => {
    const { lines, queries } = opened();
    queries.ended(AUTHORS, ASKER, slow);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      severity: 'WARNING',
      message: 'REQ took long',
      ...ASKER,
      shape: 'authors',
      filters: 2,
      tookMs: 2_346,
      answeredBy: 'database',
      end: 'answered',
    });
    expect(JSON.stringify(lines)).not.toContain(SECRET);
  });

  it('is one that took over two seconds, or that was given up however soon', () => {
    const { lines, clock, queries } = opened();
    queries.ended(AUTHORS, ASKER, { ...slow, tookMs: SLOW_MS });
    expect(lines).toEqual([]);
    queries.ended(AUTHORS, ASKER, { ...slow, tookMs: SLOW_MS + 1 });
    clock.nowMs += 60_000;
    queries.ended(AUTHORS, ASKER, { ...slow, tookMs: 500, end: 'timeout' });
    expect(lines.map(({ end }) => end)).toEqual(['answered', 'timeout']);
  });

  it('leaves one line a second, which tells how many it stands for', () => {
    const { lines, clock, queries } = opened();
    for (let n = 0; n < 5; n += 1) queries.ended(AUTHORS, ASKER, slow);
    clock.nowMs += 1_000;
    queries.ended(AUTHORS, ASKER, slow);
    clock.nowMs += 1_000;
    queries.ended(AUTHORS, ASKER, slow);
    expect(lines.map(({ linesLeftOut }) => linesLeftOut)).toEqual([0, 4, 0]);
  });
});

describe('an instance', () => {
  const ask = async (tookMs: number | undefined) => {
    const lines: string[] = [];
    const instance: Awaited<ReturnType<typeof instanceWith>> = await instanceWith({
      windowEventsMax: 0,
      queryDeadlineMs: 20,
      onLine: (line) => lines.push(line),
      queryStored: async ({ authors }) => {
        if (authors === undefined) return [];
        if (tookMs === undefined) return new Promise<never>(() => undefined);
        instance.clock.nowMs += tookMs;
        return [];
      },
    });
    await new Promise<void>((resolve) => {
      instance.subscriptions.open([{ authors: [SECRET] }], {
        asker: ASKER,
        event: () => undefined,
        eose: resolve,
        closed: () => resolve(),
      });
    });
    return lines.map((line) => JSON.parse(line) as object);
  };

  it('says who asked what was answered late', async () => {
    const line = { ...ASKER, shape: 'authors', tookMs: 2_500, end: 'answered' };
    expect(await ask(2_500)).toEqual([expect.objectContaining(line)]);
  });

  it('says who asked what was given up', async () => {
    const line = { ...ASKER, shape: 'authors', answeredBy: 'database', end: 'timeout' };
    expect(await ask(undefined)).toEqual([expect.objectContaining(line)]);
  });

  it('says nothing of what was answered in time', async () => {
    expect(await ask(300)).toEqual([]);
  });
});
