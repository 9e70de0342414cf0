import { setInterval } from 'node:timers';
import { type Command, InvalidArgumentError } from 'commander';
import { CommandFailure, EXIT, usageFailure } from './exit.ts';
import { readCount } from './filter-options.ts';
import { RefusedLines, type Report, reportText } from './import-report.ts';
import { dropState, type ImportState, loadState, saveState, statePath } from './import-state.ts';
import { Importer } from './importer.ts';
import { type Input, openInput } from './input.ts';
import { type Line, readLines } from './lines.ts';
import { Link } from './link.ts';
import { LineOutput } from './output.ts';
import { openProgress } from './progress.ts';
import { addRelayOption, readSeconds } from './relay-option.ts';
import { type EndWith, type Surroundings, tell } from './surroundings.ts';
import { addCounts, type Counts, describeCounts, lineCount, noCounts, sumOf } from './tally.ts';

interface ImportOptions {
  readonly relay: string;
  readonly state?: string;
  readonly restart?: boolean;
  readonly window: number;
  readonly retries: number;
  readonly patience?: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const HELP = `
FILE holds one event in JSON a line, plain or packed by gzip or Zstandard; "-" is stdin. Exports of
other relays and the objects of our own archive are taken as they are.

Examples:
  distrise import events.jsonl.gz
  distrise import --relay wss://relay.example --json a.jsonl b.jsonl.zst
  zcat dump.jsonl.gz | distrise import -

How far an import has come is kept in a state file (default: in the user's state folder). The
same command goes on from there after an interruption; --restart begins again. Only what the
relay has answered counts; what was under way is sent again, and answered as duplicate.
Refusals that begin with "error:" or "rate-limited:" are tried again, more and more slowly.

Exit codes: 0 every event was accepted (stored or known already), 1 some were refused or some
lines hold no event, 2 wrong usage, 3 no connection or lost for good, 4 a file failed.`;

/** Bytes of events under way at a time, whatever their number. */
const WINDOW_BYTES = 4 * 1_048_576;
/** A crash sends again at most what this time has brought. */
const SAVE_INTERVAL_MS = 1_000;
const SHOW_INTERVAL_MS = 200;
const PATIENCE_SECONDS = 120;

/** `import`: files of events into a relay. */
export function addImport(program: Command, surroundings: Surroundings, end: EndWith): void {
  addRelayOption(program.command('import'), surroundings)
    .description('send files of events (JSON lines) to a relay')
    .argument('<file...>', 'JSONL, also packed; "-" for stdin')
    .option('--state <file>', 'keep the state here (with one FILE only)')
    .option('--restart', 'begin again, whatever the state says')
    .option('--window <count>', 'events sent and not yet answered, at most', readWindow, 1_000)
    .option(
      '--retries <count>',
      'tries again of an event after "error:" or "rate-limited:"',
      readCount,
      30,
    )
    .option(
      '--patience <seconds>',
      `how long to try to reach a lost relay (default ${PATIENCE_SECONDS}; before the first connection 0)`,
      readSeconds,
    )
    .option('--json', 'print the summary as JSON')
    .option('--quiet', 'no progress')
    .addHelpText('after', HELP)
    .action(async (files: string[], options: ImportOptions) =>
      end(await importFiles(files, options, surroundings)),
    );
}

function readWindow(text: string): number {
  const count = readCount(text);
  if (count < 1 || count > 100_000) throw new InvalidArgumentError('Wanted: 1 to 100000.');
  return count;
}

async function importFiles(
  files: readonly string[],
  options: ImportOptions,
  surroundings: Surroundings,
): Promise<number> {
  if (options.state !== undefined && files.length > 1) {
    throw usageFailure('--state goes with one FILE only');
  }
  const patienceMs = (options.patience ?? PATIENCE_SECONDS) * 1_000;
  const link = new Link(options.relay, {
    connect: { verifier: 'none' },
    patienceMs,
    firstPatienceMs: options.patience === undefined ? 0 : patienceMs,
    onTrouble: (message) => tell(surroundings, `distrise: ${message}`),
    signal: surroundings.signal,
  });
  const startedAtMs = performance.now();
  const all = { counts: noCounts(), sent: noCounts(), refusedLines: new RefusedLines() };
  let failure: unknown;
  try {
    for (const file of files) await importFile(file, link, options, surroundings, all);
  } catch (error) {
    failure = error;
  } finally {
    await link.close();
  }
  const report: Report = {
    relay: options.relay,
    files,
    complete: failure === undefined,
    seconds: (performance.now() - startedAtMs) / 1_000,
    counts: all.counts,
    sent: all.sent,
    notAccepted: all.refusedLines.list,
  };
  if (failure instanceof CommandFailure && failure.exitCode === EXIT.usage) throw failure;
  const out = new LineOutput(surroundings.stdout);
  await out.write(reportText(report, options.json === true));
  await out.flush();
  if (failure !== undefined) throw failure;
  return sumOf(all.counts.refused) + all.counts.bad > 0 ? EXIT.refused : EXIT.done;
}

interface Totals {
  /** Of the whole inputs, also what earlier runs did. */
  readonly counts: Counts;
  /** Of this run. */
  readonly sent: Counts;
  readonly refusedLines: RefusedLines;
}

async function importFile(
  file: string,
  link: Link,
  options: ImportOptions,
  surroundings: Surroundings,
  all: Totals,
): Promise<void> {
  const opened = await openAtState(file, options, surroundings);
  if (opened === undefined) return;
  const { input, lines, path, state } = opened;
  if (state !== undefined) {
    const at = state.lines.toLocaleString('en');
    tell(
      surroundings,
      `distrise: ${input.name}: going on after line ${at} (--restart begins again)`,
    );
  }
  const importer = new Importer(
    link,
    {
      windowEvents: options.window,
      windowBytes: WINDOW_BYTES,
      attemptsMax: options.retries + 1,
      onRefused: (line, words, id) => all.refusedLines.add({ file: input.name, line, id, words }),
    },
    state,
  );
  const keeper = keepState(path, options.relay, importer);
  const progress =
    options.quiet === true ? undefined : openProgress(input.name, input.bytesTotal, surroundings);
  const show = () => {
    progress?.update({
      lines: lineCount(importer.counts),
      bytesRead: input.bytesRead(),
      words: describeCounts(importer.counts),
    });
  };
  const showing = setInterval(show, SHOW_INTERVAL_MS);
  const onAbort = () => input.close();
  surroundings.signal.addEventListener('abort', onAbort);
  try {
    await importer.run(lines, () => input.close());
    await keeper.stop();
    await dropState(path);
  } catch (error) {
    await keeper.stop();
    // The closed input fails too; what the user did is what counts.
    surroundings.signal.throwIfAborted();
    throw error;
  } finally {
    surroundings.signal.removeEventListener('abort', onAbort);
    clearInterval(showing);
    show();
    progress?.stop();
    input.close();
    addCounts(all.sent, importer.counts);
    addCounts(all.counts, importer.counts);
    if (state !== undefined) addCounts(all.counts, state.counts);
  }
}

interface OpenedInput {
  readonly input: Input;
  /** The lines that are still to be sent. */
  readonly lines: AsyncIterable<readonly Line[]>;
  readonly path: string;
  readonly state: ImportState | undefined;
}

/** Opens an input where an earlier run stopped; undefined where it is empty. */
async function openAtState(
  file: string,
  options: ImportOptions,
  surroundings: Surroundings,
): Promise<OpenedInput | undefined> {
  let input = await openInput(file, surroundings.stdin);
  let groups = readLines(input.chunks);
  const first = await groups.next();
  if (first.done === true) return undefined;
  const path =
    options.state ?? statePath(surroundings.env, options.relay, first.value[0]?.chain ?? '');
  const state = options.restart === true ? undefined : await loadState(path, options.relay);
  let lines = prepend(first.value, groups);
  if (state === undefined) return { input, lines, path, state };
  const rest = await skipTo(state, lines);
  if (rest !== undefined) return { input, lines: rest, path, state };
  if (file === '-') {
    throw usageFailure(
      'stdin is not what the interrupted import of the same beginning read; --restart begins again',
    );
  }
  tell(surroundings, `distrise: ${file} has changed since it was interrupted; beginning again`);
  input.close();
  input = await openInput(file, surroundings.stdin);
  groups = readLines(input.chunks);
  lines = groups;
  return { input, lines, path, state: undefined };
}

async function* prepend(
  first: readonly Line[],
  rest: AsyncIterable<readonly Line[]>,
): AsyncGenerator<readonly Line[]> {
  yield first;
  yield* rest;
}

/** The lines after the state's, if the lines up to there are the same that it speaks of. */
async function skipTo(
  state: ImportState,
  groups: AsyncGenerator<readonly Line[]>,
): Promise<AsyncGenerator<readonly Line[]> | undefined> {
  if (state.lines === 0) return groups;
  for (;;) {
    const next = await groups.next();
    if (next.done === true) return undefined;
    const at = next.value.findIndex(({ number }) => number === state.lines);
    if (at === -1) continue;
    if (next.value[at]?.chain !== state.chain) return undefined;
    return prepend(next.value.slice(at + 1), groups);
  }
}

/** Writes the state now and then while the importer runs, and once more at its end. */
function keepState(path: string, relay: string, importer: Importer): { stop(): Promise<void> } {
  let saving: Promise<void> = Promise.resolve();
  let failure: unknown;
  let savedLines = -1;
  const save = async () => {
    const frontier = importer.frontier;
    if (frontier.lines === savedLines) return;
    await saveState(path, { version: 1, relay, ...frontier });
    savedLines = frontier.lines;
  };
  const timer = setInterval(() => {
    saving = saving.then(save).catch((error) => {
      // An import that cannot be resumed is still an import: told once, at its end.
      failure ??= error;
    });
  }, SAVE_INTERVAL_MS);
  return {
    async stop() {
      clearInterval(timer);
      await saving;
      await save();
      if (failure !== undefined) throw failure;
    },
  };
}
