import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { infraFiles } from '../../support/monitoring/files.ts';
import { textAt } from '../../support/monitoring/json.ts';

const readme = readFileSync(join(import.meta.dirname, '../../../README.md'), 'utf8');

describe('the section "On call" of the README', () => {
  test('names every alert with its severity, and no other', () => {
    const rows = [
      ...readme.matchAll(/^\| \[(.+)\]\(infra\/alerts\/(.+)\.json\) \| (\w+) \| .+ \|$/gm),
    ];
    const told = rows.map(([, title, name, severity]) => ({ name, title, severity }));
    const files = infraFiles('alerts').map(({ name, json }) => ({
      name,
      title: textAt(json, 'displayName').replace('Distrise: ', ''),
      severity: textAt(json, 'severity'),
    }));
    expect(told).toHaveLength(files.length);
    expect(told).toEqual(expect.arrayContaining(files));
  });

  test.each(['dashboards', 'slos'] as const)('leads to every file of %s', (folder) => {
    for (const { name } of infraFiles(folder)) {
      expect(readme).toContain(`(infra/${folder}/${name}.json)`);
    }
  });
});
