import type { Descriptor } from './descriptors.ts';
import { limits } from './limits.ts';
import { badField, Refusal } from './refusal.ts';
import type { Incoming, Point } from './series.ts';

/** What Cloud Monitoring refuses because of what it already has. */

/** Kind, type and labels are those that the metric began with. */
export function checkDescriptor(
  descriptor: Pick<Descriptor, 'kind' | 'valueType' | 'labelKeys'>,
  { metricType, kind, valueType, metricLabels }: Incoming,
): Refusal | undefined {
  if (kind !== descriptor.kind) {
    return badField('metricKind', `${metricType} is ${descriptor.kind}, and not ${kind}.`);
  }
  if (valueType !== descriptor.valueType) {
    return badField('valueType', `${metricType} is ${descriptor.valueType}, and not ${valueType}.`);
  }
  const given = Object.keys(metricLabels);
  const unknown = given.filter((key) => !descriptor.labelKeys.includes(key));
  if (unknown.length > 0) {
    return new Refusal(`Unrecognized metric labels: [${unknown.join(', ')}] of ${metricType}.`);
  }
  const missing = descriptor.labelKeys.filter((key) => !given.includes(key));
  if (missing.length > 0) {
    return badField('metric.labels', `${metricType} also has ${missing.join(', ')}.`);
  }
  return undefined;
}

/** A point comes after the last one of its series, not too soon, and goes on where that ended. */
export function checkOrder(last: Point, { kind, point }: Incoming): Refusal | undefined {
  if (point.endMs <= last.endMs) {
    return new Refusal(
      'Points must be written in order. One or more of the points specified had an older end ' +
        'time than the most recent point.',
    );
  }
  if (point.endMs - last.endMs < limits.samplePeriodMsMin) {
    return new Refusal(
      'One or more points were written more frequently than the maximum sampling period ' +
        'configured for the metric.',
    );
  }
  if (kind !== 'CUMULATIVE' || point.startMs === last.startMs) return checkBounds(last, point);
  // Intervals are closed, so the next one may not begin where the last one ended.
  if (point.startMs < last.endMs + 1) {
    return new Refusal(
      'Points must be written in order. One or more of the points specified had an older start ' +
        'time than the most recent point: a reset starts at least 1 ms after the previous end.',
    );
  }
  return undefined;
}

/** Buckets that change between two points of one start could not be subtracted. */
function checkBounds(last: Point, next: Point): Refusal | undefined {
  const [before, after] = [last.value, next.value];
  if (typeof before === 'number' || typeof after === 'number') return undefined;
  const same =
    before.bounds.length === after.bounds.length &&
    before.bounds.every((bound, index) => bound === after.bounds[index]);
  if (same) return undefined;
  return badField(
    'points[0].distributionValue.bucketOptions',
    'the buckets of a series may not change.',
  );
}
