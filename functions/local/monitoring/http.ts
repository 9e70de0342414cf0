import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Log } from '../../cloud/log.ts';
import type { Dashboard } from './dashboard.ts';
import { readJsonFiles } from './files.ts';
import type { AlertPolicy } from './policy.ts';
import type { SeriesStore } from './store.ts';
import { drawView, type View } from './view.ts';

export interface PageOptions {
  /** 0 for any free port. */
  readonly port: number;
  readonly store: SeriesStore;
  /** Has `dashboards` and `alerts`. */
  readonly infra: string;
  /** Unix time in milliseconds. */
  readonly nowMs: () => number;
  readonly log: Log;
}

const MINUTE_MS = 60_000;
const RANGES: Readonly<Record<string, number>> = {
  '15m': 15 * MINUTE_MS,
  '1h': 60 * MINUTE_MS,
  '6h': 360 * MINUTE_MS,
  '24h': 1_440 * MINUTE_MS,
};

const PAGE_FOLDER = join(import.meta.dirname, 'page');
const SCRIPT = 'text/javascript; charset=utf-8';
const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/page.css': ['page.css', 'text/css; charset=utf-8'],
  '/widgets.css': ['widgets.css', 'text/css; charset=utf-8'],
  ...Object.fromEntries(
    ['page.js', 'alerts.js', 'chart.js', 'dom.js', 'format.js', 'markdown.js'].map((name) => [
      `/${name}`,
      [name, SCRIPT],
    ]),
  ),
};

/** Labels come from whoever writes metrics: nothing on the page may run but its own files. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
} as const;

/** Starts the page with the dashboards, on the loopback interface only. */
export async function startPage(options: PageOptions): Promise<Server> {
  const server = createServer((request, response) => {
    answer(request, response, options).catch((error: unknown) => {
      options.log.error('page failed', { error });
      if (!response.headersSent) response.writeHead(500, HEADERS);
      response.end();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, '127.0.0.1', resolve);
  });
  return server;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: PageOptions,
): Promise<void> {
  const refuse = (code: number, text: string) => {
    response.writeHead(code, { ...HEADERS, 'content-type': 'text/plain; charset=utf-8' });
    response.end(`${text}\n`);
  };
  // Another site's name may point here; its pages must not read this one.
  if (!isLocalName(request.headers.host)) return refuse(403, 'Ask for it as localhost.');
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(405, 'GET only.');
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
  const file = Object.hasOwn(FILES, pathname) ? FILES[pathname] : undefined;
  if (file !== undefined) {
    const [name, type] = file;
    const content = await readFile(join(PAGE_FOLDER, name));
    response.writeHead(200, { ...HEADERS, 'content-type': type });
    response.end(request.method === 'HEAD' ? undefined : content);
    return;
  }
  if (pathname !== '/api/view') return refuse(404, 'There is no such page.');
  const range = searchParams.get('range') ?? '1h';
  const rangeMs = Object.hasOwn(RANGES, range) ? RANGES[range] : undefined;
  if (rangeMs === undefined)
    return refuse(400, `range is one of ${Object.keys(RANGES).join(', ')}`);
  const view = await readView(options, searchParams.get('dashboard') ?? undefined, rangeMs);
  response.writeHead(200, { ...HEADERS, 'content-type': 'application/json; charset=utf-8' });
  response.end(request.method === 'HEAD' ? undefined : JSON.stringify(view));
}

async function readView(
  { infra, store, nowMs }: PageOptions,
  dashboard: string | undefined,
  rangeMs: number,
): Promise<View> {
  const [dashboards, alerts] = await Promise.all([
    readJsonFiles<Dashboard>(join(infra, 'dashboards')),
    readJsonFiles<AlertPolicy>(join(infra, 'alerts')),
  ]);
  return drawView(dashboards, alerts, [...store.series()], { dashboard, rangeMs, nowMs: nowMs() });
}

function isLocalName(host = ''): boolean {
  return /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i.test(host);
}
