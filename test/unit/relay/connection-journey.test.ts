import { secretKeyOf, signEvent } from '../../support/keys.ts';
import { startServer, type TestServer } from '../../support/relay-server.ts';
import { until } from '../../support/until.ts';

const KEY = secretKeyOf('connection journey');
const CONTENT = 'my-private-words';
const ID = '4bf92f3577b34da6a3ce929d0e0e4736';
let count = 0;
const note = (kind = 1) => {
  count += 1;
  const created_at = Math.floor(Date.now() / 1_000);
  return signEvent({ kind, created_at, tags: [['n', `${count}`]], content: CONTENT }, KEY);
};

const servers: TestServer[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())));

/** Publishes one event; gives what the log says of its steps. */
async function stepsOf(event: object, sample: string, headers?: Record<string, string>) {
  const relay = await startServer({ LOG_TRACE_SAMPLE: sample, RELAY_KINDS_DENIED: '4' });
  servers.push(relay);
  const wire = await relay.connect(headers);
  wire.send(['EVENT', event]);
  await wire.next('OK', (event as { id: string }).id);
  const steps = () =>
    relay.logged
      .map(({ fields }) => fields as Record<string, unknown>)
      .filter(({ step }) => step !== undefined);
  return { relay, steps };
}

describe('the journey of an event at its socket', () => {
  it('begins with what was received and ends with the answer, never with content', async () => {
    const event = note();
    const traceparent = `00-${ID}-00f067aa0ba902b7-01`;
    const { relay, steps } = await stepsOf(event, '1', { traceparent });
    await until(() => steps().length === 2, { what: 'both lines' });
    const common = {
      event: event.id,
      trace: event.id.slice(0, 32),
      connectionId: expect.stringMatching(/^[0-9a-f]{16}$/),
      connectionTrace: ID,
    };
    expect(steps()).toMatchObject([
      { ...common, step: 'received', policy: 'passed', kind: 1 },
      { ...common, step: 'answered', accepted: true, tookMs: expect.any(Number) },
    ]);
    expect(JSON.stringify(relay.logged)).not.toContain(CONTENT);
  });

  it('is not logged for events that are not followed', async () => {
    const { steps } = await stepsOf(note(), '0');
    expect(steps()).toEqual([]);
  });

  it('is logged where it ends at once, whether followed or not', async () => {
    const event = note(4);
    const { steps } = await stepsOf(event, '0');
    expect(steps()).toMatchObject([
      {
        event: event.id,
        step: 'received',
        policy: 'refused',
        reason: expect.stringMatching(/^blocked: /),
      },
    ]);
  });

  it('leaves the trace of the request to the connection’s own lines', async () => {
    const { relay } = await stepsOf(note(), '0', { 'x-cloud-trace-context': `${ID}/1;o=1` });
    const [line] = relay.logged.filter(({ message }) => message === 'client connects');
    expect(line?.fields).toMatchObject({
      trace: { id: ID, spanId: '0000000000000001', sampled: true },
      httpRequest: { requestMethod: 'GET', requestUrl: '/', status: 101 },
    });
  });
});
