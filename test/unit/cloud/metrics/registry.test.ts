import { Registry, type SeriesSnapshot } from '../../../../functions/cloud/metrics/registry.ts';

const find = (registry: Registry, name: string): readonly SeriesSnapshot[] =>
  registry.snapshot().filter((series) => series.name === name);

describe('the registry of metrics', () => {
  it('gives the same series for the same labels, and marks each with its component', () => {
    const registry = new Registry('relay');
    registry.counter('fail_total', { reason: 'invalid' }).add();
    registry.counter('fail_total', { reason: 'invalid' }).add(2);
    registry.counter('fail_total', { reason: 'blocked' }).add();
    expect(find(registry, 'fail_total')).toEqual([
      { name: 'fail_total', labels: { component: 'relay', reason: 'invalid' }, value: 3 },
      { name: 'fail_total', labels: { component: 'relay', reason: 'blocked' }, value: 1 },
    ]);
  });

  it('writes a label value that the catalogue does not allow as other, and counts it', () => {
    const registry = new Registry('relay');
    const label = (text: string) => ({ reason: text as 'invalid' });
    for (const text of ['npub1someone', 'a'.repeat(10_000)]) {
      registry.counter('fail_total', label(text)).add();
    }
    expect(find(registry, 'fail_total')).toEqual([
      { name: 'fail_total', labels: { component: 'relay', reason: 'other' }, value: 2 },
    ]);
    expect(find(registry, 'label_faults_total')[0]?.value).toBe(2);
  });

  it('writes a value that only another component may write as other', () => {
    const registry = new Registry('store');
    registry.counter('fail_total', { reason: 'poison' }).add();
    registry.counter('fail_total', { reason: 'rate-limited' }).add();
    expect(find(registry, 'fail_total').map(({ labels }) => labels['reason'])).toEqual([
      'poison',
      'other',
    ]);
  });

  it('does not grow by what the catalogue does not allow', () => {
    const registry = new Registry('relay');
    for (let n = 0; n < 1_000; n += 1) {
      registry.counter('fail_total', { reason: `nonsense ${n}` as 'invalid' }).add();
    }
    expect(registry.size).toBe(2);
  });

  it('lets no counter fall', () => {
    const registry = new Registry('relay');
    const sent = registry.counter('sent_bytes_total', {});
    for (const by of [100, -40, Number.NaN]) sent.add(by);
    expect(find(registry, 'sent_bytes_total')[0]?.value).toBe(100);
  });

  it('writes a gauge once for each time that it was set', () => {
    const registry = new Registry('fetch');
    registry.gauge('fetch_coverage', { statistic: 'lowest' }).set(0.992);
    expect(find(registry, 'fetch_coverage')).toMatchObject([{ value: 0.992 }]);
    expect(find(registry, 'fetch_coverage')).toEqual([]);
  });

  it('reads a watched gauge each time, and leaves out what cannot be read', () => {
    const registry = new Registry('relay');
    let connections = 3;
    registry.watch('websocket_connections', {}, () => connections);
    registry.watch('pending_age', {}, () => {
      throw new Error('not now');
    });
    expect(find(registry, 'websocket_connections')).toMatchObject([{ value: 3 }]);
    connections = 4;
    expect(find(registry, 'websocket_connections')).toMatchObject([{ value: 4 }]);
    expect(find(registry, 'pending_age')).toEqual([]);
  });

  it('keeps what was taken as it was, whatever is counted later', () => {
    const registry = new Registry('store');
    const delay = registry.distribution('store_delay', { origin: 'client' });
    delay.record(5);
    const [taken] = find(registry, 'store_delay');
    delay.record(5);
    expect(taken?.value).toMatchObject({ count: 1 });
  });
});
