import { faultOfLabels, isCustomType, isLabelKey } from './incoming.ts';
import { limits } from './limits.ts';
import { badField, Refusal } from './refusal.ts';
import type { Incoming, MetricKind, ValueType } from './series.ts';
import type { WireMetricDescriptor } from './wire.ts';

/** What is known of a metric: told beforehand, or taken from its first point. */
export interface Descriptor {
  readonly type: string;
  readonly kind: MetricKind;
  readonly valueType: ValueType;
  readonly labelKeys: readonly string[];
  readonly unit: string;
  readonly description: string;
  readonly displayName: string;
}

const KINDS: readonly MetricKind[] = ['GAUGE', 'CUMULATIVE'];
const VALUE_TYPES: readonly ValueType[] = ['BOOL', 'INT64', 'DOUBLE', 'DISTRIBUTION'];

/** A metric as its first point makes it. */
export function descriptorOf({ metricType, kind, valueType, metricLabels }: Incoming): Descriptor {
  const labelKeys = Object.keys(metricLabels);
  const untold = { unit: '', description: '', displayName: '' };
  return { type: metricType, kind, valueType, labelKeys, ...untold };
}

/** A metric as it is told, which may add to what is known of it and change none of it. */
export function readDescriptor(
  wire: WireMetricDescriptor,
  known: Descriptor | undefined,
): Descriptor | Refusal {
  const { type = '', metricKind, valueType: claimed, labels = [] } = wire;
  if (!isCustomType(type)) {
    return badField('metricDescriptor.type', `"${type}" is no name of a user-defined metric.`);
  }
  const kind = KINDS.find((each) => each === metricKind);
  if (kind === undefined) return badField('metricDescriptor.metricKind', 'GAUGE or CUMULATIVE.');
  const valueType = VALUE_TYPES.find((each) => each === claimed);
  if (valueType === undefined) {
    return badField('metricDescriptor.valueType', VALUE_TYPES.join(', '));
  }
  if (known !== undefined && (known.kind !== kind || known.valueType !== valueType)) {
    return new Refusal(
      `${type} is already there as ${known.kind} ${known.valueType}; ` +
        'kind and value type cannot be changed.',
    );
  }
  const keys = labels.map(({ key = '' }) => key);
  const labelFault = faultOfLabels(Object.fromEntries(keys.map((key) => [key, ''])));
  if (labelFault !== undefined || !keys.every(isLabelKey)) {
    return badField('metricDescriptor.labels', labelFault ?? 'a label must be named.');
  }
  return {
    type,
    kind,
    valueType,
    // Labels are never removed.
    labelKeys: [...new Set([...(known?.labelKeys ?? []), ...keys])],
    // Each is set once, while it is empty.
    unit: known?.unit || (wire.unit ?? ''),
    description: known?.description || (wire.description ?? ''),
    displayName: known?.displayName || (wire.displayName ?? ''),
  };
}

/** As Google answers. */
export function wireDescriptor(descriptor: Descriptor, project: string): WireMetricDescriptor {
  const { type, kind, valueType, labelKeys, unit, description, displayName } = descriptor;
  return {
    name: `projects/${project}/metricDescriptors/${type}`,
    type,
    metricKind: kind,
    valueType,
    unit,
    description,
    displayName,
    labels: labelKeys.map((key) => ({ key })),
  };
}

/** No more metrics than a project is likely to have. */
export const descriptorsFull = (count: number) => count >= limits.descriptorsMax;
