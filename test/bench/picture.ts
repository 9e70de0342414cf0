/**
 * Pictures of the local dashboards while a bench runs and store stands still for a while, so that
 * load, backlog and drain can be seen: `npm run bench:picture -- FOLDER`.
 */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { NostrEvent } from '../../functions/nostr/event.ts';
import { openBrowser } from '../support/browser.ts';
import { secretKeyOf } from '../support/keys.ts';
import { Life } from '../support/life.ts';
import { EventStream } from '../support/stream.ts';
import { startSystem } from '../support/system.ts';

const DASHBOARDS = ['overview', 'relay', 'pipeline', 'database'];
const CALM_MS = 60_000;
const STORE_STANDS_MS = 40_000;
const DRAIN_MS = 100_000;
const PER_SECOND = 60;

const folder = process.argv[2] ?? 'pictures';
mkdirSync(folder, { recursive: true });
const env = {
  METRICS_INTERVAL_SECONDS: '10',
  PROBE_SECRET_KEY: Buffer.from(secretKeyOf('picture')).toString('hex'),
};
const system = await startSystem({ relays: 2, env });
const accepted = new Map<string, NostrEvent>();
const life = new Life(7, accepted);
const [url = ''] = system.urls;
const stream = new EventStream({ url, source: () => life.next(), accepted, perSecond: PER_SECOND });
try {
  await pause(CALM_MS);
  const args = ['run', 'bench', '--', '--url', system.urls.join(','), '--phases'];
  const bench = spawn('npm', [...args, 'ingest,queries,fan-out'], { stdio: 'inherit' });
  const ended = new Promise((resolve) => bench.on('exit', resolve));
  await pause(3_000);
  system.kill('store', 'SIGSTOP');
  await pause(STORE_STANDS_MS);
  system.kill('store', 'SIGCONT');
  await ended;
  await pause(DRAIN_MS);
  const browser = await openBrowser();
  const page = await browser.newPage({ viewport: { width: 1500, height: 1300 } });
  for (const name of DASHBOARDS) {
    await page.goto(`${system.variable('DASHBOARDS_URL')}/#${name}/15m`);
    await page.reload();
    await page.locator('article').first().waitFor();
    await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  }
  await browser.close();
} finally {
  await stream.stop();
  await system.stop();
  await system.remove();
}
