import { Poller } from '../../../functions/relay/poller.ts';
import { recordingLog } from '../../support/recording-log.ts';
import { until } from '../../support/until.ts';

describe('the poller', () => {
  it('lets the steps of the budget hold that are known, and goes on, while they cannot be read', async () => {
    const held: string[] = [];
    let readings = 0;
    let beats = 0;
    let turns = 0;
    const turnsAt: number[] = [];
    const { log, lines } = recordingLog();
    const poller = new Poller(
      {
        catchUp: async () => {
          turns += 1;
        },
        askAgain: () => undefined,
        heartbeat: async () => {
          beats += 1;
        },
        async readBudget() {
          readings += 1;
          if (readings === 2) throw new Error('away');
          turnsAt.push(turns);
          held.push(`reading ${readings}`);
        },
      },
      1,
      log,
    );
    await poller.start();
    expect(held).toEqual(['reading 1']);
    await until(() => held.length >= 2, { what: 'a reading after the one that failed' });
    await poller.stop();
    expect(held.slice(0, 2)).toEqual(['reading 1', 'reading 3']);
    // Each tenth time, but at once again where it failed.
    expect(turnsAt.slice(0, 2)).toEqual([1, 12]);
    expect(lines.map(([level, message]) => [level, message])).toEqual([
      ['warning', 'the steps of the budget could not be read'],
    ]);
    expect(beats).toBe(1);
  });

  it('neither asks for the budget nor forgets it where the changes log cannot be read', async () => {
    let asked = 0;
    const { log, lines } = recordingLog();
    const poller = new Poller(
      {
        catchUp: () => Promise.reject(new Error('away')),
        askAgain: () => undefined,
        heartbeat: async () => undefined,
        async readBudget() {
          asked += 1;
        },
      },
      60_000,
      log,
    );
    await poller.start();
    await poller.stop();
    expect(asked).toBe(0);
    expect(lines.map(([, message]) => message)).toEqual(['the changes log could not be read']);
  });
});
