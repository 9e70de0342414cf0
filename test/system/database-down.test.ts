import type { NostrEvent } from '../../functions/nostr/event.ts';
import { expectServed } from '../support/expect-served.ts';
import { secretKeyOf, signEvent } from '../support/keys.ts';
import { signalTree } from '../support/signal-tree.ts';
import { SocketClient } from '../support/socket-client.ts';
import { useSystem } from '../support/system.ts';
import { until } from '../support/until.ts';

const EVENTS = 50;
/** A statement's own time limit, and some. */
const REFUSAL_TIMEOUT_MS = 15_000;
const DRAIN_TIMEOUT_MS = 30_000;

describe('a database that answers nothing', () => {
  // So small a window that it is complete for next to nothing.
  const system = useSystem({ relays: 2, env: { WINDOW_EVENTS_MAX: '10' } });

  it(
    'costs no event: EVENT gets OK true, REQ a reason, and all is stored when it is back',
    async () => {
      const [first = '', second = ''] = system().urls;
      const secret = secretKeyOf('outage');
      const now = Math.floor(Date.now() / 1000);
      const make = (content: string, age: number): NostrEvent =>
        signEvent({ kind: 1, created_at: now - age, content }, secret);
      const accepted: NostrEvent[] = [];
      const client = await SocketClient.open(first);
      for (let count = 0; count < EVENTS; count += 1) {
        const event = make(`before ${count}`, 1_000 + count);
        await client.store(event);
        accepted.push(event);
      }
      await expectServed(second, accepted, DRAIN_TIMEOUT_MS);
      const postgres = system().pid('postgres');
      if (postgres === undefined) throw new Error('no database to stop');
      signalTree(postgres, 'SIGSTOP');
      try {
        const refused = await client.collect({ kinds: [1], limit: 40 }, REFUSAL_TIMEOUT_MS);
        expect(refused.closed).toMatch(/^error: /);
        for (let count = 0; count < EVENTS; count += 1) {
          const event = make(`during ${count}`, count);
          await client.store(event);
          accepted.push(event);
        }
        // What the window and the pending events answer completely needs no database.
        const newest = accepted.at(-1);
        expect(await client.query({ ids: [newest?.id ?? ''] })).toEqual([newest]);
      } finally {
        signalTree(postgres, 'SIGCONT');
      }
      await expectServed(first, accepted, DRAIN_TIMEOUT_MS);
      await expectServed(second, accepted, DRAIN_TIMEOUT_MS);
      await client.close();
    },
    REFUSAL_TIMEOUT_MS + 3 * DRAIN_TIMEOUT_MS,
  );

  it(
    'may die as often as it likes meanwhile',
    async () => {
      const [first = '', second = ''] = system().urls;
      const secret = secretKeyOf('dying');
      const created_at = Math.floor(Date.now() / 1000);
      const client = await SocketClient.open(first);
      const accepted: NostrEvent[] = [];
      for (let death = 0; death < 3; death += 1) {
        const killed = system().kill('postgres');
        for (let count = 0; count < EVENTS; count += 1) {
          const content = `death ${death}, event ${count}`;
          const event = signEvent({ kind: 1, created_at, content }, secret);
          await client.store(event);
          accepted.push(event);
        }
        await until(() => ![undefined, killed].includes(system().pid('postgres')), {
          what: 'the database to be started again',
        });
      }
      await expectServed(first, accepted, DRAIN_TIMEOUT_MS);
      await expectServed(second, accepted, DRAIN_TIMEOUT_MS);
      await client.close();
    },
    4 * DRAIN_TIMEOUT_MS,
  );
});
