import { status, type UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Log } from '../../cloud/log.ts';
import { invalidArgument, StatusError, unary } from '../grpc.ts';
import { wireDescriptor } from './descriptors.ts';
import { EvaluationError } from './evaluation-error.ts';
import { type Filter, parseFilter } from './filter.ts';
import { limits } from './limits.ts';
import type { Protocol, WriteSummary } from './protocol.ts';
import { Refusal } from './refusal.ts';
import type { Point, Series } from './series.ts';
import type { Failure, SeriesStore } from './store.ts';
import {
  msOf,
  timestampOf,
  type WireInterval,
  type WireMetricDescriptor,
  type WirePoint,
  type WireTimeSeries,
} from './wire.ts';

interface CreateTimeSeriesRequest {
  readonly name?: string;
  readonly timeSeries?: readonly WireTimeSeries[];
}

interface ListTimeSeriesRequest {
  readonly name?: string;
  readonly filter?: string;
  readonly interval?: WireInterval;
  readonly aggregation?: object;
  readonly view?: string;
}

export interface MetricServiceOptions {
  readonly store: SeriesStore;
  readonly protocol: Protocol;
  /** Unix time in milliseconds. */
  readonly nowMs: () => number;
  readonly log: Log;
}

/** google.monitoring.v3.MetricService. Methods that are missing here answer UNIMPLEMENTED. */
export function metricService({
  store,
  protocol,
  nowMs,
  log,
}: MetricServiceOptions): UntypedServiceImplementation {
  return {
    createTimeSeries: unary<CreateTimeSeriesRequest>(log, ({ name, timeSeries = [] }) => {
      const project = projectOf(name);
      if (timeSeries.length === 0) throw invalidArgument('Field timeSeries must not be empty.');
      if (timeSeries.length > limits.seriesPerCallMax) {
        throw invalidArgument(
          `Field timeSeries had ${timeSeries.length} entries; the maximum number of TimeSeries ` +
            `objects per Create request is ${limits.seriesPerCallMax}.`,
        );
      }
      const failures = store.write(timeSeries, project, nowMs());
      if (failures.length === 0) return {};
      const [{ series, reason }] = failures as [Failure];
      log.warning('points refused', { count: failures.length, series, reason });
      throw protocol.partialFailure(messageOf(failures), summaryOf(failures, timeSeries.length));
    }),
    createMetricDescriptor: unary<{ name?: string; metricDescriptor?: WireMetricDescriptor }>(
      log,
      ({ name, metricDescriptor = {} }) => {
        const descriptor = store.describe(metricDescriptor);
        if (descriptor instanceof Refusal) throw invalidArgument(descriptor.reason);
        return wireDescriptor(descriptor, projectOf(name));
      },
    ),
    getMetricDescriptor: unary<{ name?: string }>(log, ({ name = '' }) => {
      const [, project, type] = /^projects\/([^/]+)\/metricDescriptors\/(.+)$/.exec(name) ?? [];
      const descriptor = store.descriptor(type ?? '');
      if (descriptor === undefined || project === undefined) {
        throw new StatusError(status.NOT_FOUND, `Could not find descriptor for metric '${type}'.`);
      }
      return wireDescriptor(descriptor, project);
    }),
    listMetricDescriptors: unary<{ name?: string; filter?: string }>(log, ({ name, filter }) => {
      const project = projectOf(name);
      const matches = descriptorFilter(filter);
      const found = store.descriptors().filter(({ type }) => matches(type));
      return { metricDescriptors: found.map((each) => wireDescriptor(each, project)) };
    }),
    listTimeSeries: unary<ListTimeSeriesRequest>(log, (request) => ({
      timeSeries: listTimeSeries(store, request, nowMs()),
    })),
  };
}

function projectOf(name = ''): string {
  const [, project] = /^projects\/([^/]+)$/.exec(name) ?? [];
  if (project === undefined) {
    throw invalidArgument(`Field name had an invalid value of "${name}": projects/ID is needed.`);
  }
  return project;
}

/** All of it travels in headers, whose size is bounded. */
const MESSAGE_CHARACTERS_MAX = 1_500;
const CATEGORIES_MAX = 8;

function messageOf(failures: readonly Failure[]): string {
  const each = failures.map(
    ({ index, series, reason }) => `timeSeries[${index}] ${series}: ${reason}`,
  );
  const message = `One or more TimeSeries could not be written: ${each.join('; ')}`;
  if (message.length <= MESSAGE_CHARACTERS_MAX) return message;
  return `${message.slice(0, MESSAGE_CHARACTERS_MAX)} …`;
}

/** Failures of one kind are one error, as Google has it. */
function summaryOf(failures: readonly Failure[], total: number): WriteSummary {
  const categories = [...Map.groupBy(failures, ({ reason }) => reason)];
  return {
    totalPointCount: total,
    successPointCount: total - failures.length,
    errors: categories
      .slice(0, CATEGORIES_MAX)
      .map(([reason, members]) => ({ reason, pointCount: members.length })),
  };
}

/** One metric by name, or all whose names begin alike. */
function descriptorFilter(filter = ''): (type: string) => boolean {
  if (filter === '') return () => true;
  const [, prefix] = /^\s*metric\.type\s*=\s*starts_with\("([^"]*)"\)\s*$/.exec(filter) ?? [];
  if (prefix !== undefined) return (type) => type.startsWith(prefix);
  const { metricType } = filterOf(filter);
  return (type) => type === metricType;
}

function filterOf(text: string): Filter {
  try {
    return parseFilter(text);
  } catch (error) {
    if (error instanceof EvaluationError) throw invalidArgument(error.message);
    throw error;
  }
}

/** Points as they were written, newest first, of every series that the filter lets through. */
function listTimeSeries(
  store: SeriesStore,
  { name, filter = '', interval = {}, aggregation, view }: ListTimeSeriesRequest,
  nowMs: number,
): readonly WireTimeSeries[] {
  const project = projectOf(name);
  if (aggregation !== undefined) {
    throw new StatusError(
      status.UNIMPLEMENTED,
      'The local Cloud Monitoring lists raw points only.',
    );
  }
  const { matches } = filterOf(filter);
  const endMs = interval.endTime === undefined ? nowMs : msOf(interval.endTime);
  const startMs = interval.startTime === undefined ? endMs : msOf(interval.startTime);
  const found: WireTimeSeries[] = [];
  for (const series of store.series()) {
    if (series.resourceLabels['project_id'] !== project || !matches(series)) continue;
    const points = series.points.filter((point) => point.endMs >= startMs && point.endMs <= endMs);
    if (points.length > 0) found.push(wireSeries(series, view === 'HEADERS' ? [] : points));
  }
  return found;
}

function wireSeries(series: Series, points: readonly Point[]): WireTimeSeries {
  const { metricType, metricLabels, resourceType, resourceLabels, kind, valueType } = series;
  return {
    metric: { type: metricType, labels: metricLabels },
    resource: { type: resourceType, labels: resourceLabels },
    metricKind: kind,
    valueType,
    points: points.toReversed().map((point) => wirePoint(series, point)),
  };
}

function wirePoint({ valueType }: Series, { startMs, endMs, value }: Point): WirePoint {
  const interval = { startTime: timestampOf(startMs), endTime: timestampOf(endMs) };
  if (typeof value !== 'number') {
    const { bounds, ...rest } = value;
    const bucketOptions = { explicitBuckets: { bounds } };
    return { interval, value: { distributionValue: { ...rest, bucketOptions } } };
  }
  if (valueType === 'BOOL') return { interval, value: { boolValue: value === 1 } };
  return {
    interval,
    value: valueType === 'INT64' ? { int64Value: value } : { doubleValue: value },
  };
}
