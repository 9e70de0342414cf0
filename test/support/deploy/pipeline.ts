import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { parse } from 'yaml';
import { emptyWorld, type Recorded, readWorld, type World, writeWorld } from './world.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

export interface Step {
  readonly id: string;
  readonly name: string;
  readonly entrypoint: string;
  readonly args: readonly string[];
}
export interface Build {
  readonly steps: readonly Step[];
  readonly substitutions: Readonly<Record<string, string>>;
  readonly options: { readonly env: readonly string[] };
}

export const readBuild = (): Build =>
  parse(readFileSync(join(ROOT, 'cloudbuild.yaml'), 'utf8')) as Build;

export interface Ended {
  readonly code: number;
  readonly text: string;
}
export interface BuildEnded extends Ended {
  /** Steps that ran, the failed one last. */
  readonly steps: readonly string[];
}

let bundled: Promise<string> | undefined;

/** The stand-in is started a hundred times a test: as one file of JavaScript that is soon done. */
function oneFile(): Promise<string> {
  bundled ??= (async () => {
    const outfile = join(await mkdtemp(join(tmpdir(), 'distrise-stand-in-')), 'stand-in.mjs');
    await build({
      entryPoints: [join(import.meta.dirname, 'stand-in.ts')],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      define: { 'import.meta.dirname': JSON.stringify(import.meta.dirname) },
    });
    return outfile;
  })();
  return bundled;
}

/** An operator's checkout and project, with stand-ins for the tools. */
export class Operator {
  readonly folder: string;
  #builds = 0;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async start(world = emptyWorld('my-relay-123', 'us-central1')): Promise<Operator> {
    const folder = await mkdtemp(join(tmpdir(), 'distrise-deploy-'));
    mkdirSync(join(folder, 'bin'));
    const standIn = await oneFile();
    for (const tool of ['gcloud', 'docker', 'terraform', 'npm']) {
      const script = `#!/bin/sh\nexec "${process.execPath}" "${standIn}" ${tool} "$@"\n`;
      writeFileSync(join(folder, 'bin', tool), script, { mode: 0o755 });
    }
    const checkout = join(folder, 'checkout');
    cpSync(join(ROOT, 'infra'), join(checkout, 'infra'), { recursive: true });
    writeWorld(folder, world);
    return new Operator(folder);
  }

  get world(): World {
    return readWorld(this.folder);
  }

  /** Puts another project in its place. */
  reset(world: World): void {
    writeWorld(this.folder, world);
  }

  /** Changes the project behind the scripts' back. */
  change(how: (world: World) => void): void {
    const { world } = this;
    how(world);
    writeWorld(this.folder, world);
  }

  get calls(): readonly Recorded[] {
    const path = join(this.folder, 'calls.jsonl');
    if (!existsSync(path)) return [];
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    return lines.map((line) => JSON.parse(line) as Recorded);
  }

  /** Types a command. */
  type(command: string, stdin = ''): Promise<Ended> {
    return this.#run('bash', ['--norc', '-c', command], {}, stdin);
  }

  /** What `gcloud builds submit` does with cloudbuild.yaml. Each build has a folder of its own. */
  async submit(given: Readonly<Record<string, string>> = {}): Promise<BuildEnded> {
    const { steps, substitutions, options } = readBuild();
    this.#builds += 1;
    await rm(join(this.folder, 'checkout', '.deploy'), { recursive: true, force: true });
    const values: Record<string, string> = {
      ...{ ...substitutions, _WATCH_SECONDS: '0', ...given },
      ...{ PROJECT_ID: this.world.project, BUILD_ID: `build-${this.#builds}` },
    };
    const env = Object.fromEntries(
      options.env.map((each) => {
        const [, name = '', value = ''] = /^(\w+)=(.*)$/.exec(each) ?? [];
        return [name, value.replace(/\$\{?(\w+)\}?/g, (_, key: string) => values[key] ?? '')];
      }),
    );
    const ran: string[] = [];
    let text = '';
    for (const { id, entrypoint, args } of steps) {
      ran.push(id);
      const ended = await this.#run(entrypoint, args, {
        ...{ ...env, STAND_IN_STEP: id, RETRY_SECONDS: '0' },
      });
      text += ended.text;
      if (ended.code !== 0) return { code: ended.code, text, steps: ran };
    }
    return { code: 0, text, steps: ran };
  }

  async close(): Promise<void> {
    await rm(this.folder, { recursive: true });
  }

  #run(
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    stdin = '',
  ): Promise<Ended> {
    const child = spawn(command, args, {
      cwd: join(this.folder, 'checkout'),
      env: {
        PATH: `${join(this.folder, 'bin')}:/usr/bin:/bin`,
        STAND_IN: this.folder,
        ...env,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (more: string) => {
        text += more;
      });
    }
    child.stdin.on('error', () => undefined);
    child.stdin.end(stdin);
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => resolve({ code: code ?? 1, text }));
    });
  }
}
