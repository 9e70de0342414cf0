import { parseBudgetRules, reckonSteps } from '../../../functions/upkeep/budget-rules.ts';
import { parseUpkeepConfiguration } from '../../../functions/upkeep/configuration.ts';

const ENV = { DATABASE_URL: 'postgresql://a@b/c', GOOGLE_CLOUD_PROJECT: 'test-project' };
const spent = (cost: number, amount = 100) => ({
  cost,
  amount,
  currency: 'EUR',
  intervalStart: new Date(0),
  publishedAt: new Date(0),
});

describe('BUDGET_STEPS', () => {
  it('has fetch pause first and writing last where nobody says otherwise', () => {
    const parsed = parseUpkeepConfiguration(ENV);
    expect(parsed.ok && parsed.value.BUDGET_STEPS).toEqual([
      { share: 0.8, step: 'fetch' },
      { share: 0.9, step: 'limits' },
      { share: 1.2, step: 'read-only' },
    ]);
  });

  it('may be off', () => {
    const parsed = parseUpkeepConfiguration({ ...ENV, BUDGET_STEPS: 'off' });
    expect(parsed.ok && parsed.value.BUDGET_STEPS).toEqual([]);
  });

  it.each([
    ['0.8', 'no share of the budget and step'],
    ['fetch:0.8', 'no share of the budget and step'],
    ['0:fetch', 'no share of the budget and step'],
    ['-1:fetch', 'no share of the budget and step'],
    ['0.8:fetch,', 'no share of the budget and step'],
    ['0.8:sleep', 'names no step, there are fetch, limits, read-only'],
    ['0.8:fetch,0.9:fetch', 'fetch is given twice'],
  ])('is refused by name where it is %s', (BUDGET_STEPS, words) => {
    const parsed = parseUpkeepConfiguration({ ...ENV, BUDGET_STEPS });
    expect(parsed).toMatchObject({ ok: false, reason: expect.stringContaining(words) });
    expect(parsed).toMatchObject({ reason: expect.stringMatching(/^BUDGET_STEPS: given "/) });
  });
});

describe('the steps that follow', () => {
  const rules = parseBudgetRules('1.2:read-only, 0.8:fetch,1:limits');
  const follow = (cost: number, amount?: number) =>
    reckonSteps(rules.ok ? rules.value : [], spent(cost, amount));

  it('are those whose share is reached, in one order however they are written', () => {
    expect(follow(79.9)).toEqual([]);
    expect(follow(80)).toEqual(['fetch']);
    expect(follow(119)).toEqual(['fetch', 'limits']);
    expect(follow(500)).toEqual(['fetch', 'limits', 'read-only']);
    expect(follow(8, 10)).toEqual(['fetch']);
  });

  it('are none after credits, and while nobody has said what was spent', () => {
    expect(follow(-3)).toEqual([]);
    expect(reckonSteps(rules.ok ? rules.value : [], undefined)).toEqual([]);
  });
});
