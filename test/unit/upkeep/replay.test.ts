import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import type { BuriedMessage } from '../../../functions/database/dead-letters.ts';
import { type DeadMessage, replayDeadLetters } from '../../../functions/upkeep/replay.ts';
import { countOf } from '../../support/metrics.ts';

const letter = (n: number, attributes: Record<string, string>): DeadMessage => ({
  ackId: `ack-${n}`,
  messageId: `message-${n}`,
  data: Buffer.from(`data ${n}`),
  attributes,
});

function portsOver(letters: DeadMessage[], publishFails = false) {
  const published: { data: string; attributes: object }[] = [];
  const buried: BuriedMessage[] = [];
  const acknowledged: string[] = [];
  const metrics = new Registry('upkeep');
  return {
    published,
    buried,
    acknowledged,
    metrics,
    pull: async () => letters.splice(0, 2),
    publish: async (data: Buffer, attributes: Readonly<Record<string, string>>) => {
      if (publishFails) throw new Error('Pub/Sub is away');
      published.push({ data: data.toString(), attributes });
    },
    bury: async (messages: readonly BuriedMessage[]) => {
      buried.push(...messages);
    },
    acknowledge: async (ackIds: readonly string[]) => {
      acknowledged.push(...ackIds);
    },
  };
}

const bounds = { messagesMax: 100, signal: new AbortController().signal };

describe('replayDeadLetters', () => {
  it('publishes what an outage left behind once more, without the notes of Pub/Sub', async () => {
    const ports = portsOver([
      letter(1, { format: '1', CloudPubSubDeadLetterSourceDeliveryCount: '100' }),
    ]);
    expect(await replayDeadLetters(ports, bounds)).toEqual({ replayed: 1, buried: 0 });
    expect(ports.published).toEqual([{ data: 'data 1', attributes: { format: '1' } }]);
    expect(ports.acknowledged).toEqual(['ack-1']);
  });

  it('keeps what can never be stored for people, with reason and SQLSTATE', async () => {
    const ports = portsOver([letter(1, { format: '1', reason: 'refused', sqlstate: '22021' })]);
    expect(await replayDeadLetters(ports, bounds)).toEqual({ replayed: 0, buried: 1 });
    expect(ports.published).toEqual([]);
    expect(ports.buried[0]).toMatchObject({ reason: 'refused', sqlstate: '22021' });
    expect(ports.acknowledged).toEqual(['ack-1']);
  });

  it('acknowledges nothing whose copy is not safe', async () => {
    const ports = portsOver([letter(1, { format: '1' })], true);
    await expect(replayDeadLetters(ports, bounds)).rejects.toThrow('Pub/Sub is away');
    expect(ports.acknowledged).toEqual([]);
  });

  it('stops at its bound and leaves the rest for the next run', async () => {
    const letters = Array.from({ length: 10 }, (_, n) => letter(n, { format: '1' }));
    const ports = portsOver(letters);
    await replayDeadLetters(ports, { ...bounds, messagesMax: 4 });
    expect(ports.published).toHaveLength(4);
    expect(letters).toHaveLength(6);
  });

  it('counts what it replayed and what it kept for people', async () => {
    const hopeless = letter(3, { format: '1', reason: 'refused' });
    const ports = portsOver([letter(1, { format: '1' }), letter(2, { format: '1' }), hopeless]);
    await replayDeadLetters(ports, bounds);
    expect(countOf(ports.metrics, 'dead_letters_total', { action: 'replayed' })).toBe(2);
    expect(countOf(ports.metrics, 'dead_letters_total', { action: 'kept' })).toBe(1);
  });
});
