import { createReadStream, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { traceOfEvent } from '../cloud/trace.ts';
import { CommandFailure, EXIT } from './exit.ts';

/** What a log line says of an event. */
export interface EventLine {
  /** Unix milliseconds. */
  readonly at: number;
  /** Who wrote it: `relay-0`, or component and instance. */
  readonly part: string;
  readonly severity: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** The lines about an event in the log folder of a system on this machine. */
export async function readLocalLines(folder: string, id: string): Promise<EventLine[]> {
  const found: EventLine[] = [];
  for (const file of logFiles(folder)) {
    const part = file.replace(/\.log(\.1)?$/, '');
    const lines = createInterface({ input: createReadStream(join(folder, file)) });
    for await (const text of lines) {
      if (!text.includes(id)) continue;
      const line = lineOf(parsed(text), id, part);
      if (line !== undefined) found.push(line);
    }
  }
  return found;
}

function logFiles(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => /\.log(\.1)?$/.test(name));
  } catch {
    // A system that has written nothing yet.
    return [];
  }
}

/** The lines about an event in what `gcloud logging read --format=json` wrote. */
export function readCloudLines(path: string, id: string): EventLine[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new CommandFailure(EXIT.file, `cannot read ${path}: ${said}`, error);
  }
  const entries = parsed(text);
  if (!Array.isArray(entries)) {
    throw new CommandFailure(EXIT.usage, `${path} holds no list of log entries in JSON`);
  }
  return entries.flatMap((entry) => lineOf(entry, id) ?? []);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const SPECIAL = 'logging.googleapis.com/';

/** A line as we write it, or a LogEntry that Cloud Logging made of one. */
function lineOf(value: unknown, id: string, file?: string): EventLine | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const entry = value as Readonly<Record<string, unknown>>;
  const payload = (entry['jsonPayload'] ?? entry) as Readonly<Record<string, unknown>>;
  const { event, ids, message } = payload;
  const names = event === id || (Array.isArray(ids) && ids.includes(id));
  const at = Date.parse(String(entry['timestamp'] ?? entry['time']));
  if (!names || Number.isNaN(at)) return undefined;
  const labels = (entry['labels'] ?? payload[`${SPECIAL}labels`] ?? {}) as Record<string, unknown>;
  const { component, instance } = labels;
  const part = file ?? [component, instance].filter((each) => each !== undefined).join(' ');
  return {
    at,
    part,
    severity: String(entry['severity']),
    message: String(message),
    fields: Object.fromEntries(
      Object.entries(payload).filter(([name]) => !name.startsWith(SPECIAL) && !COMMON.has(name)),
    ),
  };
}

/** What every line has, or what is shown otherwise. */
const COMMON = new Set(['severity', 'time', 'message', 'event', 'ids', '@type', 'serviceContext']);

/** Older lines than this Cloud Logging has deleted, unless it was told otherwise. */
const FRESHNESS = '30d';
/** Lines lie near the time of acceptance; a replay may come days later, so there is no end. */
const BEFORE_MS = 3_600_000;

/** The command that finds an event's lines in Cloud Logging. */
export function loggingCommand(
  id: string,
  project: string | undefined,
  acceptedAt: number | undefined,
): string {
  const name = project ?? 'PROJECT';
  const trace = `trace="projects/${name}/traces/${traceOfEvent(id)}"`;
  const lines = `(${trace} OR jsonPayload.event="${id}" OR jsonPayload.ids="${id}")`;
  const since =
    acceptedAt === undefined
      ? ''
      : ` AND timestamp>="${new Date(acceptedAt - BEFORE_MS).toISOString()}"`;
  const span = acceptedAt === undefined ? ` --freshness=${FRESHNESS}` : '';
  return `gcloud logging read '${lines}${since}' --project=${name}${span} --order=asc --format=json`;
}
