import { jest } from '@jest/globals';
import fc from 'fast-check';
import { Deadlines, type Due } from '../../../../functions/local/pubsub/deadlines.ts';

describe('deadlines', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  interface Item extends Due {
    readonly name: number;
  }
  const item = (name: number): Item => ({ name, dueAt: 0 });

  it('call back in the order of time, whatever the order of setting', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 10_000 }), { maxLength: 200 }), (delays) => {
        const due: number[] = [];
        const deadlines = new Deadlines<Item>((items) => due.push(...items.map((one) => one.name)));
        for (const delay of delays) deadlines.set(item(delay), delay);
        jest.advanceTimersByTime(10_001);
        deadlines.close();
        expect(due).toEqual([...delays].sort((left, right) => left - right));
      }),
      { numRuns: 50 },
    );
  });

  it('count only the last setting of an item', () => {
    const due: number[] = [];
    const deadlines = new Deadlines<Item>((items) => due.push(...items.map((one) => one.name)));
    const moved = item(1);
    const cleared = item(2);
    deadlines.set(moved, 100);
    deadlines.set(cleared, 100);
    deadlines.set(moved, 500);
    deadlines.clear(cleared);
    jest.advanceTimersByTime(499);
    expect(due).toEqual([]);
    jest.advanceTimersByTime(2);
    expect(due).toEqual([1]);
    jest.advanceTimersByTime(1_000);
    expect(due).toEqual([1]);
  });

  it('stay exact when thousands of items move again and again', () => {
    const due: number[] = [];
    const deadlines = new Deadlines<Item>((items) => due.push(...items.map((one) => one.name)));
    const items = Array.from({ length: 3_000 }, (_, name) => item(name));
    for (const delay of [900, 800, 700, 600]) {
      for (const one of items) deadlines.set(one, delay + (one.name % 50));
    }
    for (const one of items) if (one.name % 3 === 0) deadlines.clear(one);
    jest.advanceTimersByTime(2_000);
    expect(new Set(due).size).toBe(due.length);
    expect(due).toHaveLength(2_000);
  });

  it('do nothing after closing', () => {
    const due: number[] = [];
    const deadlines = new Deadlines<Item>((items) => due.push(...items.map((one) => one.name)));
    deadlines.set(item(1), 10);
    deadlines.close();
    deadlines.set(item(2), 10);
    jest.advanceTimersByTime(100);
    expect(due).toEqual([]);
  });
});
