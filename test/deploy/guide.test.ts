import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Operator } from '../support/deploy/pipeline.ts';

const readme = readFileSync(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8');
const [, chapter = ''] = /^## Deploy\n([\s\S]*?)^## /m.exec(readme) ?? [];
/** The commands of the guide, by the bold word before them. */
const guide = [...chapter.matchAll(/\*\*([^*]+)\*\*[^`]*?[\s\S]*?```sh\n([\s\S]*?)```/g)].map(
  ([, name = '', block = '']) => ({ name, commands: block.trimEnd().split('\n') }),
);

let operator: Operator;
beforeAll(async () => {
  operator = await Operator.start();
});
afterAll(() => operator.close());

/** Types a command as it stands there, and answers what it asks. */
async function follow(command: string): Promise<string> {
  const [, given] = /^gcloud builds submit .*--substitutions=(\S+)$/.exec(command) ?? [];
  const substitutions = (given ?? '').split(',').map((pair) => pair.split('='));
  const { code, text } =
    given === undefined
      ? await operator.type(command, command.includes('--and-data') ? 'my-relay-123\n' : 'yes\n')
      : await operator.submit(Object.fromEntries(substitutions));
  expect({ command, code, text }).toMatchObject({ code: 0 });
  if (given !== undefined) expect((await operator.type(`${command} --async`)).code).toBe(0);
  return text;
}

it('the guide has a chapter for all of an operator’s life', () => {
  expect(guide.map(({ name }) => name)).toEqual([
    ...['From an empty project to a relay.', 'Upgrade', 'Roll back', 'Restore', 'Stop'],
  ]);
});

it('a new operator who types what the guide says gets through all of it', async () => {
  const traffic = () =>
    operator.world.services['relay']?.traffic.find(({ percent }) => percent === 100)?.revision;
  const seen: (string | undefined)[] = [];
  for (const { name, commands } of guide) {
    for (const command of commands) await follow(command);
    if (name !== 'Stop') seen.push(traffic());
  }
  expect(seen).toEqual(['00002', '00004', '00002', '00006'].map((number) => `relay-${number}-abc`));
  expect(operator.world.alive).toBe(false);
  // Each command is one that the tools know, with flags that they know.
  expect(operator.calls.filter(({ refused }) => refused !== undefined)).toEqual([]);
}, 120_000);
