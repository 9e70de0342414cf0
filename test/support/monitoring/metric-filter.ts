/** The part of Cloud Monitoring's filters that our files use: comparisons joined by AND. */
export interface MetricFilter {
  readonly metricType: string;
  readonly resourceType: string;
  readonly labels: readonly LabelTerm[];
}
export interface LabelTerm {
  readonly of: 'metric' | 'resource';
  readonly label: string;
  readonly operator: '=' | '!=' | 'one_of' | 'full_match';
  readonly values: readonly string[];
}

const TEXT = String.raw`"((?:[^"\\]|\\.)*)"`;
const TERM = new RegExp(
  String.raw`^(metric|resource)\.(?:(type)|label\."(\w+)")(!?=)(?:${TEXT}|one_of\(((?:${TEXT},?)+)\)|monitoring\.regex\.full_match\(${TEXT}\))(?: AND |$)`,
);

/** Throws with what it cannot read. */
export function parseMetricFilter(filter: string): MetricFilter {
  let rest = filter;
  const types = { metric: '', resource: '' };
  const labels: LabelTerm[] = [];
  while (rest !== '') {
    const found = TERM.exec(rest);
    if (found === null) throw new Error(`no filter that we use: ${rest}`);
    const [whole, of, type, label, operator, text, list, , pattern] = found;
    const at = of as 'metric' | 'resource';
    rest = rest.slice(whole.length);
    if (rest === '' && whole.endsWith(' AND ')) throw new Error(`nothing after AND: ${filter}`);
    if (type !== undefined) {
      if (operator !== '=' || text === undefined) throw new Error(`${at}.type must be =: ${whole}`);
      if (types[at] !== '') throw new Error(`${at}.type stands twice: ${filter}`);
      types[at] = text;
    } else {
      labels.push(termOf(at, label!, operator!, { text, list, pattern }));
    }
  }
  if (types.metric === '' || types.resource === '') {
    throw new Error(`metric.type and resource.type must both be given: ${filter}`);
  }
  return { metricType: types.metric, resourceType: types.resource, labels };
}

function termOf(
  of: 'metric' | 'resource',
  label: string,
  operator: string,
  given: {
    readonly text: string | undefined;
    readonly list: string | undefined;
    readonly pattern: string | undefined;
  },
): LabelTerm {
  const { text, list, pattern } = given;
  if (text !== undefined) return { of, label, operator: operator as '=' | '!=', values: [text] };
  if (operator !== '=') throw new Error(`${label}: only a plain text may follow !=`);
  if (list !== undefined) {
    const values = [...list.matchAll(new RegExp(TEXT, 'g'))].map(([, value]) => value!);
    return { of, label, operator: 'one_of', values };
  }
  return { of, label, operator: 'full_match', values: [pattern!] };
}

/** `metric.label."x"` or `resource.label."x"`. */
export function parseGroupBy(field: string): { of: 'metric' | 'resource'; label: string } {
  const [, of, label] = /^(metric|resource)\.label\."(\w+)"$/.exec(field) ?? [];
  if (label === undefined) throw new Error(`no field to group by: ${field}`);
  return { of: of as 'metric' | 'resource', label };
}

/** `select_slo_burn_rate("name", "60m")`, the only selector that alert policies may use. */
export function parseBurnRate(filter: string): { objective: string; lookback: string } | undefined {
  if (!filter.startsWith('select_slo_')) return undefined;
  const [, objective, lookback] =
    /^select_slo_burn_rate\("([^"]+)", "(\d+[smh])"\)$/.exec(filter) ?? [];
  if (lookback === undefined) throw new Error(`no burn rate: ${filter}`);
  return { objective: objective!, lookback };
}
