import { PROBE_TOPIC } from '../../functions/upstream/walk-events.ts';
import { secretKeyOf } from '../support/keys.ts';
import { SocketClient } from '../support/socket-client.ts';
import { useSystem } from '../support/system.ts';
import { until } from '../support/until.ts';

describe('a probe of a running system', () => {
  const secret = Buffer.from(secretKeyOf('probe')).toString('hex');
  const system = useSystem({ env: { PROBE_SECRET_KEY: secret, PROBE_ANNOUNCE: 'on' } });

  it('goes well, announces what it measured, and leaves nothing else to read', async () => {
    const relay = await SocketClient.open(system().urls[0] ?? '');
    const [announced] = await until(
      async () => {
        const found = await relay.query({ kinds: [30_166] });
        return found.length > 0 ? found : undefined;
      },
      { timeoutMs: 30_000, what: 'the event of kind 30166' },
    );
    const times = new Map(announced?.tags.map(([name = '', value = '']) => [name, value]));
    for (const name of ['rtt-open', 'rtt-read', 'rtt-write']) {
      expect(Number(times.get(name))).toBeGreaterThanOrEqual(0);
    }
    const left = await relay.query({ '#t': [PROBE_TOPIC] });
    // The request for deletion stays, so that the event cannot come back.
    expect(left.map(({ kind }) => kind)).toEqual([5]);
    await relay.close();
  });
});
