import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import {
  COMPONENTS,
  type Component,
  definitionOf,
  labelValues,
  METRIC_NAMES,
  type MetricName,
} from '../../functions/cloud/metrics/catalogue.ts';
import { callsOf } from '../../functions/cloud/metrics/points.ts';
import { Registry } from '../../functions/cloud/metrics/registry.ts';
import type { WireTimeSeries } from '../../functions/local/monitoring/wire.ts';
import { openBrowser } from '../support/browser.ts';
import { writeSampleInfra } from '../support/monitoring/sample-infra.ts';
import { openTestMonitoring, type TestMonitoring } from '../support/monitoring/server.ts';
import {
  counter,
  distribution,
  gauge,
  metric,
  PROJECT,
} from '../support/monitoring/wire-series.ts';

/** The page with the dashboards in a real browser, on what Google's own client wrote. */

const HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>';
const NOW = Date.now();
const MINUTE = 60_000;
const pictures = process.env['PICTURES'] ?? join(tmpdir(), 'distrise-pictures');

let browser: Browser;
const complaints: string[] = [];

/** A page whose every complaint is kept. */
async function openPage({ server }: TestMonitoring): Promise<Page> {
  const opened = await browser.newPage({ viewport: { width: 1500, height: 1300 } });
  opened.on('console', (message) => {
    if (message.type() !== 'log') complaints.push(message.text());
  });
  opened.on('pageerror', (error) => complaints.push(error.message));
  opened.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await opened.goto(`http://localhost:${server.pagePort}/`);
  await opened.locator('article').first().waitFor();
  return opened;
}

beforeAll(async () => {
  mkdirSync(pictures, { recursive: true });
  browser = await openBrowser();
}, 60_000);
afterAll(async () => {
  await browser?.close();
});
beforeEach(() => {
  complaints.length = 0;
});
afterEach(() => {
  expect(complaints).toEqual([]);
});

/** Twelve minutes of life: a burst in the middle, and a queue that stays long. */
async function feed({ client }: TestMonitoring): Promise<void> {
  const startMs = NOW - 12 * MINUTE;
  const fails = { refused: 0, [HOSTILE]: 0 };
  const counts = [0, 0, 0, 0];
  for (let endMs = startMs + 15_000; endMs <= NOW; endMs += 15_000) {
    const burst = endMs > NOW - 8 * MINUTE && endMs < NOW - 5 * MINUTE ? 5 : 1;
    fails.refused += 10 * burst;
    fails[HOSTILE] += 4;
    counts[burst === 5 ? 2 : 1]! += 20;
    const interval = [startMs, endMs] as const;
    const timeSeries: WireTimeSeries[] = [
      gauge(20 + burst, endMs, { type: metric('waiting') }),
      gauge(7, endMs, { type: metric('open') }),
      distribution({ bounds: [10, 50, 100], counts: [...counts] }, interval, {
        type: metric('duration'),
      }),
      ...Object.entries(fails).map(([reason, value]) =>
        counter(value, interval, { type: metric('fails'), labels: { reason } }),
      ),
    ];
    const request = { name: `projects/${PROJECT}`, timeSeries };
    await client.createTimeSeries(
      request as unknown as Parameters<typeof client.createTimeSeries>[0],
    );
  }
}

/** Every metric of the catalogue and every value of each label, for twelve minutes. */
async function feedCatalogue({ client }: TestMonitoring): Promise<void> {
  const startMs = NOW - 12 * MINUTE;
  for (const component of COMPONENTS) {
    const registry = new Registry(component);
    const identity = {
      project: PROJECT,
      location: 'global',
      namespace: 'distrise',
      job: component,
      task: `${component}-1`,
    };
    const names = METRIC_NAMES.filter((name) => definitionOf(name).components.includes(component));
    for (let endMs = startMs + 30_000; endMs <= NOW; endMs += 30_000) {
      for (const name of names) countOne(registry, component, name, endMs / 30_000);
      const series = registry.snapshot().map((each) => ({ ...each, startMs }));
      for (const timeSeries of callsOf(series, identity, endMs)) {
        await client.createTimeSeries({ name: `projects/${PROJECT}`, timeSeries: [...timeSeries] });
      }
    }
  }
}

/** What the catalogue says is allowed, so that no type needs to know which metric it is. */
function countOne(registry: Registry, component: Component, name: MetricName, turn: number): void {
  const { kind, labels } = definitionOf(name);
  const allowed = Object.keys(labels).map(
    (label) => [label, labelValues(name, label, component)] as const,
  );
  const most = Math.max(1, ...allowed.map(([, { length }]) => length));
  for (let which = 0; which < most; which += 1) {
    const own = Object.fromEntries(
      allowed.map(([label, values]) => [label, values[which % values.length]]),
    );
    const given = own as never;
    const value = 20 + (turn % 10) + 5 * which;
    if (kind === 'counter') registry.counter(name as 'success_total', given).add(value);
    else if (kind === 'gauge') registry.gauge(name as 'subscriptions', given).set(value);
    else registry.distribution(name as 'process_duration', given).record(value);
  }
}

describe('the page', () => {
  let infra: string;
  let monitoring: TestMonitoring;
  let page: Page;
  const tile = (title: string) =>
    page.locator('article', { has: page.locator(`h2 >> text="${title}"`) });

  beforeAll(async () => {
    infra = writeSampleInfra();
    monitoring = await openTestMonitoring(() => NOW, infra);
    await feed(monitoring);
    page = await openPage(monitoring);
  }, 60_000);
  afterAll(async () => {
    await page?.close();
    await monitoring?.close();
    rmSync(infra, { recursive: true, force: true });
  });

  it('names every dashboard and the alerts, with the first one open', async () => {
    const tabs = page.locator('#dashboards button');
    expect(await tabs.allTextContents()).toEqual(['Sample', 'Second', 'Alerts (1 firing)']);
    expect(await tabs.first().getAttribute('aria-pressed')).toBe('true');
  });

  it('marks a number that is past its threshold', async () => {
    const card = tile('How many wait? (red above 10)');
    expect(await card.locator('.value').textContent()).toBe('21event');
    expect(await card.locator('.scorecard.red').count()).toBe(1);
    expect(await tile('How many are open?').locator('.scorecard.none').count()).toBe(1);
  });

  it('draws a line for each percentile, with the threshold and an axis in its unit', async () => {
    const chart = tile('How long does it take?');
    expect(await chart.locator('polyline').count()).toBe(3);
    expect(await chart.locator('.legend li').allTextContents()).toEqual(['p50', 'p95', 'p99']);
    expect(await chart.locator('.threshold').count()).toBe(1);
    expect(await chart.locator('text.unit').textContent()).toBe('ms');
  });

  it('draws areas that stand on each other', async () => {
    const areas = tile('What fails?').locator('polygon');
    expect(await areas.count()).toBe(2);
    const [lower, upper] = await Promise.all([0, 1].map((at) => areas.nth(at).boundingBox()));
    expect(upper!.y).toBeLessThan(lower!.y);
  });

  it('draws bars, and a line on an axis of its own', async () => {
    const chart = tile('What fails, in bars, and how many wait?');
    expect(await chart.locator('rect').count()).toBeGreaterThan(15);
    expect(await chart.locator('polyline').count()).toBe(1);
    expect(await chart.locator('text.unit').allTextContents()).toEqual(['failures/s', 'events']);
  });

  it('draws a table, highest first', async () => {
    const rows = tile('Which fail most?').locator('tr');
    expect(await rows.count()).toBe(2);
    expect(await rows.first().textContent()).toContain('refused');
  });

  it('shows a text with its emphasis and without its markup', async () => {
    const text = tile('Where to look next');
    expect(await text.locator('strong').textContent()).toBe('Bold');
    expect(await text.locator('li').allTextContents()).toEqual(['one', 'two']);
    expect(await text.locator('b').count()).toBe(0);
    expect(await text.textContent()).toContain('<b>no markup</b>');
  });

  it("says of Google's own metrics that they live in the cloud", async () => {
    const text = await tile('Requests').textContent();
    expect(text).toContain('Lives in the cloud only');
    expect(text).toContain('run.googleapis.com/request_count');
  });

  it('says why something cannot be drawn, and where there is nothing to draw', async () => {
    expect(await tile('Cannot be drawn').textContent()).toContain('ALIGN_NOWHERE is not known');
    expect(await tile('Nothing came').textContent()).toContain('No data in this time');
  });

  it('marks a firing alert on top, with what it means and what to do', async () => {
    const firing = page.locator('#firing .alert');
    expect(await firing.count()).toBe(1);
    expect(await firing.locator('summary').textContent()).toContain('Too many wait');
    await firing.locator('summary').click();
    expect(await firing.locator('.prose').isVisible()).toBe(true);
    expect(await firing.locator('ol li').allTextContents()).toEqual(['Look.', 'Act.']);
    await firing.locator('summary').click();
  });

  it('shows a hostile label as text', async () => {
    const legend = tile('What fails?').locator('.legend li');
    expect(await legend.allTextContents()).toContain(HOSTILE);
    expect(await page.locator('main img, main script').count()).toBe(0);
  });

  it('tells the values of the moment under the pointer', async () => {
    const box = await tile('How long does it take?').locator('.plot').boundingBox();
    await page.mouse.move(box!.x + box!.width * 0.6, box!.y + box!.height / 2);
    const hover = page.locator('#hover');
    await hover.waitFor();
    expect(await hover.locator('tr').count()).toBe(3);
    expect(await hover.textContent()).toMatch(/p99[\d.]+ ms/);
    await page.mouse.move(1, 1);
    await hover.waitFor({ state: 'hidden' });
  });

  it('can be seen in a picture, by day and by night', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      const path = join(pictures, `dashboards-${colorScheme}.png`);
      const picture = await page.screenshot({ path, fullPage: true });
      expect(picture.length).toBeGreaterThan(20_000);
    }
  });

  it('lists every alert with its state', async () => {
    await page.locator('#dashboards button').last().click();
    const states = page.locator('.alerts .alert .state');
    await states.first().waitFor();
    expect(await states.allTextContents()).toEqual(['firing', 'quiet', 'in the cloud only']);
    const last = page.locator('.alerts .alert').last();
    expect(await last.textContent()).toContain('run.googleapis.com/x');
    await page.screenshot({ path: join(pictures, 'alerts.png') });
  });

  it('keeps in its address what is looked at', async () => {
    await page.locator('#ranges button', { hasText: '6 h' }).click();
    await page.locator('#dashboards button', { hasText: 'Second' }).click();
    await page.waitForURL(/#second\/6h$/);
    await page.reload();
    await page.locator('#dashboards button[aria-pressed="true"]', { hasText: 'Second' }).waitFor();
  });
});

describe('the dashboards and alerts that are shipped', () => {
  let monitoring: TestMonitoring;
  let page: Page;

  beforeAll(async () => {
    monitoring = await openTestMonitoring(() => NOW, join(import.meta.dirname, '../../infra'));
    await feedCatalogue(monitoring);
    page = await openPage(monitoring);
  }, 60_000);
  afterAll(async () => {
    await page?.close();
    await monitoring?.close();
  });

  it.each(['overview', 'relay', 'pipeline', 'database', 'fetch', 'cost'])(
    '%s draws every widget',
    async (id) => {
      await page.locator('#dashboards button', { hasText: new RegExp(`^${id}`, 'i') }).click();
      await page.waitForURL(new RegExp(`#${id}/`));
      await page
        .locator('#dashboards button[aria-pressed="true"]', { hasText: new RegExp(id, 'i') })
        .waitFor();
      const titles = await page.locator('article h2').allTextContents();
      expect(titles.length).toBeGreaterThan(10);
      expect(await page.locator('main .fault').allTextContents()).toEqual([]);
      expect(await page.locator('article .body:empty').count()).toBe(
        await page.locator('article.header-tile .body:empty').count(),
      );
      const empty = page.locator('article', { hasText: 'No data in this time' });
      expect(await empty.locator('h2').allTextContents()).toEqual([]);
      await page.screenshot({ path: join(pictures, `${id}.png`), fullPage: true });
    },
  );

  it('has an alert list in which nothing is unknown', async () => {
    await page.locator('#dashboards button').last().click();
    const states = page.locator('.alerts .alert .state');
    await states.first().waitFor();
    const all = await states.allTextContents();
    expect(all.length).toBeGreaterThan(20);
    expect(all).not.toContain('cannot be evaluated');
    expect(all).not.toContain('no data yet');
  });
});
