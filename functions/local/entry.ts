/** One line of a part's output, understood as far as it can be. */
export interface LogEntry {
  readonly severity: Severity;
  readonly message: string;
  /** What else a structured line held, without what every line holds. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Cloud Logging's names, lowest first. */
export const severities = [
  'DEBUG',
  'INFO',
  'NOTICE',
  'WARNING',
  'ERROR',
  'CRITICAL',
  'ALERT',
  'EMERGENCY',
] as const;
export type Severity = (typeof severities)[number];

export type OutputStream = 'stdout' | 'stderr';

/** Reads what a part wrote: one JSON object, a line of PostgreSQL, or plain text. */
export function parseEntry(line: string, stream: OutputStream): LogEntry {
  return parseJson(line) ?? parsePostgres(line) ?? parsePlain(line, stream);
}

function parseJson(line: string): LogEntry | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const { severity, message, time, timestamp, pid, hostname, ...fields } = JSON.parse(
      line,
    ) as Record<string, unknown>;
    if (typeof message !== 'string') return undefined;
    return { severity: asSeverity(severity) ?? 'INFO', message, fields: forPeople(fields) };
  } catch {
    return undefined;
  }
}

const SPECIAL = 'logging.googleapis.com/';

/** Without what only Google's products read. */
function forPeople(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (name === `${SPECIAL}trace`) shown['trace'] = String(value).replace(/^.*\//, '');
    else if (name === 'httpRequest') shown['request'] = requestLine(value);
    else if (!name.startsWith(SPECIAL) && !REPORTING.has(name)) shown[name] = value;
  }
  return shown;
}

/** Fields of Error Reporting. */
const REPORTING = new Set(['@type', 'serviceContext', 'context']);

function requestLine(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { requestMethod, requestUrl, status, latency } = value as Record<string, unknown>;
  return [requestMethod, requestUrl, status, latency].filter(Boolean).join(' ');
}

function asSeverity(value: unknown): Severity | undefined {
  return severities.find((each) => each === value);
}

/**
 * A failed statement or a refused connection is reported by the part that wanted it, with what it
 * means there (a cancelled query is daily business), so PostgreSQL's own ERROR and FATAL are no
 * more than information here. Why the server itself would not start is shown by its supervisor.
 */
const postgresSeverities: Readonly<Record<string, Severity>> = {
  PANIC: 'CRITICAL',
  FATAL: 'NOTICE',
  WARNING: 'WARNING',
};

function parsePostgres(line: string): LogEntry | undefined {
  const match = /^[\d-]+ [\d:.]+ \S+ \[\d+\] ([A-Z]+\d?): {1,2}(.*)$/.exec(line);
  const [, level, message] = match ?? [];
  if (level === undefined || message === undefined) return undefined;
  return { severity: postgresSeverities[level] ?? 'INFO', message, fields: {} };
}

/** Structured parts write to stdout; what comes on stderr is a warning of Node or a crash. */
function parsePlain(line: string, stream: OutputStream): LogEntry {
  return { severity: stream === 'stderr' ? 'WARNING' : 'INFO', message: line, fields: {} };
}

/** Renders an entry as a line for people; further lines (a stack) are indented below it. */
export function formatEntry(name: string, entry: LogEntry, time: Date, colour: boolean): string {
  const { stack_trace: stack, stack: otherStack, ...others } = entry.fields;
  const { fields, stack: stackOfError } = withoutStack(others);
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${formatValue(value)}`);
  const trace = [stack, otherStack, stackOfError].find((each) => typeof each === 'string');
  const below = typeof trace === 'string' ? `\n${trace.replace(/^/gm, '    ')}` : '';
  const clock = time.toTimeString().slice(0, 8);
  const severity = paint(entry.severity.padEnd(7), colourOf(entry.severity), colour);
  return `${clock} ${severity} ${name}: ${entry.message}${rest.join('')}${below}`;
}

/** An error that was expected brings its stack along inside. */
function withoutStack(fields: Readonly<Record<string, unknown>>): {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly stack?: unknown;
} {
  const { error } = fields;
  if (typeof error !== 'object' || error === null || !('stack' in error)) return { fields };
  const { stack, ...rest } = error;
  return { fields: { ...fields, error: rest }, stack };
}

function formatValue(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value) ?? String(value);
}

function colourOf(severity: Severity): number {
  const rank = severities.indexOf(severity);
  if (rank >= severities.indexOf('ERROR')) return 31;
  if (rank >= severities.indexOf('WARNING')) return 33;
  return 2;
}

function paint(text: string, code: number, colour: boolean): string {
  return colour ? `\u001b[${code}m${text}\u001b[0m` : text;
}
