import { type Json, type JsonObject, listAt, numberAt, objectAt, textAt } from './json.ts';
import { parseBurnRate } from './metric-filter.ts';
import { promqlFaults } from './promql-faults.ts';
import { MESSAGES, shapeFaults } from './protobuf.ts';
import { queryFaults } from './query-faults.ts';

/** The parts of each alert's documentation, in the order that a person needs them. */
const DOCUMENTATION_PARTS = ['What it means', 'How to look', 'What to do'] as const;
const SEVERITIES = ['CRITICAL', 'ERROR', 'WARNING'];

/** Everything that is wrong with an alert file. `objectives`: the full names of those there are. */
export function alertFaults(policy: JsonObject, objectives: readonly string[]): string[] {
  const shape = shapeFaults(MESSAGES.alert, policy);
  if (shape.length > 0) return shape;
  const faults: string[] = [];
  if (textAt(policy, 'displayName') === '') faults.push('no name');
  if (!SEVERITIES.includes(textAt(policy, 'severity'))) faults.push('no severity');
  if (policy['enabled'] !== true) faults.push('not enabled');
  const conditions = listAt(policy, 'conditions');
  // alert.proto: one to six.
  if (conditions.length < 1 || conditions.length > 6) faults.push('not one to six conditions');
  faults.push(...documentationFaults(objectAt(policy, 'documentation')));
  for (const condition of conditions) {
    const name = textAt(condition, 'displayName');
    if (name === '') faults.push('a condition has no name');
    faults.push(...conditionFaults(condition, objectives).map((fault) => `${name}: ${fault}`));
  }
  return faults;
}

function documentationFaults(documentation: JsonObject): string[] {
  const content = textAt(documentation, 'content');
  const parts = [...content.matchAll(/^## (.*)$/gm)].map(([, title]) => title);
  const faults: string[] = [];
  if (parts.join('|') !== DOCUMENTATION_PARTS.join('|')) {
    faults.push(`the documentation has the parts ${parts.join(', ') || 'none'}`);
  }
  if (content.split(/^## .*$/m).some((part, index) => index > 0 && part.trim().length < 40)) {
    faults.push('a part of the documentation says nothing');
  }
  // alert.proto: at most 8,192 characters and 10,240 bytes; a subject of 255 bytes.
  if (content.length > 8_192 || Buffer.byteLength(content) > 10_240) {
    faults.push('the documentation is too long');
  }
  if (textAt(documentation, 'mimeType') !== 'text/markdown') faults.push('no Markdown');
  const subject = textAt(documentation, 'subject');
  if (subject === '' || Buffer.byteLength(subject) > 255) faults.push('no subject of 255 bytes');
  return faults;
}

function conditionFaults(condition: Json, objectives: readonly string[]): string[] {
  const of = objectAt(condition);
  if ('conditionThreshold' in of) {
    return thresholdFaults(objectAt(of, 'conditionThreshold'), objectives);
  }
  if ('conditionAbsent' in of) return absenceFaults(objectAt(of, 'conditionAbsent'));
  if ('conditionPrometheusQueryLanguage' in of) {
    const query = textAt(of, 'conditionPrometheusQueryLanguage', 'query');
    return [
      ...promqlFaults(query),
      ...(/[<>]/.test(query) ? [] : ['a PromQL condition must compare']),
    ];
  }
  return ['no condition that we use'];
}

function thresholdFaults(threshold: JsonObject, objectives: readonly string[]): string[] {
  const faults: string[] = [];
  const filter = textAt(threshold, 'filter');
  const durationSeconds = secondsOf(threshold);
  if (!('thresholdValue' in threshold)) faults.push('no threshold');
  if (!['COMPARISON_GT', 'COMPARISON_LT'].includes(textAt(threshold, 'comparison'))) {
    faults.push('only above and below can be compared');
  }
  if (durationSeconds === undefined || durationSeconds % 60 !== 0) faults.push('no whole minutes');
  // alert.proto: only where a duration says what is missing.
  if ('evaluationMissingData' in threshold && (durationSeconds ?? 0) < 60) {
    faults.push('missing data needs a duration');
  }
  try {
    const burn = parseBurnRate(filter);
    if (burn !== undefined)
      return [...faults, ...burnFaults(threshold, burn.objective, objectives)];
  } catch (error) {
    return [...faults, (error as Error).message];
  }
  faults.push(
    ...queryFaults(
      filter,
      listAt(threshold, 'aggregations').map((each) => objectAt(each)),
    ),
  );
  if ('denominatorFilter' in threshold) {
    const below = listAt(threshold, 'denominatorAggregations').map((each) => objectAt(each));
    faults.push(...queryFaults(textAt(threshold, 'denominatorFilter'), below));
    const [above] = listAt(threshold, 'aggregations');
    if (textAt(above, 'alignmentPeriod') !== textAt(below[0], 'alignmentPeriod')) {
      faults.push('both sides of a ratio must have the same alignment period');
    }
  }
  return faults;
}

/** Of a burn rate only the filter is used; Google's page says that nothing else may be set. */
function burnFaults(
  threshold: JsonObject,
  objective: string,
  objectives: readonly string[],
): string[] {
  return [
    ...(objectives.includes(objective) ? [] : [`unknown objective ${objective}`]),
    ...('aggregations' in threshold || 'denominatorFilter' in threshold
      ? ['a burn rate is not aggregated']
      : []),
    ...(numberAt(threshold, 'thresholdValue') > 1 ? [] : ['a burn rate of 1 is as planned']),
  ];
}

function absenceFaults(absence: JsonObject): string[] {
  const seconds = secondsOf(absence);
  return [
    ...queryFaults(
      textAt(absence, 'filter'),
      listAt(absence, 'aggregations').map((each) => objectAt(each)),
    ),
    // alert.proto: at least two minutes, in whole ones.
    ...(seconds !== undefined && seconds >= 120 && seconds % 60 === 0 ? [] : ['under two minutes']),
  ];
}

function secondsOf(condition: JsonObject): number | undefined {
  const seconds = /^(\d+)s$/.exec(textAt(condition, 'duration'))?.[1];
  return seconds === undefined ? undefined : Number(seconds);
}
