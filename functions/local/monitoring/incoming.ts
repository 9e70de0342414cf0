import { limits } from './limits.ts';
import { badField, Refusal } from './refusal.ts';
import type { Incoming, Labels, MetricKind, Point, Value, ValueType } from './series.ts';
import { msOf, type WireInterval, type WireTimeSeries, type WireTypedValue } from './wire.ts';
import { readDistribution } from './wire-distribution.ts';

/** The resource that tells processes apart, with the labels that Google gives it. */
const RESOURCE_LABELS: Readonly<Record<string, readonly string[]>> = {
  generic_task: ['project_id', 'location', 'namespace', 'job', 'task_id'],
};

const KINDS: readonly MetricKind[] = ['GAUGE', 'DELTA', 'CUMULATIVE'];
const VALUE_TYPES: readonly ValueType[] = ['BOOL', 'INT64', 'DOUBLE', 'DISTRIBUTION'];

/**
 * One series of a call, held against every rule that needs no knowledge of earlier points. The
 * project is the one that the call names.
 */
export function readIncoming(
  wire: WireTimeSeries,
  project: string,
  nowMs: number,
): Incoming | Refusal {
  const metricType = wire.metric?.type ?? '';
  if (!isCustomType(metricType)) {
    return badField('metric.type', `"${metricType}" is no name of a user-defined metric.`);
  }
  const metricLabels = wire.metric?.labels ?? {};
  const labelFault = faultOfLabels(metricLabels);
  if (labelFault !== undefined) return badField('metric.labels', labelFault);
  const resourceType = wire.resource?.type ?? '';
  const resourceLabels = wire.resource?.labels ?? {};
  const resourceFault = faultOfResource(resourceType, resourceLabels, project);
  if (resourceFault !== undefined) return resourceFault;
  const kind = readKind(wire.metricKind);
  if (kind instanceof Refusal) return kind;
  const points = wire.points ?? [];
  const [given] = points;
  if (given === undefined || points.length > 1) {
    return badField(
      'points',
      `Exactly one point can be written per TimeSeries per request, and there are ${points.length}.`,
    );
  }
  const value = readValue(given.value, wire.valueType);
  if (value instanceof Refusal) return value;
  const interval = readInterval(given.interval, kind, nowMs);
  if (interval instanceof Refusal) return interval;
  const point: Point = { ...interval, value: value.value };
  return {
    metricType,
    metricLabels,
    resourceType,
    resourceLabels,
    kind,
    valueType: value.type,
    point,
  };
}

/** Whether a user may write it; all else is Google's own. */
export function isCustomType(type: string): boolean {
  return (
    type.length <= limits.metricTypeCharactersMax &&
    /^(custom|workload|external)\.googleapis\.com(\/[A-Za-z0-9_][A-Za-z0-9_.]*)+$/.test(type)
  );
}

export function faultOfLabels(labels: Labels): string | undefined {
  const entries = Object.entries(labels);
  if (entries.length > limits.labelsMax) {
    return `${entries.length} labels, and at most ${limits.labelsMax} are allowed.`;
  }
  for (const [key, value] of entries) {
    if (!isLabelKey(key)) return `"${key}" is no name of a label.`;
    if (Buffer.byteLength(value) > limits.labelValueBytesMax) {
      return `the value of "${key}" is longer than ${limits.labelValueBytesMax} bytes.`;
    }
  }
  return undefined;
}

export function isLabelKey(key: string): boolean {
  return key.length <= limits.labelKeyCharactersMax && /^[A-Za-z][A-Za-z0-9_]*$/.test(key);
}

function faultOfResource(type: string, labels: Labels, project: string): Refusal | undefined {
  const names = Object.hasOwn(RESOURCE_LABELS, type) ? RESOURCE_LABELS[type] : undefined;
  if (names === undefined) {
    return badField('resource.type', `"${type}" is not one that Distrise writes to.`);
  }
  const missing = names.filter((name) => labels[name] === undefined || labels[name] === '');
  if (missing.length > 0) {
    return badField('resource.labels', `${missing.join(', ')} must be given for ${type}.`);
  }
  const unknown = Object.keys(labels).filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    return badField('resource.labels', `${type} has no label ${unknown.join(', ')}.`);
  }
  if (labels['project_id'] !== project) {
    return badField('resource.labels', `project_id is not the project of the call, ${project}.`);
  }
  const fault = faultOfLabels(labels);
  return fault === undefined ? undefined : badField('resource.labels', fault);
}

function readKind(given = 'METRIC_KIND_UNSPECIFIED'): MetricKind | Refusal {
  // An unsaid kind is that of a gauge.
  if (given === 'METRIC_KIND_UNSPECIFIED') return 'GAUGE';
  const kind = KINDS.find((each) => each === given);
  if (kind === undefined) return badField('metricKind', `"${given}" is no kind of metrics.`);
  if (kind === 'DELTA') {
    return badField('metricKind', 'user-defined metrics are GAUGE or CUMULATIVE.');
  }
  return kind;
}

/** The value with its type, which must be the one that the series claims. */
function readValue(
  given: WireTypedValue = {},
  claimed = 'VALUE_TYPE_UNSPECIFIED',
): { type: ValueType; value: Value } | Refusal {
  const read = readTyped(given);
  if (read instanceof Refusal) return read;
  const known = VALUE_TYPES.find((each) => each === claimed);
  if (claimed !== 'VALUE_TYPE_UNSPECIFIED' && known !== read.type) {
    return badField('valueType', `it is ${claimed}, and the point holds ${read.type}.`);
  }
  return read;
}

function readTyped(given: WireTypedValue): { type: ValueType; value: Value } | Refusal {
  const { boolValue, int64Value, doubleValue, distributionValue } = given;
  if (boolValue !== undefined) return { type: 'BOOL', value: boolValue ? 1 : 0 };
  if (int64Value !== undefined) return { type: 'INT64', value: int64Value };
  if (doubleValue !== undefined) {
    if (Number.isFinite(doubleValue)) return { type: 'DOUBLE', value: doubleValue };
    return badField('points[0].value', `${doubleValue} is no finite number.`);
  }
  if (distributionValue !== undefined) {
    const value = readDistribution(distributionValue);
    return value instanceof Refusal ? value : { type: 'DISTRIBUTION', value };
  }
  return badField('points[0].value', 'it must hold a bool, int64, double or distribution.');
}

function readInterval(
  given: WireInterval | undefined,
  kind: MetricKind,
  nowMs: number,
): { startMs: number; endMs: number } | Refusal {
  const refuse = (part: string, why: string) => badField(`points[0].interval.${part}`, why);
  if (given?.endTime === undefined) return refuse('endTime', 'it must be given.');
  const endMs = msOf(given.endTime);
  if (endMs < nowMs - limits.pastMsMax) {
    return refuse('endTime', 'it is more than 25 hours in the past.');
  }
  if (endMs > nowMs + limits.futureMsMax) {
    return refuse('endTime', 'it is more than 5 minutes in the future.');
  }
  const startMs = given.startTime === undefined ? undefined : msOf(given.startTime);
  if (kind === 'GAUGE') {
    if (startMs !== undefined && startMs !== endMs) {
      return refuse('startTime', 'for GAUGE it must be absent or equal to the end.');
    }
    return { startMs: endMs, endMs };
  }
  if (startMs === undefined) return refuse('startTime', 'it must be given for CUMULATIVE.');
  if (startMs >= endMs) return refuse('startTime', 'for CUMULATIVE it must be before the end.');
  return { startMs, endMs };
}
