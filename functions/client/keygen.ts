import type { Command } from 'commander';
import { generateSecretKey } from 'nostr-tools/pure';
import { EXIT } from './exit.ts';
import { keyForms, writeKeyFile } from './keys.ts';
import { LineOutput } from './output.ts';
import type { EndWith, Surroundings } from './surroundings.ts';

interface KeygenOptions {
  readonly output?: string;
  readonly json?: boolean;
}

const HELP = `
Examples:
  distrise keygen                          print a new pair of keys
  distrise keygen --output ~/.nostr-key    write the secret key to a file that only you may read
  distrise keygen --json | jq -r .npub

Whoever has the secret key (nsec) is you; nobody can give it back to you when it is lost.
A file that exists is never overwritten.`;

/** `keygen`: a new pair of keys. */
export function addKeygen(program: Command, surroundings: Surroundings, end: EndWith): void {
  program
    .command('keygen')
    .description('make a new pair of keys')
    .option('-o, --output <file>', 'write the secret key here (mode 0600) instead of printing it')
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(async (options: KeygenOptions) => {
      await keygen(options, surroundings);
      end(EXIT.done);
    });
}

async function keygen({ output, json }: KeygenOptions, surroundings: Surroundings): Promise<void> {
  const forms = keyForms(generateSecretKey());
  const { npub, publicHex, nsec, secretHex } = forms;
  // With a file the secret goes nowhere else.
  if (output !== undefined) await writeKeyFile(output, forms);
  const shown = output === undefined ? { npub, publicHex, nsec, secretHex } : { npub, publicHex };
  const out = new LineOutput(surroundings.stdout);
  const labels = {
    npub: 'public key ',
    publicHex: '           ',
    nsec: 'secret key ',
    secretHex: '           ',
  };
  const lines = Object.entries(shown).map(
    ([name, value]) => `${labels[name as keyof typeof labels]} ${value}\n`,
  );
  await out.write(json === true ? `${JSON.stringify(shown)}\n` : lines.join(''));
  await out.flush();
}
