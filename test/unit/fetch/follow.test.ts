import type { Source } from '../../../functions/database/sources.ts';
import { type FollowPorts, follow } from '../../../functions/fetch/follow.ts';
import { silentLog } from '../../support/pubsub.ts';
import { until } from '../../support/until.ts';

const SOURCE = {
  id: 1,
  url: 'wss://relay.example/',
  state: 'active',
  direction: 'down',
  filters: [{}],
  auth: false,
} as unknown as Source;

it('following ends while no source is to be visited, and begins again afterwards', async () => {
  let wanted: readonly Source[] = [SOURCE];
  const open = new Set<AbortSignal>();
  let opened = 0;
  const stop = new AbortController();
  const ports = {
    list: async () => wanted,
    pause: () => new Promise<void>((resolve) => setImmediate(resolve)),
    // It hangs until the signal ends it, as a quiet relay does.
    connect: (_: Source, signal: AbortSignal) =>
      new Promise<never>((_resolve, reject) => {
        opened += 1;
        open.add(signal);
        signal.addEventListener('abort', () => {
          open.delete(signal);
          reject(new Error('ended'));
        });
      }),
    nowMs: () => 0,
    chance: () => 0.5,
    log: silentLog,
    meter: { invalid: () => undefined, received: () => undefined },
  } as unknown as FollowPorts;
  const limits = { sourcesMax: 10, overlapSeconds: 60, refreshMs: 1 };
  const following = follow(ports, limits, stop.signal);
  await until(() => open.size === 1, { what: 'the source to be followed' });
  wanted = [];
  await until(() => open.size === 0, { what: 'nothing to be followed' });
  wanted = [SOURCE];
  await until(() => open.size === 1, { what: 'the source to be followed again' });
  expect(opened).toBe(2);
  stop.abort();
  await following;
});
