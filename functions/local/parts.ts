import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PartSpec } from './part.ts';

type Environment = NodeJS.ProcessEnv;

/** `.ts` when run from source, `.js` when compiled: the parts follow the supervisor. */
const extension = extname(fileURLToPath(import.meta.url));
const functionsFolder = join(dirname(fileURLToPath(import.meta.url)), '..');

function entry(...path: string[]): string {
  return join(functionsFolder, ...path) + extension;
}

/**
 * A part that is a Node process of its own and speaks over its channel. K_SERVICE, which
 * Cloud Run sets, stays unset: by it a service knows that a proxy stands before it.
 */
function nodePart(name: string, args: readonly string[], env: Environment): PartSpec {
  return { name, command: process.execPath, args, env, ready: 'message' };
}

export function guardPart(env: Environment): PartSpec {
  return nodePart('guard', [entry('local', 'guard')], env);
}

export function pubsubPart(env: Environment, port: number, dataFolder: string): PartSpec {
  const own = { PORT: String(port), DATA_DIR: dataFolder };
  return nodePart('pubsub', [entry('local', 'pubsub', 'main')], { ...env, ...own });
}

export function monitoringPart(env: Environment, port: number, pagePort: number): PartSpec {
  const own = { PORT: String(port), PAGE_PORT: String(pagePort) };
  return nodePart('monitoring', [entry('local', 'monitoring', 'main')], { ...env, ...own });
}

export function relayPart(env: Environment, index: number, port: number): PartSpec {
  const own = { PORT: String(port) };
  return nodePart(`relay-${index}`, [entry('relay', 'main')], { ...env, ...own });
}

/** A function under functions-framework, by its own command, as in the cloud. */
export function functionPart(name: string, env: Environment, port: number): PartSpec {
  // Its command is no export of the package, but lies beside what is.
  const framework = createRequire(import.meta.url).resolve('@google-cloud/functions-framework');
  const args = [
    `--import=${new URL(`./attach${extension}`, import.meta.url)}`,
    join(dirname(framework), 'main.js'),
    `--target=${name}`,
    `--source=${entry(name, 'function')}`,
    '--signature-type=http',
    `--port=${port}`,
  ];
  const own = { PORT: String(port), NODE_ENV: 'production' };
  return nodePart(name, args, { ...env, ...own });
}
