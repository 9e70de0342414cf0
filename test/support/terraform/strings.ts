import type { Json } from './read.ts';

/** Every string in a parsed value, keys left out. */
export function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(stringsIn);
}

/** The expressions in a value: what stands in `${…}`, nested ones as part of the outer one. */
export function expressionsIn(value: unknown): string[] {
  return stringsIn(value).flatMap(interpolations);
}

/** The one expression that a value is, without `${` and `}`; undefined for anything else. */
export function expressionOf(value: Json | undefined): string | undefined {
  if (typeof value !== 'string' || !value.startsWith('${')) return undefined;
  const [only] = interpolations(value);
  return only !== undefined && only.length === value.length - 3 ? only : undefined;
}

function interpolations(text: string): string[] {
  const found: string[] = [];
  for (let at = text.indexOf('${'); at >= 0; at = text.indexOf('${', at)) {
    let depth = 0;
    let end = at + 1;
    do {
      if (text[end] === '{') depth += 1;
      if (text[end] === '}') depth -= 1;
      end += 1;
    } while (depth > 0 && end < text.length);
    found.push(text.slice(at + 2, end - 1));
    at = end;
  }
  return found;
}
