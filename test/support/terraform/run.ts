import { execFile, execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { INFRA } from './read.ts';
import type { StandIn } from './stand-in-provider.ts';

const execute = promisify(execFile);

/** Whether the machine has Terraform; it is in no registry that npm or Debian's tools reach. */
export const hasTerraform = ((): boolean => {
  try {
    execFileSync('terraform', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** A copy of infra/ in a folder of its own, whose state is a file there. */
export interface Workplace {
  readonly directory: string;
  /** Runs Terraform there; rejects with what it said where it fails. */
  run(...args: string[]): Promise<string>;
  remove(): void;
}

export async function openWorkplace(standIn: StandIn): Promise<Workplace> {
  const directory = fs.mkdtempSync(join(tmpdir(), 'distrise-terraform-'));
  fs.cpSync(INFRA, directory, { recursive: true });
  const local = 'terraform {\n  backend "local" {}\n}\n';
  fs.writeFileSync(join(directory, 'backend_override.tf'), local);
  const run = async (...args: string[]): Promise<string> => {
    try {
      const { stdout } = await execute('terraform', args, {
        cwd: directory,
        maxBuffer: 1 << 27,
        env: {
          PATH: process.env['PATH'],
          HOME: directory,
          TF_IN_AUTOMATION: 'true',
          TF_REATTACH_PROVIDERS: standIn.reattach,
          CHECKPOINT_DISABLE: 'true',
        },
      });
      return stdout;
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
      throw new Error(`terraform ${args.join(' ')}\n${stdout}\n${stderr}`);
    }
  };
  await run('init', '-no-color', '-input=false');
  return { directory, run, remove: () => fs.rmSync(directory, { recursive: true, force: true }) };
}
