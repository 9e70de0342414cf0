import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Schedule } from '../../../functions/local/schedule.ts';
import { until } from '../../support/until.ts';

describe('the schedule', () => {
  let server: Server;
  let url: string;
  let calls: string[];
  let under: number;
  let most: number;
  let answer: number | 'never';

  beforeEach(async () => {
    [calls, under, most, answer] = [[], 0, 0, 204];
    server = createServer((request, response) => {
      calls.push(`${request.method} ${request.headers['x-cloudscheduler-jobname']}`);
      under += 1;
      most = Math.max(most, under);
      response.once('close', () => {
        under -= 1;
      });
      const status = answer;
      if (status !== 'never') setTimeout(() => response.writeHead(status).end(), 30);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it('calls at once, again and again, and never twice at a time', async () => {
    const notes: string[] = [];
    const note = (_severity: string, message: string) => notes.push(message);
    const schedule = new Schedule({ name: 'upkeep', url, note, everyMs: 10 });
    schedule.start();
    await until(() => calls.length >= 4, { what: 'four calls' });
    schedule.stop();
    expect(most).toBe(1);
    expect(calls[0]).toBe('POST upkeep');
    expect(notes).toEqual([]);
  });

  it.each([
    [503 as const, 'answer 503'],
    ['never' as const, 'timeout'],
  ])('reports a failed call (%s) and goes on', async (given, why) => {
    answer = given;
    const notes: string[] = [];
    const note = (severity: string, message: string) => notes.push(`${severity} ${message}`);
    const schedule = new Schedule({ name: 'upkeep', url, note, everyMs: 10, deadlineMs: 100 });
    schedule.start();
    await until(() => calls.length >= 2, { what: 'the call after the failure' });
    schedule.stop();
    expect(notes[0]).toMatch(/^WARNING the scheduled call of upkeep failed/);
    expect(notes[0]).toContain(why);
  });
});
