import type {
  Axis,
  Dashboard,
  DataSet,
  Scorecard,
  Threshold,
  Tile,
  Widget,
  XyChart,
} from './dashboard.ts';
import { EvaluationError } from './evaluation-error.ts';
import { linesOf, nameOf } from './lines.ts';
import type { Series } from './series.ts';

/** What the page draws, as plain data: text is text, and never markup. */

export interface DrawnDashboard {
  readonly title: string;
  readonly columns: number;
  readonly tiles: readonly DrawnTile[];
}

export interface DrawnTile {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly title: string;
  readonly widget: DrawnWidget;
}

export type DrawnPoint = readonly [timeMs: number, value: number];

export interface DrawnLine {
  readonly name: string;
  readonly plot: string;
  readonly axis: 'Y1' | 'Y2';
  readonly points: readonly DrawnPoint[];
}

export interface DrawnThreshold {
  readonly value: number;
  readonly label: string;
  readonly axis: 'Y1' | 'Y2';
  readonly color: string;
}

export type DrawnWidget =
  | {
      readonly kind: 'chart';
      readonly lines: readonly DrawnLine[];
      /** Lines that were left out because there are so many. */
      readonly more: number;
      readonly thresholds: readonly DrawnThreshold[];
      readonly axes: readonly [Axis, Axis];
      readonly elsewhere: readonly string[];
    }
  | {
      readonly kind: 'scorecard';
      readonly value: number | undefined;
      readonly unit: string;
      readonly level: 'none' | 'yellow' | 'red';
      readonly points: readonly DrawnPoint[];
    }
  | { readonly kind: 'text'; readonly content: string; readonly markdown: boolean }
  | { readonly kind: 'header'; readonly subtitle: string }
  | { readonly kind: 'table'; readonly rows: readonly (readonly [name: string, value: number])[] }
  | { readonly kind: 'incidents' }
  | { readonly kind: 'elsewhere'; readonly metrics: readonly string[] }
  | { readonly kind: 'fault'; readonly message: string };

/** A stretch of time that ends now. */
export interface Span {
  readonly nowMs: number;
  readonly rangeMs: number;
}

/** More lines than this nobody can tell apart. */
const LINES_MAX = 20;

/** A dashboard with the values of the stretch; a widget that cannot be drawn says why. */
export function drawDashboard(
  dashboard: Dashboard,
  series: readonly Series[],
  span: Span,
): DrawnDashboard {
  const { displayName = '', mosaicLayout } = dashboard;
  return {
    title: displayName,
    columns: mosaicLayout?.columns ?? 12,
    tiles: (mosaicLayout?.tiles ?? []).map((tile) => drawTile(tile, series, span)),
  };
}

function drawTile(tile: Tile, series: readonly Series[], span: Span): DrawnTile {
  const { xPos = 0, yPos = 0, width = 1, height = 1, widget = {} } = tile;
  return {
    x: xPos,
    y: yPos,
    width,
    height,
    title: widget.title ?? '',
    widget: drawSafely(widget, series, span),
  };
}

function drawSafely(widget: Widget, series: readonly Series[], span: Span): DrawnWidget {
  try {
    return drawWidget(widget, series, span);
  } catch (error) {
    if (error instanceof EvaluationError) return { kind: 'fault', message: error.message };
    throw error;
  }
}

function drawWidget(widget: Widget, series: readonly Series[], span: Span): DrawnWidget {
  const { xyChart, scorecard, text, sectionHeader, timeSeriesTable, pieChart } = widget;
  if (xyChart !== undefined) return drawChart(xyChart, series, span);
  if (scorecard !== undefined) return drawScorecard(scorecard, series, span);
  if (text !== undefined) {
    return { kind: 'text', content: text.content ?? '', markdown: text.format !== 'RAW' };
  }
  if (sectionHeader !== undefined) {
    return { kind: 'header', subtitle: sectionHeader.subtitle ?? '' };
  }
  if (timeSeriesTable !== undefined) return drawTable(timeSeriesTable.dataSets, series, span);
  if (pieChart !== undefined) return drawTable(pieChart.dataSets, series, span);
  if (widget.incidentList !== undefined) return { kind: 'incidents' };
  // Logs, errors and the like are other services of the cloud.
  return { kind: 'elsewhere', metrics: [] };
}

function drawChart(chart: XyChart, series: readonly Series[], span: Span): DrawnWidget {
  const elsewhere: string[] = [];
  const dataSets = chart.dataSets ?? [];
  const lines = dataSets.flatMap((dataSet) => {
    const { plotType = 'LINE' } = dataSet;
    const query = dataSet.timeSeriesQuery ?? {};
    const smooth = plotType === 'LINE' || plotType === 'STACKED_AREA';
    const found = linesOf(series, query, { ...span, smooth });
    elsewhere.push(...found.elsewhere);
    return found.results
      .filter(({ points }) => points.length > 0)
      .map(
        ({ labels, points }): DrawnLine => ({
          name: nameOf(labels, dataSet),
          plot: plotType,
          axis: axisOf(dataSet.targetAxis),
          points: points.map(({ timeMs, value }) => [timeMs, value]),
        }),
      );
  });
  if (lines.length === 0 && elsewhere.length > 0) return { kind: 'elsewhere', metrics: elsewhere };
  const shown = lines.length <= LINES_MAX ? lines : highest(lines);
  return {
    kind: 'chart',
    lines: shown,
    more: lines.length - shown.length,
    thresholds: (chart.thresholds ?? []).map(drawThreshold),
    axes: [chart.yAxis ?? {}, chart.y2Axis ?? {}],
    elsewhere,
  };
}

const axisOf = (axis: string | undefined) => (axis === 'Y2' ? 'Y2' : 'Y1');

function highest(lines: readonly DrawnLine[]): DrawnLine[] {
  const peak = ({ points }: DrawnLine) => Math.max(...points.map(([, value]) => value));
  return lines.toSorted((one, other) => peak(other) - peak(one)).slice(0, LINES_MAX);
}

function drawThreshold({ value = 0, label = '', targetAxis, color = '' }: Threshold) {
  return { value, label, axis: axisOf(targetAxis), color } as const;
}

function drawScorecard(scorecard: Scorecard, series: readonly Series[], span: Span): DrawnWidget {
  const query = scorecard.timeSeriesQuery ?? {};
  const { results, elsewhere } = linesOf(series, query, { ...span, smooth: true });
  if (elsewhere.length > 0) return { kind: 'elsewhere', metrics: elsewhere };
  const points = results.find((result) => result.points.length > 0)?.points ?? [];
  const value = points.at(-1)?.value;
  return {
    kind: 'scorecard',
    value,
    unit: query.unitOverride ?? '',
    level: value === undefined ? 'none' : levelOf(value, scorecard.thresholds ?? []),
    points: points.map((point) => [point.timeMs, point.value]),
  };
}

/** Red wins over yellow. */
function levelOf(value: number, thresholds: readonly Threshold[]): 'none' | 'yellow' | 'red' {
  const passed = thresholds.filter(({ value: bound = 0, direction }) =>
    direction === 'BELOW' ? value < bound : value > bound,
  );
  if (passed.some(({ color }) => color === 'RED')) return 'red';
  return passed.length > 0 ? 'yellow' : 'none';
}

/** The newest value of each line, highest first. */
function drawTable(
  dataSets: readonly DataSet[] = [],
  series: readonly Series[],
  span: Span,
): DrawnWidget {
  const elsewhere: string[] = [];
  const rows = dataSets.flatMap((dataSet) => {
    const query = dataSet.timeSeriesQuery ?? {};
    const found = linesOf(series, query, { ...span, smooth: false });
    elsewhere.push(...found.elsewhere);
    return found.results.flatMap(({ labels, points }) => {
      const newest = points.at(-1);
      return newest === undefined ? [] : [[nameOf(labels, dataSet), newest.value] as const];
    });
  });
  if (rows.length === 0 && elsewhere.length > 0) return { kind: 'elsewhere', metrics: elsewhere };
  return { kind: 'table', rows: rows.toSorted(([, one], [, other]) => other - one) };
}
