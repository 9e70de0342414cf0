/**
 * Stands in for gcloud, docker, terraform and npm: `stand-in.ts TOOL ARGS…`. Keeps a project in
 * world.json of STAND_IN, writes each call to calls.jsonl, refuses what the real tool would refuse,
 * and fails where the world says so.
 */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCall, type Tool } from './commands.ts';
import { ToolFailure } from './tool.ts';
import { docker, gcloud, terraform } from './tools.ts';
import { type Recorded, readWorld, writeWorld } from './world.ts';

const folder = process.env['STAND_IN'] ?? '';
const [tool, ...args] = process.argv.slice(2) as [Tool | 'npm', ...string[]];
const world = readWorld(folder);
const line = args.join(' ');
const step = process.env['STAND_IN_STEP'] ?? '';

function finish(code: number, text: string, more: Partial<Recorded> = {}): never {
  const record: Recorded = { tool, args, step, ...more };
  appendFileSync(join(folder, 'calls.jsonl'), `${JSON.stringify(record)}\n`);
  writeWorld(folder, world);
  if (text !== '') (code === 0 ? process.stdout : process.stderr).write(`${text}\n`);
  process.exit(code);
}

const call = tool === 'npm' ? undefined : readCall(tool, args);
if (typeof call === 'string') finish(2, `ERROR: ${call}`, { refused: call });

const fault = world.faults.find(
  (each) =>
    each.tool === tool &&
    new RegExp(each.call).test(line) &&
    (each.step ?? step) === step &&
    each.times !== 0,
);
if (fault?.after) {
  const left = { ...fault, after: fault.after - 1 };
  world.faults = world.faults.map((each) => (each === fault ? left : each));
} else if (fault !== undefined) {
  const left = fault.times === undefined ? {} : { times: fault.times - 1 };
  world.faults = world.faults.map((each) => (each === fault ? { ...fault, ...left } : each));
  finish(1, `ERROR: ${fault.says}`, { failed: true });
}
if (call === undefined) finish(0, '');
try {
  finish(0, { gcloud, docker, terraform }[tool as Tool](call, world));
} catch (error) {
  if (!(error instanceof ToolFailure)) throw error;
  finish(1, `ERROR: ${error.message}`, { failed: true });
}
