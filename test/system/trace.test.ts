import pg from 'pg';
import type { NostrEvent } from '../../functions/nostr/event.ts';
import { runOperate } from '../support/run-operator.ts';
import { signedEvent } from '../support/signed-events.ts';
import { SocketClient } from '../support/socket-client.ts';
import { useSystem } from '../support/system.ts';
import { until } from '../support/until.ts';

/** Every event is followed: what the journey of one costs is measured elsewhere. */
const system = useSystem({ relays: 2, env: { LOG_TRACE_SAMPLE: '1' } });

const now = () => Math.floor(Date.now() / 1_000);
const operate = (...args: string[]) =>
  runOperate([...args, '--data', system().directory], { env: { USER: 'alice' } });

interface Traced {
  readonly state: string;
  readonly delayMs: number;
  readonly steps: readonly {
    readonly at: string;
    readonly step: string;
    readonly by: string;
    readonly detail: Readonly<Record<string, unknown>>;
  }[];
}
const trace = async ({ id }: NostrEvent) => (await operate('trace', id, '--json')).json() as Traced;

async function publish(event: NostrEvent) {
  const client = await SocketClient.open(system().urls[0] ?? '');
  const verdict = await client.publish(event);
  await client.close();
  return verdict;
}

/** A job of upkeep that runs once a minute is not waited for. */
async function callUpkeep(): Promise<void> {
  const response = await fetch(system().variable('UPKEEP_URL'), { method: 'POST' });
  await response.arrayBuffer();
}

describe('the journey of an event through a running system', () => {
  it('shows every step, in order, from every part', async () => {
    const event = signedEvent({ content: 'a journey', created_at: now() });
    expect(await publish(event)).toMatchObject({ accepted: true });
    const traced = await until(
      async () => {
        const found = await trace(event);
        const said = (what: string) => found.steps.filter(({ step }) => step === what).length;
        // By the database and by store; by both instances.
        return said('stored') === 2 && said('delivered') === 2 ? found : undefined;
      },
      { what: 'the whole journey' },
    );
    const { steps, delayMs } = traced;
    const at = (step: string, by: string) => {
      const found = steps.find((each) => each.step === step && each.by === by);
      if (found === undefined) throw new Error(`no step ${step} by ${by}`);
      return found;
    };
    const [messageId] = [at('published', 'relay-0').detail['messageId']];
    expect(messageId).toMatch(/^\d+$/);
    expect(at('received', 'relay-0').detail).toMatchObject({ policy: 'passed' });
    expect(at('answered', 'relay-0').detail).toMatchObject({ accepted: true });
    expect(at('stored', 'store').detail).toMatchObject({
      outcome: 'stored',
      attempt: 1,
      messageId,
    });
    expect(at('delivered', 'relay-1').detail).toMatchObject({ deliveries: 0 });
    const order = [
      at('received', 'relay-0'),
      at('published', 'relay-0'),
      at('stored', 'database'),
      at('delivered', 'relay-1'),
    ].map((each) => Date.parse(each.at));
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(Date.parse(at('accepted', 'database').at) + delayMs).toBe(
      Date.parse(at('stored', 'database').at),
    );
    expect(JSON.stringify(traced)).not.toContain('a journey');
  });

  it('ends among the dead letters where the database refuses it, and goes on by a replay', async () => {
    const pool = new pg.Pool({ connectionString: system().variable('DATABASE_URL') });
    try {
      await pool.query(
        "alter table events add constraint no_poison check (text not like '%poison%') not valid",
      );
      const event = signedEvent({ content: 'poison', created_at: now() });
      expect(await publish(event)).toMatchObject({ accepted: true });
      await until(
        async () => {
          await callUpkeep();
          return (await trace(event)).state === 'dead letter';
        },
        { what: 'the dead letter' },
      );
      expect((await trace(event)).steps).toContainEqual(
        expect.objectContaining({
          step: 'dead letter',
          detail: expect.objectContaining({ sqlstate: '23514' }),
        }),
      );
      expect((await operate('dead-letters', 'list')).stdout).toMatch(/^1 dead letters /);

      await pool.query('alter table events drop constraint no_poison');
      const replay = await operate('dead-letters', 'replay', event.id, '--why', 'dropped');
      expect(replay).toMatchObject({ code: 0, stdout: '1 letter replayed\n' });
      await until(async () => (await trace(event)).state === 'stored', { what: 'the event' });
      const said = (await trace(event)).steps.map(({ step }) => step);
      expect(said.slice(said.indexOf('dead letter'))).toEqual(
        expect.arrayContaining(['dead letter', 'replayed', 'stored']),
      );
    } finally {
      await pool.end();
    }
  });

  it('says why an event was refused', async () => {
    const event = signedEvent({ content: 'early', created_at: now() + 100_000 });
    expect(await publish(event)).toMatchObject({ accepted: false });
    const traced = await until(
      async () => {
        const found = await trace(event);
        return found.state === 'refused' ? found : undefined;
      },
      { what: 'the refusal' },
    );
    expect(traced.steps).toMatchObject([
      { step: 'received', by: 'relay-0', detail: { reason: expect.stringMatching(/^invalid: /) } },
    ]);
  });
});
