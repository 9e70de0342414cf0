import { Command, InvalidArgumentError } from 'commander';
import { type System, startSystem } from '../support/system.ts';
import type { Bench, Figures, Scale } from './bench.ts';
import { measure } from './bench.ts';
import { loadData } from './data.ts';
import { fanOut } from './phases/fanout.ts';
import { idle } from './phases/idle.ts';
import { ingest } from './phases/ingest.ts';
import { queries } from './phases/queries.ts';
import { readAfterWrite } from './phases/raw.ts';
import { cpuBetween, machineBusySeconds } from './processes.ts';
import { combine, type RunResult, tableOf, writeResults } from './report.ts';
import { rounded } from './statistics.ts';

const PHASES: Readonly<Record<string, (bench: Bench) => Promise<Figures>>> = {
  ingest,
  'read-after-write': readAfterWrite,
  queries,
  'fan-out': fanOut,
  idle,
};

const FULL: Scale = {
  events: 20_000,
  liveNotes: 4_000,
  readAfterWrites: 1_000,
  querySeconds: 1.5,
  subscribers: 100,
  steadySeconds: 3,
  burst: 1_000,
  idleConnections: 1_000,
};

/** Shows in half a minute that everything works; its rates say little. */
const SMALL: Scale = {
  events: 1_500,
  liveNotes: 400,
  readAfterWrites: 50,
  querySeconds: 0.3,
  subscribers: 20,
  steadySeconds: 1,
  burst: 100,
  idleConnections: 100,
};

interface Options {
  readonly n?: number;
  readonly seed: number;
  readonly runs: number;
  readonly relays: number;
  readonly phases: string[];
  readonly url?: string[];
  readonly small?: boolean;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError('A whole number, 1 or more.');
  }
  return value;
}

function phaseNames(text: string): string[] {
  const names = text.split(',');
  for (const name of names) {
    if (!(name in PHASES)) {
      throw new InvalidArgumentError(`Phases are: ${Object.keys(PHASES).join(', ')}.`);
    }
  }
  return names;
}

function parseOptions(): Options {
  return new Command('npm run bench --')
    .description('Measures a whole system on this machine, from the outside.')
    .option('--n <events>', 'events to ingest', wholeNumber)
    .option('--seed <number>', 'what the data follow from', wholeNumber, 1)
    .option('--runs <number>', 'whole runs; medians are shown', wholeNumber, 1)
    .option('--relays <number>', 'relay instances', wholeNumber, 2)
    .option('--phases <names>', 'phases, with commas', phaseNames, Object.keys(PHASES))
    .option('--url <addresses>', 'a system that runs already, and is empty', (text) =>
      text.split(','),
    )
    .option('--small', 'little of everything, for a quick look')
    .parse()
    .opts<Options>();
}

async function main(): Promise<void> {
  const options = parseOptions();
  const base = options.small ? SMALL : FULL;
  const scale = { ...base, events: options.n ?? base.events };
  console.error(`data: ${scale.events} events from seed ${options.seed}`);
  const data = await loadData(options.seed, scale.events, scale.liveNotes);
  const runs: RunResult[] = [];
  for (let run = 1; run <= options.runs; run += 1) {
    const system = options.url ? undefined : await startSystem({ relays: options.relays });
    const bench: Bench = {
      urls: options.url ?? system?.urls ?? [],
      data,
      seed: options.seed,
      scale,
      databaseUrl: system?.variable('DATABASE_URL'),
      directory: system?.directory,
      pids: () => pidsOf(system),
      acknowledged: data.main,
    };
    try {
      runs.push(await runPhases(bench, options, run, system));
    } finally {
      await system?.stop();
      await system?.remove();
    }
  }
  const median = combine(runs);
  console.log(tableOf(median, runs.length));
  console.error(`written: ${await writeResults({ ...options, scale }, runs, median)}`);
}

async function runPhases(
  bench: Bench,
  options: Options,
  run: number,
  system: System | undefined,
): Promise<RunResult> {
  const result: RunResult = {};
  for (const name of options.phases) {
    console.error(`run ${run} of ${options.runs}: ${name} …`);
    if (name === 'idle' && system !== undefined) {
      // Memory that a connection takes shows only where the heap has not grown before.
      await system.stop();
      await system.start();
    }
    result[name] = await withNoise(bench, () => PHASES[name]?.(bench) ?? Promise.resolve({}));
  }
  return result;
}

/** Adds what this process, and others that are no part of the system, took of the machine. */
async function withNoise(bench: Bench, phase: () => Promise<Figures>): Promise<Figures> {
  const started = performance.now();
  const busy = machineBusySeconds();
  const own = process.cpuUsage();
  const parts = measure(bench);
  const figures = await phase();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(own);
  const client = (user + system) / 1e6;
  const busyAfter = machineBusySeconds();
  if (busy === undefined || busyAfter === undefined) return figures;
  const spent = cpuBetween(parts, measure(bench)).total;
  const others = Math.max(0, busyAfter - busy - client - spent);
  return {
    ...figures,
    'cores: the bench itself': rounded(client / seconds),
    'cores: others on this machine': rounded(others / seconds),
  };
}

function pidsOf(system: System | undefined): Map<string, number> {
  const pids = new Map<string, number>();
  for (const part of system?.parts() ?? []) {
    const pid = system?.pid(part);
    if (pid !== undefined) pids.set(part, pid);
  }
  return pids;
}

await main();
