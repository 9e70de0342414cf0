import { PassThrough, Readable } from 'node:stream';
import { runCommand } from '../../functions/client/program.ts';
import { Interrupt } from '../../functions/client/surroundings.ts';

export interface ClientRun {
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** The lines of stdout, parsed. */
  readonly json: () => unknown[];
  /** The exit code. */
  readonly code: Promise<number>;
  /** Sends what Ctrl-C or `kill` sends. */
  interrupt(signal?: Interrupt['signalName']): void;
}

export interface ClientInput {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Buffer;
  readonly nowSeconds?: number;
}

/** Runs the command line in this process, with streams and environment of its own. */
export function startClient(args: readonly string[], input: ClientInput = {}): ClientRun {
  const stdout = collect();
  const stderr = collect();
  const controller = new AbortController();
  const code = runCommand(args, {
    env: input.env ?? {},
    stdin: Readable.from(input.stdin === undefined ? [] : [Buffer.from(input.stdin)]),
    stdout: stdout.stream,
    stderr: stderr.stream,
    signal: controller.signal,
    nowSeconds: () => input.nowSeconds ?? Math.floor(Date.now() / 1_000),
  });
  return {
    stdout: stdout.text,
    stderr: stderr.text,
    json: () =>
      stdout
        .text()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as unknown),
    code,
    interrupt: (signal = 'SIGINT') => controller.abort(new Interrupt(signal)),
  };
}

/** Runs it to its end. */
export async function runClient(args: readonly string[], input: ClientInput = {}) {
  const run = startClient(args, input);
  const code = await run.code;
  return { code, stdout: run.stdout(), stderr: run.stderr(), json: run.json };
}

function collect() {
  const stream = new PassThrough();
  let text = '';
  stream.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  return { stream, text: () => text };
}
