import { parser } from '@prometheus-io/lezer-promql';
import { KNOWN_METRICS } from './known-metrics.ts';

/** What is wrong with a PromQL expression: it does not parse, or names what is not there. */
export function promqlFaults(query: string): string[] {
  const faults: string[] = [];
  let selectors = 0;
  parser.parse(query).iterate({
    enter: (node) => {
      if (node.type.isError) faults.push(`PromQL does not parse at ${node.from}: ${query}`);
      if (node.name !== 'VectorSelector') return;
      selectors += 1;
      faults.push(...selectorFaults(query.slice(node.from, node.to)));
    },
  });
  if (selectors === 0) faults.push(`PromQL names no metric: ${query}`);
  return faults;
}

/** Cloud Monitoring's own metrics are named by quoted matchers: `{"__name__"="a/b", ...}`. */
function selectorFaults(selector: string): string[] {
  const matchers = new Map(
    [...selector.matchAll(/"(\w+)"(=~|=)"([^"]*)"/g)].map(([, label, operator, value]) => [
      label!,
      { operator: operator!, value: value! },
    ]),
  );
  const type = matchers.get('__name__')?.value;
  const metric = KNOWN_METRICS.get(type ?? '');
  if (metric === undefined) return [`unknown metric ${type ?? selector}`];
  const faults: string[] = [];
  const resource = matchers.get('monitored_resource')?.value;
  if (resource !== metric.resource) faults.push(`${type} is written on ${metric.resource}`);
  for (const [label, { operator, value }] of matchers) {
    if (label === '__name__' || label === 'monitored_resource') continue;
    const allowed = metric.labels[label];
    if (allowed === undefined) {
      if (!metric.resourceLabels.includes(label)) faults.push(`${type} has no label ${label}`);
    } else if (operator === '=' && allowed.length > 0 && !allowed.includes(value)) {
      faults.push(`${label} of ${type} is never ${value}`);
    }
  }
  return faults;
}
