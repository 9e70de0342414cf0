import { openLog } from '../../../functions/cloud/log.ts';
import { writeNowhere } from '../../../functions/cloud/metrics/open.ts';
import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import { type Upkeep, upkeepHandler } from '../../../functions/upkeep/handler.ts';
import type { JobReport } from '../../../functions/upkeep/jobs.ts';
import { countOf } from '../../support/metrics.ts';

/** Calls the handler as functions-framework does. */
async function call(body: unknown, options: { method?: string; reports?: JobReport[] } = {}) {
  const done: unknown[][] = [];
  const logged: Record<string, unknown>[] = [];
  const upkeep: Upkeep = {
    async hearBudget(push) {
      done.push(['budget', push]);
    },
    async run() {
      done.push(['run']);
      return options.reports ?? [];
    },
    deadLetters: {
      async list(...args) {
        done.push(['list', ...args]);
        return { reasons: [], letters: [] };
      },
      async show(...args) {
        done.push(['show', ...args]);
        return [{ messageId: '1' }];
      },
      async replay(...args) {
        done.push(['replay', ...args]);
        return 3;
      },
      async discard(...args) {
        done.push(['discard', ...args]);
        throw new Error('the database is away');
      },
    },
  };
  const answer: { status?: number; json?: unknown } = {};
  const response = {
    status(code: number) {
      answer.status = code;
      return response;
    },
    json(value: unknown) {
      answer.json = value;
    },
    end() {},
  };
  const log = openLog(
    { level: 'info', format: 'json', component: 'upkeep' },
    { write: (line) => void logged.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const { method = 'POST' } = options;
  const request = { method, body, headers: {}, url: '/', httpVersion: '1.1' };
  const metrics = new Registry('upkeep');
  await upkeepHandler(
    async () => upkeep,
    log,
    writeNowhere(metrics),
  )(request as never, response as never);
  const failed = countOf(metrics, 'fail_total', { reason: 'error' });
  return { ...answer, done, logged, failed };
}

describe('the upkeep function', () => {
  it('does what is due when the scheduler calls, and fails where a job failed', async () => {
    expect(await call({})).toMatchObject({ status: 200, json: [], done: [['run']] });
    const reports: JobReport[] = [{ name: 'x', result: 'failed' }];
    expect(await call(undefined, { reports })).toMatchObject({ status: 500, json: reports });
    expect(await call({}, { method: 'GET' })).toMatchObject({ status: 405, done: [] });
  });

  it('hands a push on to the budget, and acknowledges it without a word', async () => {
    const push = { message: { data: 'e30=', messageId: '1' } };
    const answer = await call(push);
    expect(answer).toMatchObject({ status: 204, done: [['budget', push]] });
    expect(answer.json).toBeUndefined();
  });

  it('answers an operator about dead letters', async () => {
    expect(await call({ deadLetters: { action: 'list', sqlstate: '23514' } })).toMatchObject({
      status: 200,
      json: { letters: [] },
      done: [['list', { sqlstate: '23514' }, 100]],
    });
    expect(await call({ deadLetters: { action: 'show', id: '1' } })).toMatchObject({
      json: [{ messageId: '1' }],
    });
  });

  it('decides in the name of the operator, and says so in the log', async () => {
    const asked = { action: 'replay', by: 'alice', why: 'mended', kind: 1, limit: 5 };
    expect(await call({ deadLetters: asked })).toMatchObject({
      status: 200,
      json: { action: 'replay', letters: 3 },
      done: [['replay', { kind: 1 }, 5, { by: 'alice', why: 'mended' }]],
      logged: [
        {
          severity: 'WARNING',
          message: 'dead letters decided',
          action: 'replay',
          letters: 3,
          by: 'alice',
          why: 'mended',
          filter: { kind: 1 },
        },
      ],
    });
    const discard = { action: 'discard', by: 'alice', why: 'x', all: true };
    expect(await call({ deadLetters: discard })).toMatchObject({ status: 500, failed: 1 });
  });

  it('takes every letter only where that is said', async () => {
    const asked = { action: 'replay', by: 'alice', all: true };
    expect(await call({ deadLetters: asked })).toMatchObject({
      status: 200,
      done: [['replay', {}, 1_000, { by: 'alice', why: '' }]],
    });
  });

  it.each([
    ['neither filter nor all', { action: 'discard', by: 'alice', why: 'x' }],
    ['neither filter nor all', { action: 'replay', by: 'alice', limit: 5 }],
    ['all: false', { action: 'discard', by: 'alice', why: 'x', all: false }],
    ['an empty reason for a filter', { action: 'discard', by: 'alice', why: 'x', reason: '' }],
    ['a filter and no why', { action: 'discard', by: 'alice', kind: 1 }],
    ['a filter and an empty why', { action: 'discard', by: 'alice', kind: 1, why: ' ' }],
  ])('decides nothing for a call with %s: %j', async (_, deadLetters) => {
    const { status, json, done } = await call({ deadLetters });
    expect([status, done]).toEqual([400, []]);
    expect(json).toMatchObject({ error: expect.any(String) });
  });

  it.each([
    { action: 'replay' },
    { action: 'discard', by: ' ', kind: 1, why: 'x' },
    { action: 'burn', by: 'alice' },
    { action: 'list', kinds: 1 },
    { action: 'list', author: 'x' },
    'list',
  ])('refuses a call that it does not understand: %j', async (deadLetters) => {
    const { status, json, done } = await call({ deadLetters });
    expect([status, done]).toEqual([400, []]);
    expect(json).toMatchObject({ error: expect.any(String) });
  });
});
