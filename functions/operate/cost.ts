import { type Command, InvalidArgumentError, Option } from 'commander';
import { assumptionsOf, type CostLine, type CostQuestion, costLines } from './cost-lines.ts';
import { EXIT, EXIT_HELP } from './exit.ts';
import { mebibytesAMonth } from './metrics.ts';
import { PRICES, PRICES_READ_ON, type Reading } from './prices.ts';
import { PROFILE_NAMES, PROFILES, type ProfileName, type Use } from './profiles.ts';
import { type EndWith, print, type Surroundings } from './surroundings.ts';
import { type Column, table } from './table.ts';

const READINGS: Readonly<Record<Reading, string>> = {
  google: "Google's page",
  quoted: 'quoted by others',
  guess: 'NOT DOCUMENTED',
};

const HELP = `
An estimate from list prices and the sizes in infra/profiles/. The bill has the truth.
${EXIT_HELP}`;

interface CostOptions {
  readonly profile: ProfileName;
  readonly eventsPerSecond?: number;
  readonly instances?: number;
  readonly traffic?: number;
  readonly domain?: boolean;
  readonly free: boolean;
  readonly json?: boolean;
}

/** `cost`: what a month of a profile costs, line by line, and what the figures rest on. */
export function addCost(program: Command, surroundings: Surroundings, end: EndWith): void {
  program
    .command('cost')
    .description('what a month costs, estimated from list prices')
    .addOption(
      new Option('--profile <name>', 'sizes and use').choices(PROFILE_NAMES).makeOptionMandatory(),
    )
    .option('--events-per-second <n>', 'events that come in, on average', numberOf)
    .option('--instances <n>', 'relay instances that run, on average', numberOf)
    .option('--traffic <gib>', 'GiB a month that go out to the internet', numberOf)
    .option('--domain', 'with a load balancer and Cloud Armor before the relay')
    .option('--no-free', 'as if the free amounts of the billing account were used up')
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(async (options: CostOptions) => {
      const question = questionOf(options);
      const lines = costLines(question);
      await print(
        surroundings,
        options.json ? jsonOf(options, question, lines) : textOf(question, lines),
      );
      end(EXIT.done);
    });
}

function questionOf(options: CostOptions): CostQuestion {
  const { sizes, use } = PROFILES[options.profile];
  const given: Partial<Use> = {
    ...(options.eventsPerSecond === undefined ? {} : { eventsPerSecond: options.eventsPerSecond }),
    ...(options.instances === undefined ? {} : { relayInstances: options.instances }),
    ...(options.traffic === undefined ? {} : { trafficGibibytes: options.traffic }),
  };
  return {
    sizes,
    use: { ...use, ...given },
    domain: options.domain ?? false,
    free: options.free,
    metricMebibytes: mebibytesAMonth,
  };
}

const totalOf = (lines: readonly CostLine[]): number =>
  lines.reduce((sum, { dollars }) => sum + dollars, 0);

const undocumented = (lines: readonly CostLine[]): CostLine[] =>
  lines.filter(({ price }) => PRICES[price].read === 'guess');

function jsonOf({ profile }: CostOptions, question: CostQuestion, lines: CostLine[]): string {
  return JSON.stringify({
    profile,
    pricesReadOn: PRICES_READ_ON,
    lines: lines.map((line) => ({
      ...line,
      ...PRICES[line.price],
      price: PRICES[line.price].dollars,
      dollars: line.dollars,
    })),
    dollarsAMonth: totalOf(lines),
    undocumented: undocumented(lines).map(({ what }) => what),
    assumptions: assumptionsOf(question),
  });
}

function textOf(question: CostQuestion, lines: CostLine[]): string {
  const pages = [...new Set(lines.map(({ price }) => PRICES[price].page))];
  const guessed = undocumented(lines).map(({ what }) => what);
  return [
    table(lines, COLUMNS),
    '',
    `About ${totalOf(lines).toFixed(2)} US dollars a month.`,
    '',
    'Assumed:',
    ...assumptionsOf(question).map((each) => `- ${each}`),
    '',
    `Prices as of ${PRICES_READ_ON}; no page was found that says those of: ${guessed.join(', ')}.`,
    ...pages.map((page) => `- ${page}`),
  ].join('\n');
}

const COLUMNS: readonly Column<CostLine>[] = [
  { title: 'WHAT', cell: ({ what }) => what },
  { title: 'HOW MUCH', cell: ({ quantity }) => quantityOf(quantity), align: 'right' },
  { title: 'OF', cell: ({ price }) => PRICES[price].unit },
  { title: 'FREE', cell: ({ price }) => freeOf(PRICES[price].free), align: 'right' },
  { title: 'US$ EACH', cell: ({ price }) => String(plain(PRICES[price].dollars)), align: 'right' },
  { title: 'US$ A MONTH', cell: ({ dollars }) => dollars.toFixed(2), align: 'right' },
  { title: 'PRICE FROM', cell: ({ price }) => READINGS[PRICES[price].read] },
];

const quantityOf = (quantity: number): string =>
  quantity >= 100 ? String(Math.round(quantity)) : plain(Math.round(quantity * 1_000) / 1_000);

const freeOf = (free: number): string => (free === 0 ? '' : quantityOf(free));

/** Small numbers without an exponent. */
const plain = (value: number): string => value.toFixed(7).replace(/0+$/, '').replace(/\.$/, '');

function numberOf(text: string): number {
  const value = Number(text);
  if (!/^[0-9]+(\.[0-9]+)?$/.test(text) || value > 1e9) {
    throw new InvalidArgumentError('a number such as 0.5 or 40 is wanted.');
  }
  return value;
}
