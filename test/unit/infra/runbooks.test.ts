import { infraFiles } from '../../support/monitoring/files.ts';
import { listAt, textAt } from '../../support/monitoring/json.ts';
import { codeIn, referred, runbookFaults } from '../../support/monitoring/runbook-faults.ts';
import { startClient } from '../../support/run-client.ts';
import { runOperate } from '../../support/run-operator.ts';

const dashboards = infraFiles('dashboards');
const alerts = infraFiles('alerts');
const known = referred(dashboards, alerts);
const texts = [
  ...alerts.map(({ name, json }) => ({ name, content: textAt(json, 'documentation', 'content') })),
  ...dashboards.flatMap(({ name, json }) =>
    listAt(json, 'mosaicLayout', 'tiles')
      .map((tile) => textAt(tile, 'widget', 'text', 'content'))
      .filter((content) => content !== '')
      .map((content) => ({ name: `dashboard ${name}`, content })),
  ),
];
const runbook = (name: string) => texts.find((text) => text.name === name)!.content;

/** What our command line says of a command; of one that it does not know it says other things. */
async function helpOf(words: readonly string[]): Promise<string> {
  const operator = await runOperate([...words, '--help']);
  if (operator.stdout.startsWith(`Usage: distrise ${words.join(' ')} `)) return operator.stdout;
  const client = startClient([...words, '--help']);
  await client.code;
  return client.stdout();
}

async function distriseFaults(command: string): Promise<string[]> {
  const words = command.split(' ').slice(1);
  const named = words.filter((word) => /^[a-z-]+$/.test(word) && !word.startsWith('--'));
  const path = named.slice(0, ['sources', 'dead-letters', 'budget'].includes(named[0]!) ? 2 : 1);
  const help = await helpOf(path);
  if (!help.startsWith(`Usage: distrise ${path.join(' ')} `)) return [`no command: ${command}`];
  return words
    .filter((word) => word.startsWith('--') && !help.includes(`${word} `))
    .map((flag) => `no ${flag}: ${command}`);
}

describe('what a person on call reads', () => {
  test.each(texts)('$name names only what is there', ({ content }) => {
    expect(runbookFaults(content, known)).toEqual([]);
  });

  test('gives only commands that our own command line has', async () => {
    const commands = new Set(
      texts.flatMap(({ content }) => codeIn(content).filter((each) => /^distrise /.test(each))),
    );
    expect(commands.size).toBeGreaterThan(5);
    for (const command of commands) expect(await distriseFaults(command)).toEqual([]);
  });
});

describe('a runbook is refused', () => {
  /** The text with a change; what is changed must be there. */
  function changed(name: string, from: string, to: string): string {
    expect(runbook(name)).toContain(from);
    return runbook(name).replace(from, to);
  }

  test.each([
    ['a command that gcloud lacks', 'replica-lag', 'restart REPLICA', 'restart-replica REPLICA'],
    ['a region that is left out', 'backlog-age', ' --region=REGION', ''],
    ['a flag that was not looked up', 'database-disk', '--storage-auto', '--disk-auto'],
    ['a message that nobody logs', 'req-to-eose-p99', 'REQ took long"', 'REQ was slow"'],
    ['a message of another service', 'probe-failing', '"probe failed"', '"query failed"'],
    ['a severity above the message', 'metric-writes-failing', '>=WARNING', '>=ERROR'],
    ['a severity above most', 'nip11-unreachable', '>=WARNING', '>=ERROR'],
    ['a service that is none', 'nip11-unreachable', '"relay"', '"relays"'],
    ['a variable that is none', 'event-loop-held', 'ANSWER_BYTES_MAX', 'ANSWER_SIZE_MAX'],
    ['a widget that is none', 'disconnects-by-server', 'go in and out?*', 'go out*'],
    [
      'a widget of another dashboard',
      'replica-lag',
      'How far is each',
      'How do the sources stand?*, *How far is each',
    ],
    ['an alert that is none', 'no-events', '*The probe fails*', '*The probe is late*'],
  ])('for %s', (_what, name, from, to) => {
    expect(runbookFaults(changed(name, from, to), known)).toHaveLength(1);
  });

  test('for a command that our own command line lacks', async () => {
    expect(await distriseFaults('distrise sources forget URL')).toHaveLength(1);
    expect(await distriseFaults('distrise trace EVENT_ID --whole')).toHaveLength(1);
  });
});
