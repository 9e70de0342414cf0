import type { Command } from 'commander';
import {
  COMPONENTS,
  type Component,
  definitionOf,
  METRIC_NAMES,
  METRIC_PREFIX,
  type MetricName,
  seriesMax,
  seriesOf,
} from '../cloud/metrics/catalogue.ts';
import { EXIT, EXIT_HELP } from './exit.ts';
import { type EndWith, print, type Surroundings } from './surroundings.ts';
import { type Column, table } from './table.ts';
import { grouped } from './words.ts';

/** What a point counts on the bill: https://cloud.google.com/products/observability/pricing */
const SCALAR_BYTES = 8;
const DISTRIBUTION_BYTES = 80;
/** A write each minute of a month of 30 days. */
const WRITES_A_MONTH = 43_200;
const DOLLARS_A_MEBIBYTE = 0.258;
const MEBIBYTE = 1_048_576;

const HELP = `
Series are the most that one process can write; most write a third of them. The price is for a
process that runs all month and writes each minute, at ${DOLLARS_A_MEBIBYTE} US dollars a MiB, of which
the first 150 MiB of a billing account are free.
${EXIT_HELP}`;

/** One line of the catalogue. */
interface Shown {
  readonly name: MetricName;
  readonly kind: string;
  readonly unit: string;
  readonly components: readonly Component[];
  readonly labels: readonly string[];
  readonly series: number;
  readonly description: string;
}

/** What one process of a component writes at most. */
interface Cost {
  readonly component: Component;
  readonly series: number;
  readonly mebibytesAMonth: number;
  readonly dollarsAMonth: number;
}

/** `metrics`: every metric, and the number of series and the price of a process. */
export function addMetrics(program: Command, surroundings: Surroundings, end: EndWith): void {
  program
    .command('metrics')
    .description('every metric that Distrise writes, how many series a process, and their price')
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(async ({ json }: { readonly json?: boolean }) => {
      const metrics = METRIC_NAMES.map(shownOf);
      const costs = COMPONENTS.map(costOf);
      const text = json
        ? JSON.stringify({ prefix: METRIC_PREFIX, metrics, costs })
        : `${table(metrics, METRIC_COLUMNS)}\n\n${table(costs, COST_COLUMNS)}`;
      await print(surroundings, text);
      end(EXIT.done);
    });
}

function shownOf(name: MetricName): Shown {
  const { kind, unit, description, components, labels } = definitionOf(name);
  const series = seriesOf(name);
  return { name, kind, unit, components, labels: Object.keys(labels), series, description };
}

function costOf(component: Component): Cost {
  const mebibytes = mebibytesAMonth(component);
  const dollarsAMonth = mebibytes * DOLLARS_A_MEBIBYTE;
  return { component, series: seriesMax(component), mebibytesAMonth: mebibytes, dollarsAMonth };
}

/** What one process of a component writes in a month, at most. */
export function mebibytesAMonth(component: Component): number {
  let bytes = 0;
  for (const name of METRIC_NAMES) {
    const { kind, components } = definitionOf(name);
    if (!components.includes(component)) continue;
    bytes += seriesOf(name) * (kind === 'distribution' ? DISTRIBUTION_BYTES : SCALAR_BYTES);
  }
  return (bytes * WRITES_A_MONTH) / MEBIBYTE;
}

const METRIC_COLUMNS: readonly Column<Shown>[] = [
  { title: 'METRIC', cell: ({ name }) => name },
  { title: 'KIND', cell: ({ kind }) => kind },
  { title: 'UNIT', cell: ({ unit }) => unit },
  { title: 'OF', cell: ({ components }) => components.join(' ') },
  { title: 'LABELS', cell: ({ labels }) => labels.join(' ') },
  { title: 'SERIES', cell: ({ series }) => grouped(series), align: 'right' },
];

const COST_COLUMNS: readonly Column<Cost>[] = [
  { title: 'ONE PROCESS OF', cell: ({ component }) => component },
  { title: 'SERIES AT MOST', cell: ({ series }) => grouped(series), align: 'right' },
  {
    title: 'MiB A MONTH',
    cell: ({ mebibytesAMonth }) => mebibytesAMonth.toFixed(1),
    align: 'right',
  },
  { title: 'US$ A MONTH', cell: ({ dollarsAMonth }) => dollarsAMonth.toFixed(2), align: 'right' },
];
