import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export type Tool = 'gcloud' | 'docker' | 'terraform';
export type Flags = Readonly<Record<string, 'bool' | 'value'>>;

/** What tools know, by their own lists; see derive-commands.ts. */
export interface Commands {
  readonly source: readonly string[];
  readonly gcloud: Readonly<Record<string, Flags>>;
  /** Flags of every gcloud command. */
  readonly gcloudEverywhere: Flags;
  readonly docker: Readonly<Record<string, Flags>>;
  readonly terraform: Readonly<Record<string, Flags>>;
}

/** A call as the tool would read it. */
export interface Call {
  readonly command: string;
  readonly words: readonly string[];
  readonly flags: Readonly<Record<string, string>>;
  /** Every value of a flag that may come again. */
  readonly all: (flag: string) => readonly string[];
}

export const COMMANDS = JSON.parse(
  readFileSync(join(import.meta.dirname, 'commands.json'), 'utf8'),
) as Commands;

/** Reads a call, or says why the tool would refuse it. Values come by `=`, which reads best. */
export function readCall(tool: Tool, args: readonly string[]): Call | string {
  const known = COMMANDS[tool];
  // The longest command that the call begins with.
  const command = Object.keys(known)
    .filter((words) => args.slice(0, words.split(' ').length).join(' ') === words)
    .toSorted((a, b) => b.length - a.length)[0];
  if (command === undefined) return `${tool} has no command "${args.join(' ')}"`;
  const rest = args.slice(command.split(' ').length);
  const allowed = { ...(tool === 'gcloud' ? COMMANDS.gcloudEverywhere : {}), ...known[command] };
  const words: string[] = [];
  const given: [string, string][] = [];
  for (const arg of rest) {
    // What docker run starts has flags of its own.
    if (
      !arg.startsWith('-') ||
      arg === '-' ||
      (tool === 'docker' && command === 'run' && words.length > 0)
    ) {
      words.push(arg);
      continue;
    }
    const [name = '', value] = splitOnce(arg);
    // gcloud's flags without a value can all be turned around.
    const kind = allowed[name] ?? (tool === 'gcloud' ? turned(allowed, name) : undefined);
    if (kind === undefined) return `${tool} ${command}: unrecognized argument ${name}`;
    // Terraform's may say =true, and others may not.
    if (kind === 'bool' && value !== undefined) return `${tool} ${command}: ${name} has no value`;
    if (kind === 'value' && value === undefined) return `${tool} ${command}: ${name} needs a value`;
    given.push([name, value ?? '']);
  }
  const all = (flag: string) => given.filter(([name]) => name === flag).map(([, value]) => value);
  return { command, words, flags: Object.fromEntries(given), all };
}

const turned = (allowed: Flags, name: string) =>
  name.startsWith('--no-') && allowed[`--${name.slice(5)}`] === 'bool' ? 'bool' : undefined;

function splitOnce(text: string): [string, string | undefined] {
  const at = text.indexOf('=');
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
