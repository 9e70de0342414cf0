import { secretKeyOf, signEvent } from '../support/keys.ts';
import { SocketClient } from '../support/socket-client.ts';
import { useSystem } from '../support/system.ts';

describe('a relay whose read replica is away from the start', () => {
  const system = useSystem({
    env: { REPLICA_DATABASE_URL: 'postgres://127.0.0.1:1/none', WINDOW_EVENTS_MAX: '0' },
  });

  it('answers from the primary, and says so in its log', async () => {
    const client = await SocketClient.open(system().urls[0]!);
    const event = signEvent(
      { kind: 1, created_at: Math.floor(Date.now() / 1_000), content: 'here' },
      secretKeyOf('replica away'),
    );
    await client.store(event);
    expect(await client.query({ ids: [event.id] })).toMatchObject([{ id: event.id }]);
    expect(await client.query({ authors: [event.pubkey] })).toMatchObject([{ id: event.id }]);
    expect(system().log()).toContain('the read replica is away');
    await client.close();
  });
});
