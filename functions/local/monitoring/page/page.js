import { drawAlert } from './alerts.js';
import { drawChart, sparkline } from './chart.js';
import { element } from './dom.js';
import { formatNumber, formatTime, formatUnit } from './format.js';
import { markdown } from './markdown.js';

const REFRESH_MS = 10_000;
const RANGES = { '15m': '15 min', '1h': '1 h', '6h': '6 h', '24h': '24 h' };
const ALERTS = 'alerts';

const places = Object.fromEntries(
  ['dashboards', 'ranges', 'status', 'firing', 'main', 'hover'].map((id) => [
    id,
    document.getElementById(id),
  ]),
);

/** What is looked at stands in the address, so that it can be kept and sent. */
const chosen = () => {
  const [dashboard = '', range = ''] = location.hash.slice(1).split('/');
  return { dashboard, range: Object.hasOwn(RANGES, range) ? range : '15m' };
};
const choose = (changes) => {
  const { dashboard, range } = { ...chosen(), ...changes };
  location.hash = `${dashboard}/${range}`;
};

let shown;
const opened = new Set();
let asked = 0;

async function refresh() {
  const { dashboard, range } = chosen();
  const turn = ++asked;
  try {
    const query = new URLSearchParams({ range });
    if (dashboard !== '' && dashboard !== ALERTS) query.set('dashboard', dashboard);
    const response = await fetch(`/api/view?${query}`);
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const view = await response.json();
    // Whoever clicked meanwhile waits for something else.
    if (turn !== asked) return;
    shown = view;
    draw();
    say(`${formatTime(view.nowMs, 0)} · ${view.series} series`);
  } catch (error) {
    if (turn === asked) say(`no answer: ${error.message}`, true);
  }
}

function say(text, bad = false) {
  places.status.textContent = text;
  places.status.classList.toggle('bad', bad);
}

function draw() {
  if (shown === undefined) return;
  const { dashboard: wanted, range } = chosen();
  const { dashboards, dashboard, alerts, faults } = shown;
  const firing = alerts.filter(({ state }) => state === 'firing');
  const current = wanted === ALERTS ? ALERTS : (dashboard?.id ?? '');
  hover.hide();
  places.dashboards.replaceChildren(
    ...dashboards.map(({ id, title }) =>
      tab(shortTitle(title), id === current, () => choose({ dashboard: id })),
    ),
    tab(`Alerts (${firing.length} firing)`, current === ALERTS, () =>
      choose({ dashboard: ALERTS }),
    ),
  );
  places.ranges.replaceChildren(
    ...Object.entries(RANGES).map(([key, text]) =>
      tab(text, key === range, () => choose({ range: key })),
    ),
  );
  places.firing.replaceChildren(
    ...faults.map((fault) => element('p', { class: 'alert fault' }, fault)),
    ...(current === ALERTS ? [] : firing.map(drawOpened)),
  );
  if (current === ALERTS) drawAlerts(alerts);
  else drawDashboard(dashboard);
}

/** Titles say whose they are and in which order they come; here that is clear. */
const shortTitle = (title) =>
  title.replace(/^Distrise\s*(\d+)?\s*:?\s*/, '').split(' – ')[0] || title;

function tab(text, pressed, act) {
  const button = element('button', { type: 'button', 'aria-pressed': pressed }, text);
  button.addEventListener('click', act);
  return button;
}

/** What was opened stays open when the page is drawn anew. */
function drawOpened(alert) {
  const details = drawAlert(alert, opened.has(alert.id));
  details.addEventListener('toggle', () => {
    if (details.open) opened.add(alert.id);
    else opened.delete(alert.id);
  });
  return details;
}

function drawAlerts(alerts) {
  places.main.className = '';
  const list =
    alerts.length === 0
      ? [element('p', { class: 'nothing' }, 'There are no files in infra/alerts.')]
      : alerts.map(drawOpened);
  places.main.replaceChildren(element('div', { class: 'alerts' }, ...list));
}

function drawDashboard(dashboard) {
  if (dashboard === undefined) {
    places.main.className = '';
    const text = 'There are no files in infra/dashboards.';
    places.main.replaceChildren(element('p', { class: 'nothing' }, text));
    return;
  }
  places.main.className = 'mosaic';
  places.main.style.gridTemplateColumns = `repeat(${dashboard.columns}, minmax(0, 1fr))`;
  const drawn = dashboard.tiles.map((tile) => ({ tile, ...frame(tile) }));
  places.main.replaceChildren(...drawn.map(({ node }) => node));
  // Charts are as large as the place that they have got.
  for (const { tile, body } of drawn) drawWidget(body, tile.widget);
}

function frame({ x, y, width, height, title, widget }) {
  const body = element('div', { class: 'body' });
  const node = element(
    'article',
    { class: `tile ${widget.kind}-tile`, 'data-widget': widget.kind },
    element('div', { class: 'card' }, element('h2', {}, title), body),
  );
  node.style.gridColumn = `${x + 1} / span ${width}`;
  node.style.gridRow = `${y + 1} / span ${height}`;
  return { node, body };
}

function drawWidget(body, widget) {
  const { nowMs, rangeMs, alerts } = shown;
  switch (widget.kind) {
    case 'chart':
      if (widget.lines.length === 0) body.append(nothing('No data in this time.'));
      else drawChart(body, widget, { fromMs: nowMs - rangeMs, toMs: nowMs }, hover);
      return;
    case 'scorecard':
      body.append(scorecard(widget));
      return;
    case 'text':
      body.append(widget.markdown ? markdown(widget.content) : element('p', {}, widget.content));
      return;
    case 'header':
      if (widget.subtitle !== '') body.append(element('p', {}, widget.subtitle));
      return;
    case 'table':
      body.append(table(widget.rows));
      return;
    case 'incidents':
      body.append(incidents(alerts));
      return;
    case 'elsewhere':
      body.append(elsewhere(widget.metrics));
      return;
    default:
      body.append(element('p', { class: 'nothing fault' }, widget.message));
  }
}

const nothing = (text) => element('p', { class: 'nothing' }, text);

function elsewhere(metrics) {
  const names = [...new Set(metrics)].flatMap((name) => [element('br'), element('code', {}, name)]);
  return element('p', { class: 'nothing' }, 'Lives in the cloud only.', ...names);
}

function scorecard({ value, unit, level, points }) {
  if (value === undefined) return nothing('No data in this time.');
  const number = element('div', { class: 'value' }, formatNumber(value, unit));
  const text = formatUnit(unit);
  if (text !== '') number.append(element('small', {}, text));
  return element('div', { class: `scorecard ${level}` }, number, sparkline(points));
}

function table(rows) {
  if (rows.length === 0) return nothing('No data in this time.');
  const lines = rows.map(([name, value]) =>
    element('tr', {}, element('td', {}, name), element('td', {}, formatNumber(value))),
  );
  return element('div', { class: 'table' }, element('table', {}, ...lines));
}

function incidents(alerts) {
  const firing = alerts.filter(({ state }) => state === 'firing');
  if (firing.length === 0) return nothing('No alert is firing.');
  const rows = firing.map(({ title, severity }) =>
    element('tr', {}, element('td', {}, title), element('td', {}, severity)),
  );
  return element('div', { class: 'table' }, element('table', {}, ...rows));
}

const hover = {
  show(event, timeMs, rows) {
    const lines = rows.map(({ name, paint, value }) => {
      const swatch = element('span', { class: 'swatch' });
      swatch.style.background = paint;
      return element('tr', {}, element('td', {}, swatch, name), element('td', {}, value));
    });
    const box = places.hover;
    box.replaceChildren(element('time', {}, formatTime(timeMs, 0)), element('table', {}, ...lines));
    box.hidden = false;
    const { width, height } = box.getBoundingClientRect();
    const left =
      event.clientX + 16 + width > innerWidth ? event.clientX - width - 16 : event.clientX + 16;
    box.style.left = `${Math.max(4, left)}px`;
    box.style.top = `${Math.min(event.clientY + 12, innerHeight - height - 6)}px`;
  },
  hide() {
    places.hover.hidden = true;
  },
};

addEventListener('hashchange', refresh);
let resized;
addEventListener('resize', () => {
  clearTimeout(resized);
  resized = setTimeout(draw, 100);
});
setInterval(() => {
  // Nobody reads it in the background, and a value under the pointer must not vanish.
  if (!document.hidden && places.hover.hidden) void refresh();
}, REFRESH_MS);
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void refresh();
});
void refresh();
