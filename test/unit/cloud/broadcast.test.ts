import { openBroadcast } from '../../../functions/cloud/broadcast.ts';
import { openLog } from '../../../functions/cloud/log.ts';
import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import { openPubSub } from '../../../functions/cloud/pubsub.ts';
import { countOf } from '../../support/metrics.ts';
import { type Script, startScriptedPubSub } from '../../support/scripted-pubsub.ts';
import { until } from '../../support/until.ts';

const log = openLog(
  { level: 'error', format: 'json', component: 'test' },
  { write: () => undefined },
);

const open: (() => Promise<void>)[] = [];

async function follow(script: Script, onMessage: (data: string) => void = () => undefined) {
  const server = await startScriptedPubSub(script);
  const pubsub = openPubSub({ GOOGLE_CLOUD_PROJECT: 'demo', PUBSUB_EMULATOR_HOST: server.host });
  const breaks: string[] = [];
  const metrics = new Registry('relay');
  const broadcast = await openBroadcast({
    pubsub,
    topic: 'stored',
    subscription: 'instance-1',
    onMessage: (data) => onMessage(data.toString()),
    onBreak: (why) => breaks.push(why),
    log,
    metrics,
    keepAliveMs: 50,
  });
  open.push(async () => {
    await broadcast.close();
    server.close();
    await pubsub.close();
  });
  return { breaks, metrics };
}

afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

const message = (text: string, ackId: string) => ({
  receivedMessages: [{ ackId, message: { data: Buffer.from(text), attributes: {} } }],
});

describe('broadcast', () => {
  it('counts each stream that broke', async () => {
    let streams = 0;
    const { metrics } = await follow({
      pull(stream) {
        streams += 1;
        if (streams < 3) stream.end();
      },
    });
    expect(countOf(metrics, 'fast_lane_breaks_total')).toBe(0);
    await until(() => countOf(metrics, 'fast_lane_breaks_total') === 2, { what: 'two breaks' });
  });

  it('notices a server that answered once and then fell silent, and opens a new stream', async () => {
    let streams = 0;
    const { breaks } = await follow({
      pull(stream) {
        streams += 1;
        let answers = 2;
        stream.on('data', ({ subscription }) => {
          if (subscription || answers === 0) return;
          answers -= 1;
          stream.write({ receivedMessages: [] });
        });
      },
    });
    await until(() => streams === 2, { what: 'a second stream' });
    expect(breaks).toEqual(['stream ended: no sign of life']);
  });

  it('leaves a silent server alone that never answered', async () => {
    let questions = 0;
    let streams = 0;
    const { breaks } = await follow({
      pull(stream) {
        streams += 1;
        stream.on('data', ({ subscription }) => {
          if (!subscription) questions += 1;
        });
      },
    });
    await until(() => questions >= 5, { what: 'five questions' });
    expect(streams).toBe(1);
    expect(breaks).toEqual([]);
  });

  it('reports a stream that the server ends in order, and goes on with the next', async () => {
    const taken: string[] = [];
    let streams = 0;
    const { breaks } = await follow(
      {
        pull(stream) {
          streams += 1;
          stream.write(message(`from ${streams}`, `ack-${streams}`));
          if (streams === 1) stream.end();
        },
      },
      (text) => taken.push(text),
    );
    await until(() => taken.length === 2, { what: 'a message of the second stream' });
    expect(taken).toEqual(['from 1', 'from 2']);
    expect(breaks).toEqual(['stream ended: closed by Pub/Sub']);
  });

  it('acknowledges what was taken, also after signs of life', async () => {
    const acknowledged: string[] = [];
    await follow({
      pull(stream) {
        stream.write({ receivedMessages: [] });
        stream.write(message('a', 'ack-1'));
        stream.write(message('b', 'ack-2'));
      },
      acknowledged: (ackIds) => acknowledged.push(...ackIds),
    });
    await until(() => acknowledged.length === 2, { what: 'two acknowledgements' });
    expect(acknowledged).toEqual(['ack-1', 'ack-2']);
  });

  it('goes on after a message that its reader falls over, and reports it as a break', async () => {
    const taken: string[] = [];
    const { breaks } = await follow(
      {
        pull(stream) {
          stream.write(message('bad', 'ack-1'));
          stream.write(message('good', 'ack-2'));
        },
      },
      (text) => {
        if (text === 'bad') throw new Error('cannot read this');
        taken.push(text);
      },
    );
    await until(() => taken.length === 1, { what: 'the good message' });
    expect(breaks).toEqual(['a message could not be taken']);
  });
});
