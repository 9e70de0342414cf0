import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import { Delivery } from '../../../functions/fetch/delivery.ts';
import { FetchMeter } from '../../../functions/fetch/meter.ts';
import { PASSED } from '../../../functions/policy/write-policy.ts';
import { quietJourney } from '../../support/journey.ts';
import { countOf } from '../../support/metrics.ts';
import { unsigned } from '../../support/unsigned.ts';

function deliveryOver(known: readonly string[], fail?: Error) {
  const published: { meta: object; text: string }[] = [];
  const metrics = new Registry('fetch');
  const delivery = new Delivery(
    {
      known: async () => new Set(known),
      publish: async (line) => {
        if (fail !== undefined) throw fail;
        published.push(line);
        return `message ${published.length}`;
      },
      policy: (event) => (event.content === 'no' ? { ok: false, reason: 'blocked: no' } : PASSED),
      nowMs: () => 5_000,
      journey: quietJourney,
      meter: new FetchMeter(metrics),
    },
    { id: 9, url: 'wss://relay.example/' },
    'run',
  );
  return { delivery, published, metrics };
}

describe('delivery', () => {
  it('publishes what is new, with the source in the meta', async () => {
    const [fresh, old] = [unsigned({ content: 'new' }), unsigned({ content: 'old' })];
    const { delivery, published, metrics } = deliveryOver([old.id]);
    await delivery.deliver([fresh, old]);
    expect(countOf(metrics, 'fetched_events_total', { result: 'new' })).toBe(1);
    expect(countOf(metrics, 'fetched_events_total', { result: 'known' })).toBe(1);
    expect(published).toMatchObject([
      { meta: { source: 'wss://relay.example/', sourceId: 9, acceptedAt: 5_000, keys: [] } },
    ]);
    expect(delivery.counts).toEqual({ events: 2, fresh: 1, unwanted: 0 });
  });

  it('leaves out what our own rules refuse, and ephemeral events', async () => {
    const { delivery, published, metrics } = deliveryOver([]);
    await delivery.deliver([unsigned({ content: 'no' }), unsigned({ kind: 20_001 })]);
    expect(published).toEqual([]);
    expect(delivery.counts.unwanted).toBe(2);
    expect(countOf(metrics, 'fetched_events_total', { result: 'unwanted' })).toBe(2);
  });

  it('fails where Pub/Sub does not take an event, so that nothing counts as fetched', async () => {
    const { delivery } = deliveryOver([], new Error('away'));
    await expect(delivery.deliver([unsigned()])).rejects.toThrow('away');
    expect(delivery.counts.fresh).toBe(0);
  });
});
