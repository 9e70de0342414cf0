import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { parseConfiguration, pubsubVariables } from '../cloud/configuration.ts';
import { metricsVariables } from '../cloud/metrics/configuration.ts';
import { EXIT, EXIT_HELP, usageFailure } from './exit.ts';
import { type Health, readHealth } from './health-read.ts';
import { type EndWith, print, type Surroundings } from './surroundings.ts';
import { openSeriesReader } from './time-series.ts';

const { GOOGLE_CLOUD_PROJECT } = pubsubVariables;
const { METRICS_NAMESPACE, MONITORING_EMULATOR_HOST } = metricsVariables;
const VARIABLES = z.object({ GOOGLE_CLOUD_PROJECT, METRICS_NAMESPACE, MONITORING_EMULATOR_HOST });

/** A rate of few is chance: one failure of ten says nothing of a version. */
const JUDGED_MIN = 20;
/** Instances write each minute; Cloud Monitoring shows it a moment later. */
const LOOK_AGAIN_MS = 15_000;

const HELP = `
Reads from Cloud Monitoring what the instances of revisions wrote since a moment, until the time is
over or one of them is clearly bad: too many failures through our fault, or too slow. A revision of
the relay that writes nothing at all is bad as well; functions write only when they are called.
Environment: GOOGLE_CLOUD_PROJECT, and METRICS_NAMESPACE where it is not distrise.
${EXIT_HELP}`;

interface HealthOptions {
  readonly since: number;
  readonly wait: number;
  readonly failures: number;
  readonly delay: number;
  readonly every: number;
}

/** `health`: whether revisions do well, for the pipeline between two steps of an upgrade. */
export function addHealth(program: Command, surroundings: Surroundings, end: EndWith): void {
  program
    .command('health')
    .description('whether the instances of some revisions do well, by what they write')
    .argument('<revision...>', 'revisions of Cloud Run, such as relay-00007-abc')
    .requiredOption('--since <time>', 'ISO 8601: judge from then on', readMoment)
    .option('--wait <seconds>', 'watch for so long', readNumber, 300)
    .option('--failures <percent>', 'the most that may fail through our fault', readNumber, 1)
    .option('--delay <ms>', 'within which 95 % of EVENTs and REQs are answered', readNumber, 2_000)
    .option('--every <seconds>', 'look so often', readNumber, LOOK_AGAIN_MS / 1_000)
    .addHelpText('after', HELP)
    .action(async (revisions: string[], options: HealthOptions) => {
      end(await watch(revisions, options, surroundings));
    });
}

async function watch(
  revisions: readonly string[],
  { since, wait, failures, delay, every }: HealthOptions,
  surroundings: Surroundings,
): Promise<number> {
  const configuration = parseConfiguration(VARIABLES, surroundings.env);
  if (!configuration.ok) throw usageFailure(configuration.reason);
  const reader = openSeriesReader(configuration.value);
  const endsAtMs = surroundings.nowMs() + wait * 1_000;
  try {
    for (;;) {
      const ended = surroundings.nowMs() >= endsAtMs;
      let bad = 0;
      for (const revision of revisions) {
        const health = await readHealth(revision, since, surroundings.nowMs(), reader);
        const fault = faultOf(health, { failures, delay, ended });
        if (fault !== undefined) bad += 1;
        if (ended || fault !== undefined) {
          await print(surroundings, `${revision}: ${wordsOf(health)}; ${fault ?? 'good'}`);
        }
      }
      if (bad > 0) return EXIT.refused;
      if (ended) return EXIT.done;
      await pause(every * 1_000);
    }
  } finally {
    await reader.close();
  }
}

interface Bounds {
  readonly failures: number;
  readonly delay: number;
  readonly ended: boolean;
}

/** What is wrong with a revision, or undefined. Only when the time is over silence is a fault. */
function faultOf(health: Health, { failures, delay, ended }: Bounds): string | undefined {
  const { revision, succeeded, failed, delayMs, writes } = health;
  const all = succeeded + failed;
  if (all >= JUDGED_MIN && (failed / all) * 100 > failures) {
    return `more than ${failures} % fail through our fault`;
  }
  if (health.timed >= JUDGED_MIN && delayMs !== undefined && delayMs > delay) {
    return `one in twenty waits longer than ${delay} ms`;
  }
  if (ended && !writes && revision.startsWith('relay-')) return 'it writes no metrics';
  return undefined;
}

function wordsOf({ succeeded, failed, delayMs }: Health): string {
  const slow = delayMs === undefined ? '' : `, 95 % within ${delayMs} ms`;
  return `${succeeded} done, ${failed} failed through our fault${slow}`;
}

function readMoment(text: string): number {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new InvalidArgumentError('Wanted: a time such as 2026-11-25T10:00Z.');
  return ms;
}

function readNumber(text: string): number {
  if (!/^\d{1,9}(\.\d{1,3})?$/.test(text)) throw new InvalidArgumentError('Wanted: a number.');
  return Number(text);
}
