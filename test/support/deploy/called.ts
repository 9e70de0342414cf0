import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMMANDS } from './commands.ts';

const FOLDER = join(import.meta.dirname, '..', '..', '..', 'infra', 'deploy');

/** The commands of gcloud that the scripts of the pipeline call; what they tell a person to type is none. */
export function calledByPipeline(): string[] {
  const texts = readdirSync(FOLDER)
    .filter((name) => name.endsWith('.sh'))
    .map((name) => readFileSync(join(FOLDER, name), 'utf8').replaceAll('\\\n', ' '));
  return [...new Set(texts.flatMap(commandsIn))].toSorted();
}

/** Commands stand first in a line, in `$(…)`, or after a word of the shell. */
export function commandsIn(script: string): string[] {
  const calls = script.matchAll(
    /(?:^|\$\(|\| |\|\| |&& |! )[ \t]*(?:if |then |until |while )?gcloud ([a-z][\w -]*)/gm,
  );
  return [...calls].map(([, words = '']) => {
    const known = Object.keys(COMMANDS.gcloud).filter((command) =>
      `${words} `.startsWith(`${command} `),
    );
    return (
      known.toSorted((one, other) => other.length - one.length)[0] ?? words.split(' -')[0]!.trim()
    );
  });
}
