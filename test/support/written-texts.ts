import { existsSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';
import { parseSync } from '@swc/core';
import { importsIn, sourceFiles, sourceOf } from './imports.ts';

type Node = { readonly [key: string]: unknown };
const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null;

/** TypeScript's own nodes that hold a value. */
const VALUES: ReadonlySet<string> = new Set([
  'TsAsExpression',
  'TsConstAssertion',
  'TsNonNullExpression',
  'TsSatisfiesExpression',
]);

/**
 * Texts that code may hand on: literals and pieces of templates, and names of properties that are
 * counted up. What stands in types, keys and imports is handed to nobody.
 */
export function textsIn(source: string): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (value: unknown): void => {
    if (!isNode(value)) return;
    if (Array.isArray(value)) {
      for (const each of value) visit(each);
      return;
    }
    const type = String(value['type'] ?? '');
    if (VALUES.has(type)) visit(value['expression']);
    if (type.startsWith('Ts') || type === 'ImportDeclaration') return;
    if (type === 'StringLiteral') found.add(String(value['value']));
    if (type === 'TemplateElement') found.add(String(value['cooked'] ?? ''));
    if (type === 'AssignmentExpression') addProperty(value['left']);
    for (const [key, part] of Object.entries(value)) {
      if (type !== 'KeyValueProperty' || key !== 'key') visit(part);
    }
  };
  const addProperty = (left: unknown): void => {
    const property = isNode(left) ? left['property'] : undefined;
    if (isNode(property) && property['type'] === 'Identifier') found.add(String(property['value']));
  };
  visit(parseSync(source, { syntax: 'typescript', target: 'es2024' }));
  return found;
}

/** The files of a folder below `root` and all that they import of our own, but for some. */
export function filesBehind(
  root: string,
  folder: string,
  without: readonly string[] = [],
): readonly string[] {
  const found = new Set<string>();
  const waiting = sourceFiles(root, folder);
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (found.has(path) || without.includes(path)) continue;
    found.add(path);
    for (const name of importsIn(sourceOf(root, path))) {
      if (!name.startsWith('.')) continue;
      const target = normalize(join(dirname(path), name))
        .split(sep)
        .join('/');
      if (/\.ts$/.test(target) && existsSync(join(root, target))) waiting.push(target);
    }
  }
  return [...found];
}
