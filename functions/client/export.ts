import { type Command, InvalidArgumentError } from 'commander';
import { eventText } from '../nostr/event.ts';
import type { Filter } from '../nostr/filter.ts';
import { CommandFailure, EXIT, EXIT_HELP } from './exit.ts';
import { fileOutput, type Output, streamOutput } from './file-output.ts';
import {
  addFilterOptions,
  FILTER_HELP,
  type FilterOptions,
  readCount,
  readFilters,
} from './filter-options.ts';
import { Link } from './link.ts';
import { mergeNewestFirst } from './merge.ts';
import { RelayPages } from './page-source.ts';
import { pageNewestFirst } from './pager.ts';
import { addRelayOption, readSeconds } from './relay-option.ts';
import { type EndWith, type Surroundings, tell } from './surroundings.ts';

interface ExportOptions extends FilterOptions {
  readonly relay: string;
  readonly output?: string;
  readonly pageSize: number;
  readonly patience: number;
  readonly allowIncomplete?: boolean;
  readonly verify: boolean;
}

const HELP = `${FILTER_HELP}

Examples:
  distrise export > all.jsonl
  distrise export --author npub1… --output mine.jsonl.zst
  distrise export --kind 1,7 --since 2024-01-01 --until 2024-12-31 | jq -r .content
  distrise export --relay wss://relay.example --tag t=nostr --limit 10000 --output nostr.jsonl.gz

Events come newest first, each once, one JSON a line, beyond any limit of the relay. --output
appears only when it is whole; names in .gz and .zst are packed. A relay may hold more events in
one second than it gives in one answer: narrower questions are tried then, and if they do not
help the export ends with exit code 1 (or goes on and says so, with --allow-incomplete).
${EXIT_HELP}`;

/** Text is handed on in pieces of about this size. */
const PIECE_LENGTH = 65_536;

/** `export`: stored events as JSON lines. */
export function addExport(program: Command, surroundings: Surroundings, end: EndWith): void {
  addFilterOptions(addRelayOption(program.command('export'), surroundings))
    .description('write stored events as JSON lines, past any limit')
    .option('-o, --output <file>', 'write to this file instead of stdout')
    .option('--page-size <count>', 'events to ask for at a time', readPageSize, 500)
    .option('--patience <seconds>', 'how long to try to reach a lost relay', readSeconds, 120)
    .option('--allow-incomplete', 'go on where a second cannot be proved whole')
    .option('--no-verify', 'believe ids and signatures')
    .addHelpText('after', HELP)
    .action(async (options: ExportOptions) => end(await exportEvents(options, surroundings)));
}

function readPageSize(text: string): number {
  const size = readCount(text);
  if (size < 1 || size > 100_000) throw new InvalidArgumentError('Wanted: 1 to 100000.');
  return size;
}

async function exportEvents(options: ExportOptions, surroundings: Surroundings): Promise<number> {
  const filters = readFilters(options, surroundings.nowSeconds());
  const link = new Link(options.relay, {
    connect: options.verify ? {} : { verifier: 'none' },
    patienceMs: options.patience * 1_000,
    firstPatienceMs: 0,
    onTrouble: (message) => tell(surroundings, `distrise: ${message}`),
    signal: surroundings.signal,
  });
  const output =
    options.output === undefined ? streamOutput(surroundings.stdout) : fileOutput(options.output);
  try {
    const incomplete = await copy(filters, link, output, options, surroundings);
    await output.finish();
    return incomplete ? EXIT.refused : EXIT.done;
  } catch (error) {
    await output.abandon();
    throw error;
  } finally {
    await link.close();
  }
}

/** Copies what matches; true where something may be missing. */
async function copy(
  filters: readonly Filter[],
  link: Link,
  output: Output,
  options: ExportOptions,
  surroundings: Surroundings,
): Promise<boolean> {
  let incomplete = false;
  const onIncomplete = (second: number, count: number) => {
    const message =
      `the relay holds more events of second ${second} ` +
      `(${new Date(second * 1_000).toISOString()}) than it gives in one answer (got ${count})`;
    if (options.allowIncomplete !== true) {
      throw new CommandFailure(
        EXIT.refused,
        `${message}; narrow the filter, or take what comes with --allow-incomplete`,
      );
    }
    incomplete = true;
    tell(surroundings, `distrise: incomplete: ${message}`);
  };
  const source = new RelayPages(link, surroundings.signal);
  const pagers = filters.map((filter) =>
    pageNewestFirst(source, filter, { pageSize: options.pageSize, onIncomplete }),
  );
  let piece = '';
  for await (const event of mergeNewestFirst(pagers)) {
    piece += `${eventText(event)}\n`;
    if (piece.length < PIECE_LENGTH) continue;
    await output.write(piece);
    piece = '';
  }
  await output.write(piece);
  return incomplete;
}
