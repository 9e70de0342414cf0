import { jest } from '@jest/globals';
import { openLog } from '../../../functions/cloud/log.ts';
import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import type { StoredEvent } from '../../../functions/database/read.ts';
import { ReplicaBehind } from '../../../functions/database/replica.ts';
import { eventText } from '../../../functions/nostr/event.ts';
import { AnswerTooLarge } from '../../../functions/relay/answer-bytes.ts';
import type { QueryStored } from '../../../functions/relay/answers.ts';
import type { FollowerSink } from '../../../functions/relay/follower.ts';
import { type ReplicaDoors, ReplicaReads } from '../../../functions/relay/replica-reads.ts';
import { Unreplayed } from '../../../functions/relay/unreplayed.ts';
import { countOf } from '../../support/metrics.ts';
import { unsigned } from '../../support/unsigned.ts';

const row = (content: string): StoredEvent => {
  const event = unsigned({ content });
  const { id, kind } = event;
  return { id, kind, createdAt: event.created_at, text: eventText(event) };
};
const [ours, theirs] = [row('of the primary'), row('of the replica')];

const nothing = () => undefined;
const deaf: FollowerSink = {
  added: nothing,
  held: nothing,
  removed: nothing,
  dropped: nothing,
  decided: nothing,
  ephemeral: nothing,
  gap: nothing,
  caughtUp: nothing,
  missed: nothing,
  load: async () => 10,
};

const sqlError = (code: string) => Object.assign(new Error(code), { code });

/** Reads whose replica and primary the test plays. */
async function readsOf(
  query: ReplicaDoors['query'],
  primary?: QueryStored,
  { deadlineMs = 10_000 }: { readonly deadlineMs?: number } = {},
) {
  const metrics = new Registry('relay');
  const lines: string[] = [];
  const unreplayed = new Unreplayed(
    { sink: deaf, pendingEntry: () => undefined, whenPassed: nothing, monotonicMs: () => 0 },
    { lagMs: 1_000, bytesMax: 1e6 },
  );
  await unreplayed.load();
  unreplayed.caughtUp();
  const asked = { times: 0, fails: false, busy: false };
  const reads = new ReplicaReads({
    replica: {
      query,
      ask: async () => {
        asked.times += 1;
        if (asked.fails) throw sqlError('ECONNREFUSED');
      },
      isBusy: () => asked.busy,
    },
    primary: primary ?? (async () => [ours]),
    unreplayed,
    deadlineMs,
    monotonicMs: () => performance.now(),
    random: () => 0,
    log: openLog(
      { level: 'info', format: 'json', component: 'test' },
      { write: (line) => lines.push(line) },
    ),
    metrics,
  });
  const abort = new AbortController();
  const ask = (take: (bytes: number) => void = nothing) =>
    reads.query({ kinds: [1] }, { limit: 5, signal: abort.signal, take });
  const outcome = (of: string) => countOf(metrics, 'replica_queries_total', { outcome: of }) ?? 0;
  return { reads, ask, abort, asked, lines, outcome, unreplayed };
}

afterEach(() => jest.useRealTimers());

describe('reads from a replica', () => {
  it('are told as the replica has them', async () => {
    const { ask, outcome } = await readsOf(async () => ({ events: [theirs], position: 10 }));
    expect(await ask()).toEqual([theirs]);
    expect(outcome('answered')).toBe(1);
  });

  it.each(['40001', '57014', '42P01'])('go to the primary after %s, this time', async (state) => {
    const answers = [sqlError(state), undefined];
    const { ask, outcome } = await readsOf(async () => {
      const error = answers.shift();
      if (error !== undefined) throw error;
      return { events: [theirs], position: 10 };
    });
    expect(await ask()).toEqual([ours]);
    expect(await ask()).toEqual([theirs]);
    expect([outcome('failed'), outcome('answered')]).toEqual([1, 1]);
  });

  it.each(['57P01', 'ECONNRESET', '53300'])(
    'go to the primary after %s until it answers',
    async (code) => {
      jest.useFakeTimers();
      let asks = 0;
      const { reads, ask, asked, lines, outcome } = await readsOf(async () => {
        asks += 1;
        throw sqlError(code);
      });
      asked.fails = true;
      expect(await ask()).toEqual([ours]);
      expect(await ask()).toEqual([ours]);
      expect([asks, outcome('failed'), outcome('away')]).toEqual([1, 1, 1]);
      await jest.advanceTimersByTimeAsync(60_000);
      // After 0.5, 1, 2, 4, 8, 15, 15 s: each wait is twice the one before.
      expect(asked.times).toBe(7);
      asked.fails = false;
      await jest.advanceTimersByTimeAsync(15_000);
      expect(lines.filter((line) => line.includes('answers again'))).toHaveLength(1);
      await ask();
      expect(asks).toBe(2);
      reads.stop();
    },
  );

  it.each([
    [10_000, 2_000],
    [900, 300],
  ])(
    'go to the primary where the replica is silent to another question, too (deadline %i ms)',
    async (deadlineMs, patienceMs) => {
      jest.useFakeTimers();
      const silent = () => new Promise<never>(nothing);
      const { reads, ask, asked, lines, outcome } = await readsOf(silent, undefined, {
        deadlineMs,
      });
      asked.fails = true;
      const answer = ask();
      await jest.advanceTimersByTimeAsync(patienceMs - 1);
      expect(asked.times).toBe(0);
      await jest.advanceTimersByTimeAsync(1);
      expect(await answer).toEqual([ours]);
      expect([outcome('slow'), asked.times]).toEqual([1, 1]);
      expect(lines.filter((line) => line.includes('is away'))).toHaveLength(1);
      reads.stop();
    },
  );

  it('go on past that where the replica is well, and run once', async () => {
    jest.useFakeTimers();
    const { reads, ask, asked, outcome } = await readsOf(async () => {
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      return { events: [theirs], position: 10 };
    });
    const answer = ask();
    await jest.advanceTimersByTimeAsync(4_000);
    expect(await answer).toEqual([theirs]);
    expect([outcome('answered'), outcome('slow'), asked.times]).toEqual([1, 0, 1]);
    reads.stop();
  });

  it('leave the primary half of the deadline', async () => {
    jest.useFakeTimers();
    const { reads, ask, outcome } = await readsOf(() => new Promise(nothing));
    const answer = ask();
    await jest.advanceTimersByTimeAsync(5_000);
    expect(await answer).toEqual([ours]);
    expect(outcome('slow')).toBe(1);
    reads.stop();
  });

  it('have the replica asked how it is where a question was given up after a long wait', async () => {
    jest.useFakeTimers();
    const { reads, ask, abort, asked } = await readsOf(() => new Promise(nothing));
    const answer = expect(ask()).rejects.toThrow('closed');
    await jest.advanceTimersByTimeAsync(1_500);
    abort.abort(new Error('closed'));
    await answer;
    expect(asked.times).toBe(1);
    reads.stop();
  });

  it('go to the primary at once where the replica has much to do, which is not away', async () => {
    const { ask, asked, outcome } = await readsOf(async () => ({ events: [theirs], position: 10 }));
    asked.busy = true;
    expect(await ask()).toEqual([ours]);
    asked.busy = false;
    expect(await ask()).toEqual([theirs]);
    expect([outcome('busy'), outcome('answered'), asked.times]).toEqual([1, 1, 0]);
  });

  it('go to the primary where no connection became free in time, which is not away', async () => {
    const errors = [new Error('timeout exceeded when trying to connect')];
    const { ask, outcome } = await readsOf(async () => {
      const error = errors.shift();
      if (error !== undefined) throw error;
      return { events: [theirs], position: 10 };
    });
    expect(await ask()).toEqual([ours]);
    expect(await ask()).toEqual([theirs]);
    expect([outcome('busy'), outcome('answered')]).toEqual([1, 1]);
  });

  it.each([
    ['a mistake of ours', new TypeError('undefined is not a function'), 'answered'],
    ['EPIPE', sqlError('EPIPE'), 'away'],
    ['a lost connection', new Error('Connection terminated unexpectedly'), 'away'],
  ])('take %s for what it is', async (_what, error, next) => {
    jest.useFakeTimers();
    const errors = [error];
    const { reads, ask, outcome } = await readsOf(async () => {
      const failure = errors.shift();
      if (failure !== undefined) throw failure;
      return { events: [theirs], position: 10 };
    });
    await ask();
    await ask();
    expect([outcome('failed'), outcome(next)]).toEqual([1, 1]);
    reads.stop();
  });

  it('tell apart in the log what the replica lacks and what this instance does', async () => {
    const lagging = await readsOf(async () => {
      throw new ReplicaBehind('behind');
    });
    expect(await lagging.ask()).toEqual([ours]);
    expect(lagging.outcome('behind')).toBe(1);
    expect(lagging.lines.join()).toContain('too far behind');
    const broken = await readsOf(async () => ({ events: [theirs], position: 10 }));
    broken.unreplayed.gap();
    expect(await broken.ask()).toEqual([ours]);
    expect(broken.outcome('unsure')).toBe(1);
    expect(broken.lines.join()).toContain('since the fast lane broke');
  });

  it('end with the question, and without asking the primary', async () => {
    let asked = 0;
    const { ask, abort } = await readsOf(
      () => new Promise(nothing),
      async () => {
        asked += 1;
        return [];
      },
    );
    const answer = ask();
    abort.abort(new Error('closed'));
    await expect(answer).rejects.toThrow('closed');
    expect(asked).toBe(0);
  });

  it('end where the answer is too large, and without asking the primary', async () => {
    const { ask, outcome } = await readsOf(async (_filter, { take }) => {
      take(100);
      return { events: [], position: 10 };
    });
    const answer = ask(() => {
      throw new AnswerTooLarge('error: too large');
    });
    await expect(answer).rejects.toThrow('too large');
    expect(outcome('failed')).toBe(0);
  });

  it('count the bytes of an answer once, though replica and primary gave them', async () => {
    const { ask } = await readsOf(
      async (_filter, { take }) => {
        for (const bytes of [10, 20]) take(bytes);
        throw sqlError('40001');
      },
      async (_filter, { take }) => {
        for (const bytes of [10, 20, 30]) take(bytes);
        return [ours];
      },
    );
    let taken = 0;
    await ask((bytes) => {
      taken += bytes;
    });
    expect(taken).toBe(60);
  });

  it('go to the primary where what the replica lacks was forgotten while it answered', async () => {
    const reading = await readsOf(async () => {
      // More than there is memory for.
      for (let n = 0; n < 5_000; n += 1) reading.unreplayed.removed(`${n}`, 20 + n);
      return { events: [theirs], position: 10 };
    });
    expect(await reading.ask()).toEqual([ours]);
    expect(reading.outcome('behind')).toBe(1);
  });

  it('show the newer version of an address where the replica has it before this instance', async () => {
    const version = (created_at: number) => unsigned({ kind: 0, created_at });
    const [older, newer] = [version(1_700_000_000), version(1_700_000_001)];
    const { ask, unreplayed } = await readsOf(async () => {
      const { id, kind, created_at: createdAt } = newer;
      return { events: [{ id, kind, createdAt, text: eventText(newer) }], position: 10 };
    });
    unreplayed.added(older.id, eventText(older), 'fast', 0, 12);
    const reads = await ask();
    expect(reads.map(({ id }) => id)).toEqual([newer.id]);
  });
});
