import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as functions from '@google-cloud/functions-framework';
import { getTestServer } from '@google-cloud/functions-framework/testing';
import { openLog } from '../../../functions/cloud/log.ts';
import { writeNowhere } from '../../../functions/cloud/metrics/open.ts';
import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import { loadVerifier } from '../../../functions/nostr/verify.ts';
import { storeHandler } from '../../../functions/store/handler.ts';
import { StoreMeter } from '../../../functions/store/meter.ts';
import type { StorePorts } from '../../../functions/store/store.ts';
import { quietJourney } from '../../support/journey.ts';
import { countOf } from '../../support/metrics.ts';

const log = openLog(
  { level: 'error', format: 'json', component: 'test' },
  { write: () => undefined },
);

const metrics = new Registry('store');
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

async function serve(open: () => Promise<StorePorts>): Promise<() => Promise<number>> {
  const name = `handler-${Math.random().toString(36).slice(2)}`;
  functions.http(name, storeHandler(open, log, writeNowhere(metrics)));
  const server = getTestServer(name);
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return async () => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      headers,
      body: '{}',
    });
    await response.arrayBuffer();
    return response.status;
  };
}

async function ports(): Promise<StorePorts> {
  return {
    write: () => Promise.reject(new Error('not asked here')),
    announce: async () => undefined,
    bury: async () => undefined,
    verifier: await loadVerifier(),
    limits: { eventBytesMax: 1_000 },
    nowMs: () => 0,
    journey: quietJourney,
    log,
    meter: new StoreMeter(metrics),
  };
}

describe('storeHandler', () => {
  it('opens what it needs at the first request, and once', async () => {
    let opened = 0;
    const post = await serve(() => {
      opened += 1;
      return ports();
    });
    expect(opened).toBe(0);
    expect(await Promise.all([post(), post(), post()])).toEqual([204, 204, 204]);
    expect(opened).toBe(1);
  });

  it('has the message delivered again while opening fails, and tries anew each time', async () => {
    let opened = 0;
    const post = await serve(async () => {
      opened += 1;
      if (opened < 3) throw new Error('no certificate');
      return ports();
    });
    expect([await post(), await post(), await post()]).toEqual([503, 503, 204]);
  });

  it('answers 503 whatever falls over inside it', async () => {
    const post = await serve(async () => {
      const sound = await ports();
      return {
        ...sound,
        nowMs() {
          throw new TypeError('a clock that breaks');
        },
      };
    });
    expect(await post()).toBe(503);
    expect(await post()).toBe(503);
  });

  it('counts a call that it could not even begin', async () => {
    const before = countOf(metrics, 'fail_total', { reason: 'error' }) ?? 0;
    const post = await serve(() => Promise.reject(new Error('no credentials')));
    expect(await post()).toBe(503);
    expect(countOf(metrics, 'fail_total', { reason: 'error' })).toBe(before + 1);
  });
});
