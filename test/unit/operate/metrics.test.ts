import { METRIC_NAMES } from '../../../functions/cloud/metrics/catalogue.ts';
import { runOperate } from '../../support/run-operator.ts';

interface Printed {
  readonly metrics: readonly { readonly name: string; readonly series: number }[];
  readonly costs: readonly {
    readonly component: string;
    readonly series: number;
    readonly mebibytesAMonth: number;
    readonly dollarsAMonth: number;
  }[];
}

describe('distrise metrics', () => {
  it('lists every metric of the catalogue with the most series that a process has', async () => {
    const ran = await runOperate(['metrics', '--json']);
    const { metrics } = ran.json() as Printed;
    expect(ran.code).toBe(0);
    expect(metrics.map(({ name }) => name)).toEqual(METRIC_NAMES);
    // Six shapes and `other`, two places and `other`.
    expect(metrics.find(({ name }) => name === 'query_duration')?.series).toBe(21);
  });

  it('says what a process costs at most', async () => {
    const { costs } = (await runOperate(['metrics', '--json'])).json() as Printed;
    for (const { mebibytesAMonth, dollarsAMonth } of costs) {
      expect(dollarsAMonth).toBeCloseTo(mebibytesAMonth * 0.258, 6);
    }
    expect(costs.find(({ component }) => component === 'relay')?.dollarsAMonth).toBeLessThan(50);
  });

  it('prints both as tables for people', async () => {
    const { stdout } = await runOperate(['metrics']);
    expect(stdout).toMatch(/^METRIC {2,}KIND/);
    expect(stdout).toMatch(/^store_delay +distribution +ms +store +origin +3$/m);
    expect(stdout).toMatch(/^relay +\d+ +\d+\.\d +\d+\.\d\d$/m);
  });
});
