#!/usr/bin/env node
/**
 * Starts the command line that a command belongs to, with a Node that can run it. Plain JavaScript
 * without news, because the Node that a machine has may be older than the one that the checkout
 * brings along.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Commands of operators; all others, also those that are none, are for everybody. */
const OPERATE = [
  'sources',
  'provenance',
  'trace',
  'dead-letters',
  'metrics',
  'cost',
  'budget',
  'health',
];

const here = dirname(fileURLToPath(import.meta.url));
const [first, second] = process.argv.slice(2);
const room = OPERATE.includes(first === 'help' ? second : first) ? join('..', 'operate') : '.';
const source = join(here, room, 'main.ts');
const main = existsSync(source) ? source : join(here, room, 'main.js');

if (isNewEnough(process.versions.node)) await import(pathToFileURL(main).href);
else startWith(findNode(here));

/** Node runs TypeScript as it is from 22.18 on. */
function isNewEnough(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 18);
}

/** The Node that `npm ci` installed in this folder or in one above it. */
function findNode(folder) {
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  const candidate = join(folder, 'node_modules', 'node', 'bin', name);
  if (existsSync(candidate)) return candidate;
  const above = dirname(folder);
  return above === folder ? undefined : findNode(above);
}

function startWith(node) {
  if (node === undefined) {
    process.stderr.write(
      `distrise: needs Node 22.18 or newer, this is ${process.versions.node}; run "npm ci" first\n`,
    );
    process.exitCode = 1;
    return;
  }
  // The channel tells the child when this process dies without passing a signal on.
  const child = spawn(node, [main, ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  // A terminal sends Ctrl-C to both; the child decides what comes of it.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.on('SIGHUP', () => child.kill('SIGHUP'));
  child.on('error', (error) => {
    process.stderr.write(`distrise: cannot start ${node}: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.kill(process.pid, signal);
  });
}
