export type Json = string | number | boolean | null | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

export const isObject = (json: Json | undefined): json is JsonObject =>
  typeof json === 'object' && json !== null && !Array.isArray(json);

/** What is at a path, or an empty object: for reading files that a schema has checked. */
export function objectAt(json: Json | undefined, ...path: readonly string[]): JsonObject {
  const found = valueAt(json, ...path);
  return isObject(found) ? found : {};
}

export function listAt(json: Json | undefined, ...path: readonly string[]): readonly Json[] {
  const found = valueAt(json, ...path);
  return Array.isArray(found) ? found : [];
}

export function textAt(json: Json | undefined, ...path: readonly string[]): string {
  const found = valueAt(json, ...path);
  return typeof found === 'string' ? found : '';
}

export function numberAt(json: Json | undefined, ...path: readonly string[]): number {
  const found = valueAt(json, ...path);
  return typeof found === 'number' ? found : 0;
}

function valueAt(json: Json | undefined, ...path: readonly string[]): Json | undefined {
  let at = json;
  for (const key of path) at = isObject(at) ? at[key] : undefined;
  return at;
}
