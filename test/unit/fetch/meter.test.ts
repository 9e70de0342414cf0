import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import { FetchMeter, type Visit } from '../../../functions/fetch/meter.ts';
import { countOf, meanOf } from '../../support/metrics.ts';

const VISIT: Visit = {
  requests: 3,
  bytes: 1_000,
  invalid: 2,
  failure: undefined,
  failureCode: undefined,
};

function meter() {
  const metrics = new Registry('fetch');
  return { metrics, meter: new FetchMeter(metrics) };
}

describe('FetchMeter', () => {
  it('counts a visit that went well, with its cost and its time', () => {
    const { metrics, meter: fetch } = meter();
    fetch.visited(VISIT, 70);
    expect(countOf(metrics, 'success_total')).toBe(1);
    expect(countOf(metrics, 'fetch_requests_total')).toBe(3);
    expect(countOf(metrics, 'fetch_bytes_total')).toBe(1_000);
    expect(countOf(metrics, 'fetched_events_total', { result: 'invalid' })).toBe(2);
    expect(meanOf(metrics, 'process_duration')).toBe(70);
  });

  it.each([
    ['lost', 'unreachable'],
    ['forbidden', 'unreachable'],
    ['timeout', 'timeout'],
    ['unsupported', 'misbehaved'],
    ['refused', 'refused'],
    ['closed', 'error'],
    [undefined, 'error'],
  ] as const)('counts a visit that failed: %s as %s', (failureCode, reason) => {
    const { metrics, meter: fetch } = meter();
    fetch.visited({ ...VISIT, failure: 'so it was', failureCode }, 70);
    expect(countOf(metrics, 'success_total')).toBe(0);
    expect(countOf(metrics, 'fail_total', { reason })).toBe(1);
    expect(countOf(metrics, 'fetch_requests_total')).toBe(3);
  });

  it('says how many connections are open', async () => {
    const { metrics, meter: fetch } = meter();
    const { promise, resolve } = Promise.withResolvers<void>();
    fetch.opened(promise);
    fetch.opened(new Promise(() => undefined));
    expect(countOf(metrics, 'websocket_connections')).toBe(2);
    resolve();
    await promise;
    await Promise.resolve();
    expect(countOf(metrics, 'websocket_connections')).toBe(1);
  });
});
