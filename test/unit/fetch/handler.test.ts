import { writeNowhere } from '../../../functions/cloud/metrics/open.ts';
import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import { type Fetcher, fetchHandler } from '../../../functions/fetch/handler.ts';
import { countOf } from '../../support/metrics.ts';
import { silentLog } from '../../support/pubsub.ts';

/** Calls the handler as functions-framework does; gives the status and what was done. */
async function call(method: string, body: unknown, fail?: Error) {
  const done: string[] = [];
  const metrics = new Registry('fetch');
  const fetcher: Fetcher = {
    async plan() {
      if (fail !== undefined) throw fail;
      done.push('plan');
      return { introduced: 0, handedOut: 0 };
    },
    async work(sourceId) {
      if (fail !== undefined) throw fail;
      done.push(`work ${sourceId}`);
      return undefined;
    },
  };
  let status = 0;
  const response = {
    status(code: number) {
      status = code;
      return response;
    },
    json: () => response,
    once: () => response,
    end: () => response,
  };
  const handler = fetchHandler(async () => fetcher, silentLog, writeNowhere(metrics));
  await handler({ method, body, headers: {} } as never, response as never);
  const failed = countOf(metrics, 'fail_total', { reason: 'error' });
  return { status, done, failed };
}

const push = (attributes: Record<string, string>) => ({
  message: { data: 'MQ==', attributes, messageId: '1' },
  subscription: 's',
});

describe('the fetch function', () => {
  it('plans when the scheduler calls', async () => {
    expect(await call('POST', {})).toEqual({ status: 200, done: ['plan'], failed: 0 });
  });

  it('does the piece of work that a push names', async () => {
    const { status, done } = await call('POST', push({ source: '7' }));
    expect([status, done]).toEqual([204, ['work 7']]);
  });

  it.each([{}, { source: 'x' }, { source: '-1' }, { source: '1.5' }])(
    'acknowledges a push that names no source: %j',
    async (attributes) => {
      expect(await call('POST', push(attributes as Record<string, string>))).toEqual({
        status: 204,
        done: [],
        failed: 0,
      });
    },
  );

  it('wants the call again when our own side fails, and takes POST only', async () => {
    expect((await call('POST', push({ source: '7' }), new Error('away'))).status).toBe(503);
    expect((await call('POST', {}, new Error('away'))).status).toBe(503);
    expect((await call('GET', {})).status).toBe(405);
  });

  it('counts a call in which our own side failed', async () => {
    expect((await call('POST', {}, new Error('away'))).failed).toBe(1);
  });
});
