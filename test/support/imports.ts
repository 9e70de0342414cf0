import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, sep } from 'node:path';
import { parseSync } from '@swc/core';

/** Which rooms a room may import; every room may import itself. See the design's table of rooms. */
export type Rooms = Readonly<Record<string, readonly string[]>>;

/** The source files under a folder, by their paths from `root`, with forward slashes. */
export function sourceFiles(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.[cm]?[jt]s$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}

/** The source of a file below `root`. */
export const sourceOf = (root: string, path: string): string =>
  readFileSync(join(root, path), 'utf8');

/** Stands for the name in an `import()` of something that is worked out when it runs. */
export const COMPUTED = '(computed)';

/** Every module that a source names: static, dynamic, re-exported or for types only. */
export function importsIn(source: string): string[] {
  const found: string[] = [];
  visit(parseSync(source, { syntax: 'typescript', target: 'es2024' }), (node) => {
    const name = nameOfModule(node);
    if (name !== undefined) found.push(name);
  });
  return found;
}

/**
 * What is wrong with the imports of one file of `functions/`: one line each.
 * @param path from the root of the project, such as `functions/nostr/event.ts`.
 */
export function roomFaults(path: string, source: string, rooms: Rooms): string[] {
  const room = roomOf(path);
  const allowed = room === undefined ? undefined : rooms[room];
  if (room === undefined || allowed === undefined) return [`${path} is in no room`];
  const faults: string[] = [];
  for (const name of importsIn(source)) {
    if (!name.startsWith('.')) continue;
    const target = normalize(join(dirname(path), name))
      .split(sep)
      .join('/');
    const other = roomOf(target);
    if (other === undefined) faults.push(`${path} leaves functions/ for ${target}`);
    else if (other !== room && !allowed.includes(other)) {
      faults.push(`${path} imports ${target}, but ${room} may not import ${other}`);
    }
  }
  return faults;
}

/** The packages and parts of Node that a source imports. */
export const packagesIn = (source: string): string[] =>
  importsIn(source).filter((name) => !name.startsWith('.'));

/** Global names that a source uses, out of those asked for; comments and strings do not count. */
export function globalsIn(source: string, names: ReadonlySet<string>): string[] {
  const found = new Set<string>();
  visit(parseSync(source, { syntax: 'typescript', target: 'es2024' }), (node) => {
    // A property's name is an Identifier too; only an object or a call by itself counts.
    for (const key of ['object', 'callee', 'argument', 'expression', 'init', 'right']) {
      const part = node[key];
      if (isNode(part) && part['type'] === 'Identifier' && names.has(String(part['value']))) {
        found.add(String(part['value']));
      }
    }
  });
  return [...found];
}

type Node = { readonly [key: string]: unknown };

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null;

function visit(value: unknown, each: (node: Node) => void): void {
  if (!isNode(value)) return;
  if (!Array.isArray(value)) each(value);
  for (const part of Object.values(value)) visit(part, each);
}

function nameOfModule(node: Node): string | undefined {
  switch (node['type']) {
    case 'ImportDeclaration':
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
      return textOf(node['source']);
    case 'TsImportType':
      return textOf(node['argument']);
    case 'CallExpression': {
      const { callee, arguments: given } = node;
      if (!isNode(callee) || callee['type'] !== 'Import' || !Array.isArray(given)) return undefined;
      const [first] = given as unknown[];
      return (isNode(first) ? textOf(first['expression']) : undefined) ?? COMPUTED;
    }
    default:
      return undefined;
  }
}

/** The text of a string literal, also of one that `as` hides from TypeScript. */
function textOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  if (node['type'] === 'TsAsExpression') return textOf(node['expression']);
  return node['type'] === 'StringLiteral' ? String(node['value']) : undefined;
}

const roomOf = (path: string): string | undefined => /^functions\/([^/]+)\/./.exec(path)?.[1];
