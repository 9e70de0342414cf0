import { DataFolder } from './folder.ts';
import { Journal } from './journal.ts';
import { endLeftovers } from './leftovers.ts';
import { type LocalOptions, parseOptions } from './options.ts';
import { checkRelayPorts } from './ports.ts';
import { Supervisor } from './supervisor.ts';

/** `npm start`: the whole system on this machine, until a signal stops it. */

const began = performance.now();
const { env, stdout, stderr } = process;

// Once the terminal is gone there is nobody to write to; that must not end the system in disorder.
for (const stream of [stdout, stderr]) stream.on('error', () => undefined);

const stop = new AbortController();
// A terminal, npm and a service manager may each send one; the first counts, the stop is bounded.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => stop.abort());
}

const parsed = parseOptions(process.argv.slice(2), env);
if (parsed.ok) {
  process.exit(await run(parsed.value));
} else {
  const { text, exitCode } = parsed.fault;
  (exitCode === 0 ? stdout : stderr).write(text);
  process.exitCode = exitCode;
}

async function run(options: LocalOptions): Promise<number> {
  let folder: DataFolder;
  try {
    folder = DataFolder.open(options.data);
  } catch (error) {
    return fail(error);
  }
  const journal = new Journal({
    folder: folder.logs,
    showFrom: options.showFrom,
    format: env['LOG_FORMAT'] === 'json' ? 'json' : 'pretty',
    terminal: stderr,
  });
  try {
    return await runIn(folder, journal, options);
  } catch (error) {
    return fail(error);
  } finally {
    journal.close();
    folder.close();
  }
}

async function runIn(folder: DataFolder, journal: Journal, options: LocalOptions): Promise<number> {
  await endLeftovers(folder, (message) => journal.note('WARNING', message));
  await checkRelayPorts(options.port, options.relays, env['RELAY_LISTEN_ADDRESS'] || undefined);
  folder.note('supervisor', process.pid);
  const supervisor = new Supervisor({ options, env, folder, journal, signal: stop.signal });
  try {
    await supervisor.start();
    stdout.write(welcome(folder, options, supervisor.dashboards));
    await stopped();
    stdout.write('Stopping …\n');
    return 0;
  } catch (error) {
    // Stopped by a signal during the start: no failure.
    return stop.signal.aborted ? 0 : fail(error);
  } finally {
    await supervisor.stop();
    journal.note('INFO', 'stopped');
  }
}

function stopped(): Promise<void> {
  const { signal } = stop;
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function fail(error: unknown): number {
  stderr.write(`${(error as Error).message}\n`);
  return 1;
}

function welcome(
  folder: DataFolder,
  { port, relays }: LocalOptions,
  dashboards: string | undefined,
): string {
  const addresses = Array.from({ length: relays }, (_, index) => `ws://localhost:${port + index}`);
  const relay = port === 8080 ? '' : ` --relay ${addresses[0]}`;
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  return [
    `Distrise is running (ready after ${seconds} s).`,
    `  relay    ${addresses.join('  ')}`,
    ...(dashboards === undefined ? [] : [`  metrics  dashboards ${dashboards}`]),
    `  data     ${folder.path} (logs in log/, process ids in run/)`,
    `  try      npx distrise publish "Hello"${relay}`,
    `           npx distrise subscribe --limit 5${relay}`,
    `           npx distrise import FILE.jsonl${relay}`,
    '  stop     Ctrl-C',
    '',
  ].join('\n');
}
