import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from '@cdktf/hcl2json';

/** One value of a parsed file: expressions are strings such as `${var.region}`. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };

/** A block of parsed Terraform: what hcl2json makes of `{ … }`. */
export interface Body {
  readonly [name: string]: Json;
}

/** All files of infra/ as one: kind of block, then type and name, or name alone. */
export interface Terraform {
  readonly resource: Readonly<Record<string, Readonly<Record<string, Body>>>>;
  readonly data: Readonly<Record<string, Readonly<Record<string, Body>>>>;
  readonly variable: Readonly<Record<string, Body>>;
  readonly output: Readonly<Record<string, Body>>;
  readonly locals: Readonly<Record<string, Json>>;
  readonly provider: Readonly<Record<string, Body>>;
  readonly terraform: Body;
  /** Blocks without a label. */
  readonly imports: readonly Json[];
}

export const INFRA = join(import.meta.dirname, '../../../infra');

/** The texts of every `.tf` file, by name. */
export function terraformFiles(): Record<string, string> {
  return Object.fromEntries(
    readdirSync(INFRA)
      .filter((name) => name.endsWith('.tf'))
      .toSorted()
      .map((name) => [name, readFileSync(join(INFRA, name), 'utf8')]),
  );
}

/** Parses files of Terraform; throws where one is not HCL, or where two define the same. */
export async function readTerraform(files = terraformFiles()): Promise<Terraform> {
  const all: Record<string, Record<string, Json>> = {};
  const imports: Json[] = [];
  for (const [name, text] of Object.entries(files)) {
    // `removed` says what was here once, and has no name; neither has `import`.
    const { removed: _, ...parsed } = (await parse(name, text)) as Record<string, Json>;
    for (const [kind, body] of Object.entries(parsed)) {
      if (kind === 'import') imports.push(...(body as readonly Json[]));
      else merge(all, kind, body, name);
    }
  }
  const one = (kind: string): Record<string, Json> => all[kind] ?? {};
  return {
    resource: mapValues(one('resource'), named),
    data: mapValues(one('data'), named),
    variable: named(one('variable')),
    output: named(one('output')),
    locals: one('locals'),
    provider: named(one('provider')),
    terraform: one('terraform'),
    imports,
  };
}

/** The types of the provider `google` that are used. */
export function typesUsed(terraform: Terraform): { resources: string[]; data: string[] } {
  const ofGoogle = (types: object) =>
    Object.keys(types)
      .filter((type) => type.startsWith('google_'))
      .toSorted();
  return { resources: ofGoogle(terraform.resource), data: ofGoogle(terraform.data) };
}

/** Blocks come as lists: `locals` of several files are one map; other kinds have labels. */
function merge(all: Record<string, Record<string, Json>>, kind: string, body: Json, file: string) {
  const into = all[kind] ?? {};
  all[kind] = into;
  const parts = Array.isArray(body) ? (body as readonly Json[]) : [body];
  for (const part of parts as readonly Record<string, Json>[]) {
    for (const [name, value] of Object.entries(part)) {
      const before = into[name];
      if (before === undefined) into[name] = value;
      else if (kind === 'resource' || kind === 'data') {
        const [there, more] = [before as Record<string, Json>, value as Record<string, Json>];
        const twice = Object.keys(more).find((label) => label in there);
        if (twice !== undefined) throw new Error(`${file}: ${kind} ${name}.${twice} stands twice`);
        into[name] = { ...there, ...more };
      } else throw new Error(`${file}: ${kind} ${name} stands twice`);
    }
  }
}

/** A labelled block comes as a list of one. */
function named(blocks: Json): Record<string, Body> {
  return mapValues(blocks as Record<string, Json>, (block) => {
    const [only, ...more] = Array.isArray(block) ? (block as readonly Json[]) : [block];
    if (more.length > 0) throw new Error('a block stands twice');
    return only as Body;
  });
}

const mapValues = <T, U>(record: Readonly<Record<string, T>>, of: (value: T) => U) =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, of(value)]));
