import type { MetricServiceClient } from '@google-cloud/monitoring';
import { METRIC_PREFIX, type MetricName } from '../../functions/cloud/metrics/catalogue.ts';
import { publicKeyOf, secretKeyOf, signEvent } from '../support/keys.ts';
import { openMetricClient } from '../support/monitoring/server.ts';
import { SocketClient } from '../support/socket-client.ts';
import { useSystem } from '../support/system.ts';
import { until } from '../support/until.ts';

const EVENTS = 5;
/** A process writes within its interval after the start; a function at the first call after it. */
const WRITTEN_MS = 60_000;

/** A running system, and what its local Cloud Monitoring was told. */
function useMeasured(intervalSeconds: number) {
  const system = useSystem({ env: { METRICS_INTERVAL_SECONDS: String(intervalSeconds) } });
  let client: MetricServiceClient;
  beforeAll(() => {
    const port = Number(system().variable('MONITORING_EMULATOR_HOST').split(':').at(-1));
    client = openMetricClient(port);
  });
  afterAll(() => client.close());

  /** The newest point of each series of a metric, by its labels. */
  async function points(name: MetricName, component: string) {
    const seconds = Math.floor(Date.now() / 1_000);
    const filter = `metric.type="${METRIC_PREFIX}${name}" AND metric.label."component"="${component}"`;
    const [series] = await client
      .listTimeSeries({
        name: `projects/${system().variable('GOOGLE_CLOUD_PROJECT')}`,
        filter,
        interval: { startTime: { seconds: seconds - 3_600 }, endTime: { seconds: seconds + 60 } },
        view: 'FULL',
      })
      .catch(() => [[]] as never);
    return series.map(({ metric, resource, points: found }) => ({
      labels: metric?.labels ?? {},
      job: resource?.labels?.['job'],
      value: found?.[0]?.value ?? {},
    }));
  }

  const publish = async (relay: SocketClient, content: string): Promise<void> => {
    const created_at = Math.floor(Date.now() / 1_000);
    await relay.store(signEvent({ kind: 1, created_at, content }, secretKeyOf('metrics')));
  };

  return { system, points, publish };
}

describe('the metrics of a running system', () => {
  const { system, points, publish } = useMeasured(10);

  it(
    'reach Cloud Monitoring from relay and store, and count what was published',
    async () => {
      const relay = await SocketClient.open(system().urls[0] ?? '');
      for (let n = 0; n < EVENTS; n += 1) await publish(relay, `event ${n}`);
      await until(
        async () => {
          const [relayed] = await points('success_total', 'relay');
          return Number(relayed?.value.int64Value ?? 0) >= EVENTS;
        },
        { timeoutMs: WRITTEN_MS, what: 'the count of the relay' },
      );
      const [delay] = await until(
        async () => {
          // Store has no timer: what it counted is written with a later call.
          await publish(relay, `another ${Date.now()}`);
          const found = await points('store_delay', 'store');
          const count = Number(found[0]?.value.distributionValue?.count ?? 0);
          return count >= EVENTS ? found : undefined;
        },
        { timeoutMs: WRITTEN_MS, what: 'the delays of store' },
      );
      expect(delay).toMatchObject({ job: 'store', labels: { origin: 'client' } });
      const outcomes = await points('events_total', 'relay');
      expect(outcomes.map(({ labels }) => labels)).toContainEqual({
        component: 'relay',
        kind_class: 'regular',
        outcome: 'accepted',
      });
      await relay.close();
    },
    3 * WRITTEN_MS,
  );

  it(
    'come from the scheduled functions with each call',
    async () => {
      for (const [name, component] of [
        ['partitions', 'upkeep'],
        ['fetch_sources', 'fetch'],
      ] as const) {
        await until(async () => (await points(name, component)).length > 0, {
          timeoutMs: 2 * WRITTEN_MS,
          what: `${name} of ${component}`,
        });
      }
    },
    4 * WRITTEN_MS,
  );
});

describe('a process that is told to stop', () => {
  const { system, points, publish } = useMeasured(600);

  it.each([
    ['relay-0', 'relay', 'success_total'],
    ['store', 'store', 'message_events'],
  ] as const)(
    'writes what %s has counted, long before its time',
    async (part, component, name) => {
      const relay = await SocketClient.open(system().urls[0] ?? '');
      await publish(relay, `before the stop of ${part}`);
      await until(
        async () =>
          (await relay.query({ authors: [publicKeyOf(secretKeyOf('metrics'))] })).length > 0,
        { what: 'the event' },
      );
      expect(await points(name, component)).toEqual([]);
      system().kill(part, 'SIGTERM');
      await until(async () => (await points(name, component)).length > 0, {
        what: `${name} of ${component}`,
      });
      await relay.close();
      await system().ready();
    },
    WRITTEN_MS,
  );
});
