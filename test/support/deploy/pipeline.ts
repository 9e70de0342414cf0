import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { fillImages, pathOf } from './images.ts';
import { clientScript, openStandIn } from './stand-in.ts';
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

type Environment = Readonly<Record<string, string>>;

export interface Ended {
  readonly code: number;
  readonly text: string;
}
export interface BuildEnded extends Ended {
  /** Steps that ran, the failed one last. */
  readonly steps: readonly string[];
}

/** An operator's checkout and project, with stand-ins for the tools. */
export class Operator {
  readonly folder: string;

  readonly #server: Server;

  private constructor(folder: string, server: Server) {
    this.folder = folder;
    this.#server = server;
  }

  static async start(world = emptyWorld('my-relay-123', 'us-central1')): Promise<Operator> {
    const folder = await mkdtemp(join(tmpdir(), 'distrise-deploy-'));
    mkdirSync(join(folder, 'bin'));
    const { server, port } = await openStandIn(folder);
    for (const tool of ['gcloud', 'docker', 'terraform', 'npm']) {
      writeFileSync(join(folder, 'bin', tool), clientScript(tool, port), { mode: 0o755 });
    }
    fillImages(folder);
    const checkout = join(folder, 'checkout');
    cpSync(join(ROOT, 'infra'), join(checkout, 'infra'), { recursive: true });
    writeWorld(folder, world);
    return new Operator(folder, server);
  }

  get world(): World {
    return readWorld(this.folder);
  }

  /** Puts another project in its place. */
  reset(world: World): void {
    writeWorld(this.folder, world);
  }

  /** The checkout becomes one of another version. */
  changeVersion(): void {
    writeFileSync(join(this.folder, 'checkout', 'version'), String(this.calls.length));
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
    const PATH = `${join(this.folder, 'bin')}:/usr/bin:/bin`;
    return this.#run('bash', ['--norc', '-c', command], { PATH, RETRY_SECONDS: '0' }, stdin);
  }

  /** Runs a command as a step of an image does, with what the image has and no more. */
  runIn(image: string, command: string, args: readonly string[], env: Environment = {}) {
    return this.#run(command, args, { PATH: pathOf(this.folder, image), ...env });
  }

  /**
   * What `gcloud builds submit` does with cloudbuild.yaml. Each build has a folder of its own.
   * @param diesAt the call of this build, from 1, after which all of it is gone at once.
   */
  async submit(given: Readonly<Record<string, string>> = {}, diesAt?: number): Promise<BuildEnded> {
    const { steps, substitutions, options } = readBuild();
    const number = Object.keys(this.world.builds).length + 1;
    const build = `build-${number}`;
    await rm(join(this.folder, 'checkout', '.deploy'), { recursive: true, force: true });
    const values: Record<string, string> = {
      ...{ ...substitutions, ...given },
      ...{ PROJECT_ID: this.world.project, BUILD_ID: build, LOCATION: 'global' },
    };
    const env: Record<string, string> = Object.fromEntries(
      options.env.map((each) => {
        const [, name = '', value = ''] = /^(\w+)=(.*)$/.exec(each) ?? [];
        return [name, value.replace(/\$\{?(\w+)\}?/g, (_, key: string) => values[key] ?? '')];
      }),
    );
    if (diesAt !== undefined) env['STAND_IN_DIES'] = String(this.calls.length + diesAt);
    this.change(({ builds }) => {
      builds[build] = 'WORKING';
    });
    const ran: string[] = [];
    let text = '';
    let code = 0;
    for (const { id, name, entrypoint, args } of steps) {
      ran.push(id);
      const own = { ...env, STAND_IN_STEP: id, RETRY_SECONDS: '0' };
      const ended = await this.runIn(name, entrypoint, args, own);
      text += ended.text;
      code = ended.code;
      if (code !== 0) break;
    }
    this.change(({ builds }) => {
      builds[build] = code === 0 ? 'SUCCESS' : diesAt === undefined ? 'FAILURE' : 'CANCELLED';
    });
    return { code, text, steps: ran };
  }

  async close(): Promise<void> {
    this.#server.close();
    await rm(this.folder, { recursive: true });
  }

  #run(command: string, args: readonly string[], env: Environment, stdin = ''): Promise<Ended> {
    const child = spawn(command, args, {
      cwd: join(this.folder, 'checkout'),
      env,
      // A group of its own, which a stand-in can end.
      detached: true,
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
