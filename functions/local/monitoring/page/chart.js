import { element, svg } from './dom.js';
import { formatNumber, formatTime, formatUnit } from './format.js';

/** Charts in SVG: lines, stacked areas and stacked bars on one axis or two. */

const MARGIN = { top: 8, right: 10, bottom: 18, left: 46 };
const COLOURS = 10;

const colour = (index) => `var(--c${index % COLOURS})`;

/** Draws a chart into a box that is on the page already, since its size is needed. */
export function drawChart(box, chart, { fromMs, toMs }, hover) {
  const plot = element('div', { class: 'plot' });
  box.append(plot);
  if (chart.lines.length > 0) box.append(legend(chart));
  const { width, height } = plot.getBoundingClientRect();
  const right = chart.lines.some(({ axis }) => axis === 'Y2') ? MARGIN.left : MARGIN.right;
  const area = {
    left: MARGIN.left,
    top: MARGIN.top,
    width: Math.max(20, width - MARGIN.left - right),
    height: Math.max(20, height - MARGIN.top - MARGIN.bottom),
  };
  const x = (timeMs) => area.left + ((timeMs - fromMs) / (toMs - fromMs)) * area.width;
  const layers = stack(chart.lines);
  const scales = {
    Y1: scaleOf(chart, layers, 'Y1', area),
    Y2: scaleOf(chart, layers, 'Y2', area),
  };
  const root = svg('svg', { role: 'img', 'aria-label': describe(chart) });
  root.append(
    ...timeAxis(area, x, fromMs, toMs),
    ...valueAxis(area, scales.Y1, chart.axes[0], 'left'),
    ...(right === MARGIN.left ? valueAxis(area, scales.Y2, chart.axes[1], 'right') : []),
    ...layers.flatMap((layer) => drawLayer(layer, x, scales[layer.axis], area, fromMs)),
    ...chart.thresholds.flatMap((threshold) => drawThreshold(threshold, scales, area)),
  );
  plot.append(root);
  if (layers.length > 0) listen(plot, root, { chart, layers, x, scales, area, hover });
}

const describe = ({ lines }) =>
  lines.length === 0
    ? 'no data'
    : `${lines.length} lines: ${lines.map(({ name }) => name).join(', ')}`;

/** Stacked ones stand on each other, those of one kind and axis together. */
function stack(lines) {
  const sums = new Map();
  return lines.map((line, index) => {
    const stacked = line.plot === 'STACKED_AREA' || line.plot === 'STACKED_BAR';
    const points = line.points.map(([timeMs, value]) => {
      if (!stacked) return { timeMs, value, low: 0, high: value };
      const key = `${line.plot} ${line.axis} ${timeMs}`;
      const low = sums.get(key) ?? 0;
      sums.set(key, low + value);
      return { timeMs, value, low, high: low + value };
    });
    return { ...line, index, stacked, points };
  });
}

function scaleOf({ axes, thresholds }, layers, axis, area) {
  const { scale, label } = axes[axis === 'Y1' ? 0 : 1];
  const values = layers
    .filter((layer) => layer.axis === axis)
    .flatMap(({ points }) => points.map(({ high }) => high));
  const top = Math.max(0, ...values);
  // A threshold far above everything would press the lines flat.
  const near = thresholds.filter((each) => each.axis === axis && each.value <= top * 4 + 1e-9);
  const wanted = Math.max(top, ...near.map(({ value }) => value));
  const bottom = Math.min(0, ...values);
  const bottomY = area.top + area.height;
  if (scale === 'LOG10' && wanted > 1) {
    const most = 10 ** Math.ceil(Math.log10(wanted));
    const decades = Math.log10(most);
    const ticks = Array.from({ length: decades + 1 }, (_, index) => 10 ** index);
    const y = (value) => bottomY - (Math.log10(Math.max(1, value)) / decades) * area.height;
    return { y, ticks, most, label };
  }
  const step = niceStep((wanted - bottom || 1) / Math.max(2, Math.floor(area.height / 34)), label);
  const most = Math.max(step, Math.ceil(wanted / step - 1e-9) * step);
  const least = Math.floor(bottom / step) * step;
  const count = Math.round((most - least) / step);
  const ticks = Array.from({ length: count + 1 }, (_, index) => least + index * step);
  const y = (value) => bottomY - ((value - least) / (most - least)) * area.height;
  return { y, ticks, most, label };
}

/** 1, 2 or 5 times a power of ten; of two for bytes. */
function niceStep(rough, label = '') {
  if (label.startsWith('By') && rough > 1024) return 2 ** Math.ceil(Math.log2(rough));
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough - power * 1e-9);
}

function timeAxis(area, x, fromMs, toMs) {
  const minutes = [1, 2, 3, 5, 10, 15, 30, 60, 120, 180, 240, 360];
  const most = Math.max(2, Math.floor(area.width / 75));
  const stepMs = 60_000 * (minutes.find((each) => (toMs - fromMs) / 60_000 / each <= most) ?? 360);
  const offsetMs = new Date(toMs).getTimezoneOffset() * 60_000;
  const first = Math.ceil((fromMs - offsetMs) / stepMs) * stepMs + offsetMs;
  const nodes = [];
  for (let timeMs = first; timeMs <= toMs; timeMs += stepMs) {
    const at = x(timeMs);
    const y = area.top + area.height;
    nodes.push(
      svg('line', { class: 'grid', x1: at, x2: at, y1: area.top, y2: y }),
      svg('text', { x: at, y: y + 13, 'text-anchor': 'middle' }, formatTime(timeMs, Infinity)),
    );
  }
  return nodes;
}

function valueAxis(area, { y, ticks, label }, axis, side) {
  const left = side === 'left';
  const at = left ? area.left - 6 : area.left + area.width + 6;
  const anchor = left ? 'end' : 'start';
  const nodes = ticks.flatMap((tick) => [
    ...(left
      ? [
          svg('line', {
            class: 'grid',
            x1: area.left,
            x2: area.left + area.width,
            y1: y(tick),
            y2: y(tick),
          }),
        ]
      : []),
    svg('text', { x: at, y: y(tick) + 3.5, 'text-anchor': anchor }, formatNumber(tick, label)),
  ]);
  const unit = formatUnit(axis.label);
  if (unit !== '') {
    const x = left ? area.left + 4 : area.left + area.width - 4;
    const end = left ? 'start' : 'end';
    nodes.push(svg('text', { class: 'unit', x, y: area.top + 3, 'text-anchor': end }, unit));
  }
  return nodes;
}

function drawLayer(layer, x, { y }, area, fromMs) {
  const { points, plot, index } = layer;
  const paint = colour(index);
  const shown = points.filter(({ timeMs }) => timeMs >= fromMs);
  if (plot === 'STACKED_BAR') return bars(shown, x, y, area, paint);
  const nodes = [];
  for (const part of unbroken(shown)) {
    const top = part.map(({ timeMs, high }) => `${x(timeMs).toFixed(1)},${y(high).toFixed(1)}`);
    if (layer.stacked) {
      const base = part.map(({ timeMs, low }) => `${x(timeMs).toFixed(1)},${y(low).toFixed(1)}`);
      const corners = [...top, ...base.reverse()].join(' ');
      nodes.push(svg('polygon', { class: 'area', points: corners, fill: paint }));
    }
    if (part.length === 1) {
      const [{ timeMs, high }] = part;
      nodes.push(svg('circle', { cx: x(timeMs), cy: y(high), r: 2.2, fill: paint }));
    }
    nodes.push(svg('polyline', { class: 'series', points: top.join(' '), stroke: paint }));
  }
  return nodes;
}

function bars(points, x, y, area, paint) {
  const stepMs = usualStep(points);
  const width = Math.max(1, x(stepMs) - x(0) - 1);
  return points.map(({ timeMs, low, high }) => {
    const left = Math.max(area.left, x(timeMs) - width);
    const height = Math.max(0, y(low) - y(high));
    return svg('rect', {
      x: left,
      y: y(high),
      width: Math.max(0.5, x(timeMs) - left),
      height,
      fill: paint,
    });
  });
}

/** Where values are missing, the line is missing too. */
function unbroken(points) {
  const stepMs = usualStep(points);
  const parts = [];
  for (const point of points) {
    const last = parts.at(-1)?.at(-1);
    if (last !== undefined && point.timeMs - last.timeMs <= stepMs * 1.5) parts.at(-1).push(point);
    else parts.push([point]);
  }
  return parts;
}

function usualStep(points) {
  let least = Infinity;
  for (let at = 1; at < points.length; at += 1) {
    least = Math.min(least, points[at].timeMs - points[at - 1].timeMs);
  }
  return Number.isFinite(least) ? least : 60_000;
}

function drawThreshold({ value, label, axis }, scales, area) {
  const { y, most } = scales[axis];
  if (value > most) return [];
  const at = y(value);
  const right = area.left + area.width;
  return [
    svg('line', { class: 'threshold', x1: area.left, x2: right, y1: at, y2: at }),
    svg('text', { class: 'threshold-label', x: right - 3, y: at - 4, 'text-anchor': 'end' }, label),
  ];
}

function legend({ lines, more, elsewhere }) {
  const items = lines.map(({ name }, index) => item(name, colour(index)));
  if (more > 0) items.push(element('li', {}, `and ${more} more`));
  if (elsewhere.length > 0)
    items.push(element('li', {}, `in the cloud only: ${elsewhere.join(', ')}`));
  return element('ul', { class: 'legend' }, ...items);
}

function item(name, paint) {
  const swatch = element('span', { class: 'swatch' });
  swatch.style.background = paint;
  return element('li', {}, swatch, name);
}

/** Tells the values of the moment under the pointer. */
function listen(plot, root, { chart, layers, x, area, hover }) {
  const cursor = svg('line', { class: 'cursor', y1: area.top, y2: area.top + area.height });
  const times = [...new Set(layers.flatMap(({ points }) => points.map(({ timeMs }) => timeMs)))];
  plot.addEventListener('pointermove', (event) => {
    const at = event.clientX - plot.getBoundingClientRect().left;
    const nearest = times.reduce((best, each) =>
      Math.abs(x(each) - at) < Math.abs(x(best) - at) ? each : best,
    );
    cursor.setAttribute('x1', x(nearest));
    cursor.setAttribute('x2', x(nearest));
    root.append(cursor);
    hover.show(event, nearest, rowsAt(layers, nearest, chart));
  });
  plot.addEventListener('pointerleave', () => {
    cursor.remove();
    hover.hide();
  });
}

function rowsAt(layers, timeMs, { axes }) {
  return layers.flatMap(({ name, points, index, axis }) => {
    const point = points.find((each) => each.timeMs === timeMs);
    if (point === undefined) return [];
    const unit = axes[axis === 'Y1' ? 0 : 1].label ?? '';
    return [
      {
        name,
        paint: colour(index),
        value: `${formatNumber(point.value, unit)} ${formatUnit(unit)}`,
      },
    ];
  });
}

/** A line without axes, for the trend of one number. */
export function sparkline(points) {
  const root = svg('svg', { class: 'spark', viewBox: '0 0 200 30', preserveAspectRatio: 'none' });
  if (points.length < 2) return root;
  const values = points.map(([, value]) => value);
  const least = Math.min(0, ...values);
  const most = Math.max(...values, least + 1e-9);
  const [first] = points[0];
  const [last] = points.at(-1);
  const corners = points.map(([timeMs, value]) => {
    const x = ((timeMs - first) / (last - first)) * 200;
    return `${x.toFixed(1)},${(28 - ((value - least) / (most - least)) * 26).toFixed(1)}`;
  });
  const line = svg('polyline', { class: 'series', points: corners.join(' '), stroke: colour(0) });
  line.setAttribute('vector-effect', 'non-scaling-stroke');
  root.append(line);
  return root;
}
