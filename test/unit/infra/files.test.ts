import { METRIC_PREFIX } from '../../../functions/cloud/metrics/catalogue.ts';
import { informationOf } from '../../../functions/relay/information.ts';
import { alertFaults } from '../../support/monitoring/alert-faults.ts';
import { dashboardFaults } from '../../support/monitoring/dashboard-faults.ts';
import { infraFiles } from '../../support/monitoring/files.ts';
import { listAt, objectAt, textAt } from '../../support/monitoring/json.ts';
import { BUILT_IN } from '../../support/monitoring/known-metrics.ts';
import { objectiveFaults } from '../../support/monitoring/objective-faults.ts';
import { MESSAGES, shapeFaults } from '../../support/monitoring/protobuf.ts';
import { configurationOf } from '../../support/relay-server.ts';

const dashboards = infraFiles('dashboards');
const alerts = infraFiles('alerts');
const objectives = infraFiles('slos');
const uptime = infraFiles('uptime');
const everything = JSON.stringify([dashboards, alerts, objectives]);
const objectiveNames = objectives.map(({ json }) => textAt(json, 'name'));

describe('the dashboards', () => {
  test('there are six', () => {
    expect(dashboards.map(({ name }) => name)).toEqual([
      'cost',
      'database',
      'fetch',
      'overview',
      'pipeline',
      'relay',
    ]);
  });

  test.each(dashboards)('$name is one that Cloud Monitoring takes', ({ json }) => {
    expect(dashboardFaults(json)).toEqual([]);
  });

  test('the overview begins with scorecards that say what is too much', () => {
    const overview = dashboards.find(({ name }) => name === 'overview');
    const first = listAt(overview?.json, 'mosaicLayout', 'tiles')
      .filter((tile) => textAt(tile, 'yPos') === '' && !('yPos' in objectAt(tile)))
      .map((tile) => objectAt(tile, 'widget'));
    expect(first).toHaveLength(6);
    for (const widget of first) {
      expect(listAt(widget, 'scorecard', 'thresholds').length).toBeGreaterThan(0);
    }
  });

  test('every price of the cost estimates stands in the text with its source', () => {
    const cost = dashboards.find(({ name }) => name === 'cost')!;
    const widgets = listAt(cost.json, 'mosaicLayout', 'tiles').map((tile) =>
      objectAt(tile, 'widget'),
    );
    const text = widgets.map((widget) => textAt(widget, 'text', 'content')).join();
    const used = [...JSON.stringify(widgets).matchAll(/\* (0\.\d+|40)\b/g)].map(
      ([, price]) => price!,
    );
    expect(new Set(used).size).toBe(7);
    for (const price of used) expect(text).toContain(`${price} a `);
  });
});

describe('the alerts', () => {
  test.each(alerts)(
    '$name is one that Cloud Monitoring takes and a person can follow',
    ({ json }) => {
      expect(alertFaults(json, objectiveNames)).toEqual([]);
    },
  );

  test('a policy that pages is critical, and each has a name of its own', () => {
    for (const { json } of alerts) {
      const pages = textAt(json, 'userLabels', 'page') === 'yes';
      expect(pages).toBe(textAt(json, 'severity') === 'CRITICAL');
    }
    expect(new Set(alerts.map(({ json }) => textAt(json, 'displayName'))).size).toBe(alerts.length);
  });

  test('an alert that another one refers to is there', () => {
    const names = alerts.map(({ json }) => textAt(json, 'displayName').replace('Distrise: ', ''));
    for (const { json } of alerts) {
      const content = textAt(json, 'documentation', 'content');
      for (const [, name] of content.matchAll(/see (?:the alert )?\*([^*]+)\*/gi)) {
        expect(names.filter((each) => each.startsWith(name!))).not.toEqual([]);
      }
    }
  });

  test('a dashboard that an alert refers to is there', () => {
    const titles = dashboards.map(({ json }) => textAt(json, 'displayName'));
    for (const { json } of alerts) {
      const content = textAt(json, 'documentation', 'content');
      for (const [, name] of content.matchAll(/\*(\d: \w+)\*/g)) {
        expect(titles.filter((title) => title.startsWith(`Distrise ${name}`))).toHaveLength(1);
      }
    }
  });
});

describe('the objectives', () => {
  test.each(objectives)('$name is one that Cloud Monitoring takes', ({ name, json }) => {
    expect(objectiveFaults(json)).toEqual([]);
    expect(textAt(json, 'name').endsWith(`/serviceLevelObjectives/${name}`)).toBe(true);
  });

  test('each is watched for a fast and a slow burn', () => {
    for (const { name } of objectives) {
      const watching = alerts.filter(({ json }) =>
        JSON.stringify(json).includes(`/serviceLevelObjectives/${name}\\`),
      );
      expect(watching.map((alert) => alert.name)).toEqual([
        `${name}-fast-burn`,
        `${name}-slow-burn`,
      ]);
    }
  });
});

describe('the uptime check', () => {
  test('is one that Cloud Monitoring takes', () => {
    expect(uptime.map(({ json }) => shapeFaults(MESSAGES.uptime, json))).toEqual([[]]);
  });

  test('looks for what our NIP-11 page has', () => {
    const page = JSON.stringify(informationOf(configurationOf({}), { version: '1' }));
    const [matcher] = listAt(uptime[0]!.json, 'contentMatchers');
    expect(page).toContain(textAt(matcher, 'content'));
    expect(textAt(uptime[0]!.json, 'httpCheck', 'headers', 'Accept')).toBe(
      'application/nostr+json',
    );
  });
});

describe("the list of Google's own metrics", () => {
  test('has only what a file uses, none twice, and each with the page that has it', () => {
    const types = BUILT_IN.map(({ type }) => type);
    expect(new Set(types).size).toBe(types.length);
    expect(types.filter((type) => !everything.includes(type))).toEqual([]);
    expect(types.filter((type) => type.startsWith(METRIC_PREFIX))).toEqual([]);
    for (const { source } of BUILT_IN) {
      expect(source).toMatch(/^https:\/\/docs\.cloud\.google\.com\/monitoring\/api\/metrics_gcp_/);
    }
  });
});
