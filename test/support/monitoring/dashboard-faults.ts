import { type Json, type JsonObject, listAt, numberAt, objectAt, textAt } from './json.ts';
import { promqlFaults } from './promql-faults.ts';
import { MESSAGES, shapeFaults } from './protobuf.ts';
import { queryFaults } from './query-faults.ts';

const COLUMNS = 48;
const CONTENTS = [
  'xyChart',
  'scorecard',
  'text',
  'sectionHeader',
  'incidentList',
  'logsPanel',
] as const;

/** Everything that is wrong with a dashboard file. */
export function dashboardFaults(dashboard: JsonObject): string[] {
  const shape = shapeFaults(MESSAGES.dashboard, dashboard);
  if (shape.length > 0) return shape;
  const tiles = listAt(dashboard, 'mosaicLayout', 'tiles');
  return [
    ...(textAt(dashboard, 'displayName') === '' ? ['the dashboard has no name'] : []),
    ...(numberAt(dashboard, 'mosaicLayout', 'columns') === COLUMNS ? [] : ['not 48 columns']),
    ...(tiles.length > 0 ? [] : ['no tiles']),
    ...layoutFaults(tiles),
    ...tiles.flatMap((tile) => widgetFaults(objectAt(tile, 'widget'))),
  ];
}

function layoutFaults(tiles: readonly Json[]): string[] {
  const boxes = tiles.map((tile) => ({
    left: numberAt(tile, 'xPos'),
    top: numberAt(tile, 'yPos'),
    right: numberAt(tile, 'xPos') + numberAt(tile, 'width'),
    bottom: numberAt(tile, 'yPos') + numberAt(tile, 'height'),
    title: textAt(tile, 'widget', 'title'),
  }));
  return boxes.flatMap((box, index) => [
    ...(box.left < 0 || box.top < 0 || box.right > COLUMNS
      ? [`${box.title} lies outside of the columns`]
      : []),
    ...(box.right <= box.left || box.bottom <= box.top ? [`${box.title} has no size`] : []),
    ...boxes
      .slice(index + 1)
      .filter(
        (other) =>
          box.left < other.right &&
          other.left < box.right &&
          box.top < other.bottom &&
          other.top < box.bottom,
      )
      .map((other) => `${box.title} overlaps ${other.title}`),
  ]);
}

function widgetFaults(widget: JsonObject): string[] {
  const title = textAt(widget, 'title');
  const contents = Object.keys(widget).filter((key) => key !== 'title' && key !== 'id');
  const faults: string[] = [];
  if (title.trim() === '') faults.push('a widget has no title');
  if (contents.length !== 1 || !CONTENTS.some((each) => each === contents[0])) {
    faults.push(`not one content but ${contents.join(', ') || 'none'}`);
  }
  faults.push(...chartFaults(objectAt(widget, 'xyChart'), 'xyChart' in widget));
  faults.push(...scorecardFaults(objectAt(widget, 'scorecard'), 'scorecard' in widget));
  if ('text' in widget && textAt(widget, 'text', 'content') === '') faults.push('an empty text');
  return faults.map((fault) => `${title}: ${fault}`);
}

function chartFaults(chart: JsonObject, present: boolean): string[] {
  if (!present) return [];
  const sets = listAt(chart, 'dataSets');
  const faults = sets.flatMap((set) => [
    ...sourceFaults(objectAt(set, 'timeSeriesQuery')),
    ...legendFaults(set),
  ]);
  if (sets.length === 0) faults.push('a chart of nothing');
  if (textAt(chart, 'yAxis', 'label') === '') faults.push('no unit at the axis');
  const second = sets.some((set) => textAt(set, 'targetAxis') === 'Y2');
  if (second !== (textAt(chart, 'y2Axis', 'label') !== '')) {
    faults.push('the second axis needs a unit and a line');
  }
  for (const threshold of listAt(chart, 'thresholds')) {
    // metrics.proto: neither is allowed in a chart.
    if ('color' in objectAt(threshold) || 'direction' in objectAt(threshold)) {
      faults.push('a threshold of a chart has no colour and no direction');
    }
  }
  return faults;
}

function scorecardFaults(scorecard: JsonObject, present: boolean): string[] {
  if (!present) return [];
  const query = objectAt(scorecard, 'timeSeriesQuery');
  const faults = sourceFaults(query);
  if (textAt(query, 'unitOverride') === '') faults.push('no unit');
  for (const threshold of listAt(scorecard, 'thresholds')) {
    if (textAt(threshold, 'color') === '' || textAt(threshold, 'direction') === '') {
      faults.push('a threshold of a scorecard needs colour and direction');
    }
    if ('targetAxis' in objectAt(threshold)) faults.push('a scorecard has no axis');
  }
  return faults;
}

function sourceFaults(query: JsonObject): string[] {
  if ('prometheusQuery' in query) return promqlFaults(textAt(query, 'prometheusQuery'));
  if ('timeSeriesFilter' in query) return filterFaults(objectAt(query, 'timeSeriesFilter'));
  if ('timeSeriesFilterRatio' in query) {
    const ratio = objectAt(query, 'timeSeriesFilterRatio');
    return [
      ...filterFaults(objectAt(ratio, 'numerator')),
      ...filterFaults(objectAt(ratio, 'denominator')),
    ];
  }
  return ['no query that we use'];
}

const filterFaults = (source: JsonObject): string[] =>
  queryFaults(
    textAt(source, 'filter'),
    ['aggregation', 'secondaryAggregation']
      .filter((key) => key in source)
      .map((key) => objectAt(source, key)),
  );

/** A legend may only name labels that are left after grouping. */
function legendFaults(set: Json): string[] {
  const filter = objectAt(set, 'timeSeriesQuery', 'timeSeriesFilter');
  const kept = listAt(filter, 'aggregation', 'groupByFields').map((field) =>
    String(field).replace('.label."', '.labels.').replace(/"$/, ''),
  );
  if ('prometheusQuery' in objectAt(set, 'timeSeriesQuery')) return [];
  return [...textAt(set, 'legendTemplate').matchAll(/\$\{([^}]*)\}/g)]
    .filter(([, label]) => !kept.includes(label!))
    .map(([, label]) => `the legend names ${label}, which is not grouped by`);
}
