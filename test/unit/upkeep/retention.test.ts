import { beforeOf, type Month, monthAt } from '../../../functions/database/months.ts';
import { type RetentionRules, retain } from '../../../functions/upkeep/retention.ts';

const NOW = Date.UTC(2026, 5, 15) / 1_000;
const never: RetentionRules = { days: 0, gigabytes: 0, kinds: [] };

/** Months January to June 2026, each of one gigabyte, with notes and reactions. */
function database(unfinished?: string) {
  const months = [1, 2, 3, 4, 5, 6].map((n) => monthAt(Date.UTC(2026, n - 1) / 1_000));
  const done: string[] = [];
  return {
    done,
    months: async () => months.filter(({ name }) => !done.includes(`drop ${name}`)),
    before: beforeOf,
    kindsOf: async () => [1, 7],
    bytes: async () => (6 - done.filter((line) => line.startsWith('drop y')).length) * 1e9,
    dropMonth: async ({ name }: Month) => {
      done.push(`drop ${name}`);
    },
    dropKinds: async ({ name }: Month, kinds: readonly number[]) => {
      done.push(`drop kinds ${kinds.join()} of ${name}`);
      return name !== unfinished;
    },
    emptyBefore: async () => {
      done.push('empty before');
    },
  };
}

const run = async (rules: Partial<RetentionRules>) => {
  const ports = database();
  await retain(ports, { ...never, ...rules }, NOW, new AbortController().signal);
  return ports.done;
};

describe('retain', () => {
  it('leaves everything where no rule is set', async () => {
    expect(await run({})).toEqual([]);
  });

  it('drops the months that ended too long ago, and what is older than all of them', async () => {
    // 60 days before 15 June is 16 April: March has ended by then, April has not.
    expect(await run({ days: 60 })).toEqual([
      'empty before',
      'drop y2026m01',
      'drop y2026m02',
      'drop y2026m03',
    ]);
  });

  it('keeps what lies before the first month while that may be young enough', async () => {
    expect(await run({ days: 3_650 })).toEqual([]);
  });

  it('takes kinds with a shorter life out of the times that are too old for them', async () => {
    const kinds = [{ fromKind: 5, toKind: 9, days: 90 }];
    // 90 days before is 17 March: January and February have ended by then.
    expect(await run({ kinds })).toEqual([
      'drop kinds 7 of before',
      'drop kinds 7 of y2026m01',
      'drop kinds 7 of y2026m02',
    ]);
  });

  it('does what has to leave whole before the kinds, whose turn may take several runs', async () => {
    const kinds = [{ fromKind: 7, toKind: 7, days: 10 }];
    const ports = database('y2026m03');
    const rules = { days: 100, gigabytes: 4, kinds };
    await retain(ports, rules, NOW, new AbortController().signal);
    expect(ports.done).toEqual([
      'empty before',
      'drop y2026m01',
      'drop y2026m02',
      'drop kinds 7 of before',
      'drop kinds 7 of y2026m03',
    ]);
  });

  it('drops the oldest months while the size is above the bound', async () => {
    expect(await run({ gigabytes: 4 })).toEqual(['empty before', 'drop y2026m01', 'drop y2026m02']);
  });

  it('never drops the month that is under way', async () => {
    expect(await run({ days: 1, gigabytes: 0 })).not.toContain('drop y2026m06');
  });
});
