import type { TimeSeriesFilter, TimeSeriesFilterRatio } from './query.ts';

/** Dashboards as Cloud Monitoring has them in JSON, as far as they are drawn here. */

export interface Dashboard {
  readonly displayName?: string;
  readonly mosaicLayout?: { readonly columns?: number; readonly tiles?: readonly Tile[] };
}

export interface Tile {
  readonly xPos?: number;
  readonly yPos?: number;
  readonly width?: number;
  readonly height?: number;
  readonly widget?: Widget;
}

export interface Widget {
  readonly title?: string;
  readonly xyChart?: XyChart;
  readonly scorecard?: Scorecard;
  readonly text?: { readonly content?: string; readonly format?: string };
  readonly sectionHeader?: { readonly subtitle?: string };
  readonly timeSeriesTable?: { readonly dataSets?: readonly DataSet[] };
  readonly pieChart?: { readonly dataSets?: readonly DataSet[] };
  readonly incidentList?: object;
}

export interface XyChart {
  readonly dataSets?: readonly DataSet[];
  readonly thresholds?: readonly Threshold[];
  readonly yAxis?: Axis;
  readonly y2Axis?: Axis;
}

export interface DataSet {
  readonly timeSeriesQuery?: TimeSeriesQuery;
  readonly plotType?: string;
  readonly targetAxis?: string;
  readonly legendTemplate?: string;
}

export interface TimeSeriesQuery {
  readonly timeSeriesFilter?: TimeSeriesFilter;
  readonly timeSeriesFilterRatio?: TimeSeriesFilterRatio;
  readonly prometheusQuery?: string;
  readonly unitOverride?: string;
}

export interface Threshold {
  readonly label?: string;
  readonly value?: number;
  readonly color?: string;
  readonly direction?: string;
  readonly targetAxis?: string;
}

export interface Axis {
  readonly label?: string;
  readonly scale?: string;
}

export interface Scorecard {
  readonly timeSeriesQuery?: TimeSeriesQuery;
  readonly thresholds?: readonly Threshold[];
}
