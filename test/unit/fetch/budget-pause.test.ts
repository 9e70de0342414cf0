import type { BudgetStep } from '../../../functions/cloud/budget-step.ts';
import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import { BudgetPause } from '../../../functions/fetch/budget-pause.ts';
import { countOf } from '../../support/metrics.ts';
import { recordingLog } from '../../support/recording-log.ts';

describe('the pause of fetch', () => {
  it('holds while its step does, and is told in the log when it begins and ends', async () => {
    let steps: readonly BudgetStep[] = [];
    const metrics = new Registry('fetch');
    const { log, lines } = recordingLog();
    const pause = new BudgetPause({ read: async () => steps, metrics, log });
    expect(await pause.holds()).toBe(false);
    expect(countOf(metrics, 'budget_step', { step: 'fetch' })).toBeUndefined();
    steps = ['limits'];
    expect(await pause.holds()).toBe(false);
    expect(countOf(metrics, 'budget_step', { step: 'limits' })).toBe(1);
    expect(lines).toEqual([]);
    steps = ['fetch', 'limits'];
    expect([await pause.holds(), await pause.holds()]).toEqual([true, true]);
    expect(countOf(metrics, 'budget_step', { step: 'fetch' })).toBe(1);
    steps = [];
    expect(await pause.holds()).toBe(false);
    expect(countOf(metrics, 'budget_step', { step: 'fetch' })).toBe(0);
    expect(lines.map(([level, message]) => [level, message])).toEqual([
      ['warning', 'no relay is visited: the budget has fetch paused'],
      ['info', 'relays are visited again: the budget allows it'],
    ]);
  });
});
