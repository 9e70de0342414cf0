import { rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import type { View } from '../../../../functions/local/monitoring/view.ts';
import { writeSampleInfra } from '../../../support/monitoring/sample-infra.ts';
import { openTestMonitoring, type TestMonitoring } from '../../../support/monitoring/server.ts';
import { gauge, metric, PROJECT } from '../../../support/monitoring/wire-series.ts';

const NOW = Date.UTC(2026, 10, 25, 12);

let infra: string;
let monitoring: TestMonitoring;
beforeAll(async () => {
  infra = writeSampleInfra();
  monitoring = await openTestMonitoring(() => NOW, infra);
});
afterAll(async () => {
  await monitoring.close();
  rmSync(infra, { recursive: true, force: true });
});

interface Answer {
  readonly code: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** By node:http, since fetch would not send another Host. */
function ask(path: string, { method = 'GET', host = 'localhost' } = {}): Promise<Answer> {
  const { pagePort: port } = monitoring.server;
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: '127.0.0.1', port, path, method, headers: { host } },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
        });
        response.on('end', () =>
          resolve({ code: response.statusCode ?? 0, headers: response.headers, text }),
        );
      },
    );
    asked.on('error', reject).end();
  });
}

const view = async (query: string) => JSON.parse((await ask(`/api/view?${query}`)).text) as View;

describe('the page over HTTP', () => {
  it.each([
    ['/', 'text/html'],
    ['/page.js', 'text/javascript'],
    ['/chart.js', 'text/javascript'],
    ['/dom.js', 'text/javascript'],
    ['/alerts.js', 'text/javascript'],
    ['/format.js', 'text/javascript'],
    ['/markdown.js', 'text/javascript'],
    ['/page.css', 'text/css'],
    ['/widgets.css', 'text/css'],
    ['/api/view', 'application/json'],
  ])('serves %s', async (path, type) => {
    const { code, headers, text } = await ask(path);
    expect([code, headers['content-type']]).toEqual([200, expect.stringContaining(type)]);
    expect(text.length).toBeGreaterThan(200);
  });

  it('lets nothing run but its own files', async () => {
    const { headers, text } = await ask('/');
    const policy = headers['content-security-policy'];
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toContain('unsafe');
    expect(text).not.toMatch(/<script(?![^>]* src=)| style=| on[a-z]+=/);
  });

  it('answers to no name but that of this machine', async () => {
    const port = monitoring.server.pagePort;
    for (const host of ['localhost', `localhost:${port}`, `127.0.0.1:${port}`, '[::1]']) {
      expect((await ask('/api/view', { host })).code).toBe(200);
    }
    for (const host of ['evil.example', 'localhost.evil.example', `evil.example:${port}`]) {
      expect((await ask('/api/view', { host })).code).toBe(403);
    }
  });

  it.each(['/page.css/../main.ts', '/main.ts', '/constructor', '/api', '/%2e%2e/main.ts'])(
    'has no %s',
    async (path) => {
      expect((await ask(path)).code).toBe(404);
    },
  );

  it('changes nothing', async () => {
    expect((await ask('/', { method: 'POST' })).code).toBe(405);
    expect((await ask('/', { method: 'HEAD' })).text).toBe('');
  });

  it('knows the ranges that the page offers, and no others', async () => {
    for (const [range, minutes] of Object.entries({
      '15m': 15,
      '1h': 60,
      '6h': 360,
      '24h': 1440,
    })) {
      expect((await view(`range=${range}`)).rangeMs).toBe(minutes * 60_000);
    }
    expect((await ask('/api/view?range=1y')).code).toBe(400);
    expect((await ask('/api/view?range=constructor')).code).toBe(400);
  });
});

describe('what the page shows', () => {
  it('is the dashboard that was asked for, else the first', async () => {
    expect((await view('dashboard=second')).dashboard?.id).toBe('second');
    expect((await view('')).dashboard?.id).toBe('sample');
    expect((await view('dashboard=../../etc/passwd')).dashboard?.id).toBe('sample');
  });

  it('is what was written last', async () => {
    const card = async () => {
      const tiles = (await view('range=15m')).dashboard?.tiles ?? [];
      return tiles.find(({ title }) => title.startsWith('How many wait'))?.widget;
    };
    expect(await card()).toMatchObject({ kind: 'scorecard', level: 'none' });
    for (const [ms, value] of [
      [60_000, 6],
      [0, 12],
    ] as const) {
      const series = gauge(value, NOW - ms, { type: metric('waiting') });
      expect(monitoring.server.store.write([series], PROJECT, NOW)).toEqual([]);
    }
    expect(await card()).toMatchObject({ value: 12, level: 'red', unit: '{event}' });
  });

  it('names a file that is no JSON, and shows the rest', async () => {
    const path = join(infra, 'dashboards', 'broken.json');
    writeFileSync(path, '{"displayName": ');
    const { faults, dashboards } = await view('');
    rmSync(path);
    expect(faults).toEqual([expect.stringMatching(/^broken\.json: /)]);
    expect(dashboards.map(({ id }) => id)).toEqual(['sample', 'second']);
  });

  it('says of an alert that it cannot evaluate why', async () => {
    const path = join(infra, 'alerts', 'odd.json');
    const conditions = [{ conditionSql: { query: 'SELECT 1' } }];
    writeFileSync(path, JSON.stringify({ displayName: 'Odd', conditions }));
    const { alerts } = await view('');
    rmSync(path);
    expect(alerts.find(({ id }) => id === 'odd')).toMatchObject({
      state: 'fault',
      fault: 'The condition conditionSql is not known here.',
    });
  });
});
