import { mkdir, writeFile } from 'node:fs/promises';
import { arch, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Figures } from './bench.ts';
import { medianOf } from './statistics.ts';

/** Figures of one run, by phase. */
export type RunResult = Record<string, Figures>;

/** Medians of all runs; what is no number is shown as each run had it, if they differ. */
export function combine(runs: readonly RunResult[]): RunResult {
  const combined: RunResult = {};
  for (const phase of new Set(runs.flatMap((run) => Object.keys(run)))) {
    const figures: Figures = {};
    for (const label of new Set(runs.flatMap((run) => Object.keys(run[phase] ?? {})))) {
      const values = runs.map((run) => run[phase]?.[label] ?? null);
      const numbers = values.filter((value) => typeof value === 'number');
      const texts = [...new Set(values.filter((value) => typeof value === 'string'))];
      figures[label] = texts.length > 0 ? texts.join(' ') : medianOf(numbers);
    }
    combined[phase] = figures;
  }
  return combined;
}

/** The figures as a table of Markdown. */
export function tableOf(result: RunResult, runs: number): string {
  const rows: string[] = [];
  for (const [phase, figures] of Object.entries(result)) {
    rows.push(`| **${phase}** | |`);
    for (const [label, value] of Object.entries(figures)) {
      rows.push(`| ${label} | ${value ?? '–'} |`);
    }
  }
  const head = `| ${runs === 1 ? 'one run' : `median of ${runs} runs`} | |`;
  return [head, '|---|---:|', ...rows].join('\n');
}

/** Writes everything that was measured; gives the file's name. */
export async function writeResults(
  options: object,
  runs: readonly RunResult[],
  median: RunResult,
): Promise<string> {
  const folder = join(import.meta.dirname, 'results');
  await mkdir(folder, { recursive: true });
  const at = new Date().toISOString();
  const file = join(folder, `${at.replaceAll(/[:.]/g, '-')}.json`);
  const machine = {
    processors: cpus().length,
    model: cpus()[0]?.model,
    architecture: arch(),
    memoryBytes: totalmem(),
    node: process.version,
  };
  await writeFile(file, `${JSON.stringify({ at, machine, options, median, runs }, null, 2)}\n`);
  return file;
}
