import fc from 'fast-check';
import { type Write, writeBatch } from '../../../functions/store/write-batch.ts';
import { secretKeyOf, signEvent } from '../../support/keys.ts';

const key = secretKeyOf('write-batch');
const events = Array.from({ length: 40 }, (_, n) => {
  const event = signEvent({ kind: 1, created_at: n, content: `${n}` }, key);
  return { event, text: `${n}` };
});

const sqlError = (code: string) => Object.assign(new Error(code), { code });

/** A database of transactions that fail as told by the events in them. */
function database(verdict: (text: string) => string | undefined): {
  write: Write;
  stored: Set<string>;
  transactions: () => number;
} {
  const stored = new Set<string>();
  let transactions = 0;
  return {
    stored,
    transactions: () => transactions,
    async write(batch) {
      transactions += 1;
      for (const { text } of batch) {
        const code = verdict(text);
        if (code !== undefined) throw sqlError(code);
      }
      for (const { text } of batch) stored.add(text);
      const outcomes = batch.map(({ text }) => ({
        outcome: 'stored' as const,
        seq: Number(text),
        removed: [],
      }));
      return { transaction: transactions, outcomes };
    },
  };
}

describe('writeBatch', () => {
  it('writes a sound batch in one transaction, with outcomes in the order given', async () => {
    const { write, transactions } = database(() => undefined);
    const written = await writeBatch(events, write);
    expect(transactions()).toBe(1);
    expect(written.map((each) => 'result' in each && each.result)).toEqual(
      events.map((_, seq) => ({ outcome: 'stored', seq, removed: [] })),
    );
  });

  it('writes nothing for no events', async () => {
    const { write, transactions } = database(() => undefined);
    expect(await writeBatch([], write)).toEqual([]);
    expect(transactions()).toBe(0);
  });

  it('stores all neighbours of guilty events, wherever those stand, and names exactly those', async () => {
    const places = fc.uniqueArray(fc.nat({ max: events.length - 1 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(places, async (guilty) => {
        const bad = new Set(guilty.map(String));
        const { write, stored } = database((text) => (bad.has(text) ? '22P05' : undefined));
        const written = await writeBatch(events, write);
        expect(written.map(({ event }) => event)).toEqual(events);
        const blamed = written.filter((each) => 'fault' in each).map(({ event }) => event.text);
        expect(new Set(blamed)).toEqual(bad);
        expect(stored.size).toBe(events.length - bad.size);
      }),
      { numRuns: 50 },
    );
  });

  it('tries nothing more once the database does not answer', async () => {
    let calls = 0;
    const written = await writeBatch(events, async () => {
      calls += 1;
      throw sqlError('57P01');
    });
    expect(calls).toBe(1);
    expect(written).toHaveLength(events.length);
    for (const each of written) {
      expect(each).toMatchObject({ fault: { blame: 'database', sqlstate: '57P01' } });
    }
  });

  it('leaves the second half alone when the database goes away in the first', async () => {
    const codes = ['22P05', '57P01'];
    let calls = 0;
    const written = await writeBatch(events, () => {
      calls += 1;
      return Promise.reject(sqlError(codes.shift() ?? '22P05'));
    });
    expect(calls).toBe(2);
    expect(written.map(({ event }) => event)).toEqual(events);
    for (const each of written) expect(each).toMatchObject({ fault: { sqlstate: '57P01' } });
  });

  it('keeps what is written when the database goes away while it looks for the guilty one', async () => {
    const sound = database((text) => (text === '39' ? '23505' : undefined));
    const written = await writeBatch(events, (batch) => {
      if (sound.transactions() === 2) return Promise.reject(sqlError('08006'));
      return sound.write(batch);
    });
    expect(sound.stored.size).toBe(20);
    expect(written.slice(0, 20).every((each) => 'result' in each)).toBe(true);
    for (const each of written.slice(20)) {
      expect(each).toMatchObject({ fault: { blame: 'database', sqlstate: '08006' } });
    }
  });

  it('isolates an event that our own code falls over without condemning it', async () => {
    const { write, stored } = database(() => undefined);
    const written = await writeBatch(events, (batch) => {
      if (batch.some(({ text }) => text === '13')) throw new TypeError('unexpected');
      return write(batch);
    });
    expect(written[13]).toMatchObject({ fault: { blame: 'suspect' } });
    expect(stored.size).toBe(events.length - 1);
  });
});
