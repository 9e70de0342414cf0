import { join } from 'node:path';
import {
  COMPONENTS,
  definitionOf,
  labelValues,
  METRIC_NAMES,
} from '../../../../functions/cloud/metrics/catalogue.ts';
import { sourceOf } from '../../../support/imports.ts';
import { filesBehind, textsIn } from '../../../support/written-texts.ts';

const ROOT = join(import.meta.dirname, '../../../..');

describe('what counts as text that code hands on', () => {
  it('is no type, no key and no import', () => {
    const source = `
      import { x } from 'imported';
      type T = 'typed';
      const table: Record<T, 'told'> = { 'keyed': 'given' as 'asserted', ...x };
      counts.added += 1;
      say(\`pieced: \${table.read}\`);`;
    expect([...textsIn(source)].sort()).toEqual(['', 'added', 'given', 'pieced: ']);
  });
});

describe('a component writes', () => {
  it.each([...COMPONENTS])(
    '%s: every label value that the catalogue lets it write',
    (component) => {
      const files = filesBehind(ROOT, `functions/${component}`, [
        'functions/cloud/metrics/catalogue.ts',
      ]);
      const texts = new Set(files.flatMap((path) => [...textsIn(sourceOf(ROOT, path))]));
      // A refusal's prefix names its reason (NIP-01).
      const prefixes = new Set([...texts].flatMap((text) => /^([a-z-]+): /.exec(text)?.[1] ?? []));
      const missing = METRIC_NAMES.filter((name) =>
        definitionOf(name).components.includes(component),
      ).flatMap((name) =>
        Object.keys(definitionOf(name).labels).flatMap((label) =>
          labelValues(name, label, component)
            .filter((value) => !texts.has(value) && !prefixes.has(value))
            .map((value) => `${name} ${label} ${value}`),
        ),
      );
      expect(missing).toEqual([]);
    },
  );
});
