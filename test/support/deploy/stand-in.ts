import { appendFileSync, readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { readCall, type Tool } from './commands.ts';
import { ToolFailure } from './tool.ts';
import { docker, gcloud, terraform } from './tools.ts';
import { type Recorded, readWorld, type World, writeWorld } from './world.ts';

/** One call of a tool, as the script in its place sent it. */
interface Asked {
  readonly tool: Tool | 'npm';
  readonly args: readonly string[];
  readonly step: string;
  /** The call, counted over all, that ends its whole step at once; 0 for none. */
  readonly dies: number;
  /** Where it was called. */
  readonly directory: string;
}

interface Answer extends Partial<Recorded> {
  readonly code: number;
  readonly text: string;
}

/**
 * What stands for a tool on a PATH: hands its call on to the server, by bash alone, which starts
 * ten times as fast as Node. The end of a build takes its processes with it, so this can as well.
 */
export const clientScript = (tool: string, port: number): string => `#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/${port}
printf '%s\\0' $(($# + 5)) ${tool} "$STAND_IN_STEP" "\${STAND_IN_DIES:-0}" "$PWD" "$@" >&3
IFS= read -r -u 3 code
[[ $code != dies ]] || kill -KILL 0
IFS= read -r -d '' -u 3 text
if [[ $code == 0 ]]; then printf '%s' "$text"; else printf '%s' "$text" >&2; fi
exit "$code"
`;

/**
 * Stands in for gcloud, docker, terraform and npm: keeps a project in world.json of a folder, writes
 * each call to calls.jsonl, refuses what the real tool would refuse, and fails where the world says so.
 */
export async function openStandIn(folder: string): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => {
    let heard = '';
    socket.setEncoding('utf8').on('data', (more: string) => {
      heard += more;
      const [count = '', tool = '', step = '', dies = '', directory = '', ...args] =
        heard.split('\0');
      // The last one is ended as well, so what follows it is empty.
      if (heard === '' || heard.split('\0').length <= Number(count)) return;
      const asked = { tool: tool as Tool | 'npm', args: args.slice(0, -1), step, directory };
      reply(socket, folder, { ...asked, dies: Number(dies) });
    });
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return { server, port: typeof address === 'object' ? (address?.port ?? 0) : 0 };
}

function reply(socket: Socket, folder: string, asked: Asked): void {
  const world = readWorld(folder);
  const before = JSON.stringify(world);
  const { code, text, ...more } = answerTo(asked, world);
  const record: Recorded = {
    ...{ tool: asked.tool, args: asked.args, step: asked.step },
    changed: JSON.stringify(world) !== before,
    relay: (world.services['relay']?.traffic ?? [])
      .filter(({ percent = 0 }) => percent > 0)
      .map(({ revision }) => revision),
    ...more,
  };
  const calls = join(folder, 'calls.jsonl');
  appendFileSync(calls, `${JSON.stringify(record)}\n`);
  writeWorld(folder, world);
  const number = readFileSync(calls, 'utf8').trimEnd().split('\n').length;
  const words = number === asked.dies ? 'dies\n' : `${code}\n${text}${text === '' ? '' : '\n'}`;
  socket.end(`${words}\0`);
}

function answerTo({ tool, args, step, directory }: Asked, world: World): Answer {
  const call = tool === 'npm' ? undefined : readCall(tool, args);
  if (typeof call === 'string') return { code: 2, text: `ERROR: ${call}`, refused: call };
  const run = () =>
    call === undefined ? '' : { gcloud, docker, terraform }[tool as Tool](call, world);
  const fault = world.faults.find(
    (each) =>
      each.tool === tool &&
      new RegExp(each.call).test(args.join(' ')) &&
      (each.step ?? step) === step &&
      each.times !== 0,
  );
  const back = process.cwd();
  process.chdir(directory);
  try {
    if (fault === undefined) return { code: 0, text: run() };
    if (fault.done) run();
    const left = fault.times === undefined ? {} : { times: fault.times - 1 };
    world.faults = world.faults.map((each) => (each === fault ? { ...fault, ...left } : each));
    return { code: 1, text: `ERROR: ${fault.says}`, failed: true };
  } catch (error) {
    if (!(error instanceof ToolFailure)) throw error;
    return { code: 1, text: `ERROR: ${error.message}`, failed: true };
  } finally {
    process.chdir(back);
  }
}
