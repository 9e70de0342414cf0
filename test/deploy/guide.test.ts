import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BACKUP } from '../support/deploy/kept.ts';
import { Operator } from '../support/deploy/pipeline.ts';
import type { World } from '../support/deploy/world.ts';

const readme = readFileSync(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8');
const [, chapter = ''] = /^## Deploy\n([\s\S]*?)^## /m.exec(readme) ?? [];
/** The commands of the guide, by the bold word before them. */
const guide = [
  ...chapter.matchAll(/^\*\*([^*]+)\*\*(?:(?!```)[\s\S])*?```sh\n([\s\S]*?)```/gm),
].map(([, name = '', block = '']) => ({ name, commands: block.trimEnd().split('\n') }));

let operator: Operator;
beforeAll(async () => {
  operator = await Operator.start();
});
afterAll(() => operator.close());

/** Types a command as it stands there, and answers what it asks. */
async function follow(command: string): Promise<string> {
  const { code, text } = command.startsWith('gcloud builds submit ')
    ? await operator.submit()
    : await operator.type(command, command.includes('--and-data') ? 'my-relay-123\n' : 'yes\n');
  expect({ command, code, text }).toMatchObject({ code: 0 });
  // A build is played step by step; the command itself is only read.
  if (command.startsWith('gcloud builds submit ')) await operator.type(command);
  return text;
}

/** What an operator sees after a chapter: the revision that serves, and what the system knows. */
const seen = ({ services, pointed, profile }: World) => [
  services['relay']?.traffic.find(({ percent }) => percent === 100)?.revision,
  pointed['store'],
  profile,
];

it('a new operator who types what the guide says gets through all of it', async () => {
  const states: Record<string, unknown> = {};
  for (const { name, commands } of guide) {
    // From a newer checkout.
    if (name === 'Upgrade') operator.changeVersion();
    for (const command of commands) await follow(command);
    states[name] = name === 'Stop' ? operator.world.alive : seen(operator.world);
  }
  const [clone, second] = ['distrise-20261125025500', 'distrise-20261124030012'];
  expect(states).toEqual({
    'From an empty project to a relay.': ['relay-00002-abc', 'distrise', 'personal'],
    Change: ['relay-00004-abc', 'distrise', 'community'],
    Upgrade: ['relay-00006-abc', 'distrise', 'community'],
    'Roll back': ['relay-00004-abc', 'distrise', 'community'],
    Restore: ['relay-00008-abc', clone, 'community'],
    'Restore a backup': ['relay-00010-abc', second, 'community'],
    'Back to the old instance': ['relay-00012-abc', 'distrise', 'community'],
    Stop: false,
  });
  // What was accepted since is given to store when it writes to the other database already.
  expect(operator.world.replays).toEqual([
    { since: '2026-11-25T01:55:00Z', into: clone },
    { since: '2026-11-24T02:00:12Z', into: second },
    { since: '2026-11-25T04:00:00Z', into: 'distrise' },
  ]);
  expect(operator.world.databases).toEqual({
    distrise: { runs: false },
    [second]: { from: BACKUP, at: '', runs: false },
  });
  // Each command is one that the tools know, with flags that they know.
  expect(operator.calls.filter(({ refused }) => refused !== undefined)).toEqual([]);
}, 300_000);
