import { PassThrough } from 'node:stream';
import { runOperator } from '../../functions/operate/program.ts';

export interface OperatorInput {
  readonly env?: Readonly<Record<string, string>>;
  readonly nowMs?: number;
}

/** Runs an operator's command line in this process, with streams and environment of its own. */
export async function runOperate(args: readonly string[], input: OperatorInput = {}) {
  const stdout = collect();
  const stderr = collect();
  const code = await runOperator(args, {
    env: input.env ?? {},
    stdout: stdout.stream,
    stderr: stderr.stream,
    nowMs: () => input.nowMs ?? Date.now(),
  });
  return {
    code,
    stdout: stdout.text(),
    stderr: stderr.text(),
    json: (): unknown => JSON.parse(stdout.text()),
  };
}

function collect() {
  const stream = new PassThrough();
  let text = '';
  stream.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  return { stream, text: () => text };
}
