/**
 * The metrics that a PromQL expression names, as it spells them: by `__name__`, by a quoted name
 * that stands first in the braces, or by Google's way of writing a metric type as a plain name
 * (`custom_googleapis_com:distrise_success_total`).
 */
export function metricsOfPromQl(query: string): readonly string[] {
  const names = new Set<string>();
  for (const [, name] of query.matchAll(/["']?__name__["']?\s*=~?\s*["']([^"']+)["']/g)) {
    if (name !== undefined) names.add(name);
  }
  for (const [, name] of query.matchAll(/\{\s*["']([^"']+)["']\s*[,}]/g)) {
    if (name !== undefined) names.add(name);
  }
  const plain = query.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, '""');
  for (const [name] of plain.matchAll(/\b[a-zA-Z_]\w*:[\w:]+/g)) names.add(name);
  return [...names];
}
