import type { Trace } from './trace.ts';

/** Who writes: Cloud Logging and Error Reporting sort lines by it. */
export interface LogOrigin {
  /** The part of the system: `relay`, `store` …. */
  readonly component: string;
  /** The project that traces belong to; undefined where none is known. */
  readonly project?: string | undefined;
  /** Name and revision of the Cloud Run service. */
  readonly service?: string | undefined;
  readonly revision?: string | undefined;
  /** Tells this process from others of the same revision. */
  readonly instance?: string | undefined;
}

/** What can be told of how a line came to be. */
export type LineKind = 'plain' | 'error' | 'fault';

const SPECIAL = 'logging.googleapis.com/';

/** The fields of every line. */
export function labelsOf({ component, revision, instance }: LogOrigin): object {
  return {
    [`${SPECIAL}labels`]: {
      component,
      ...(revision !== undefined && { revision }),
      ...(instance !== undefined && { instance }),
    },
  };
}

/**
 * A line's fields in the form of Cloud Logging: `trace` (a `Trace` or its id) and a thrown value in
 * `error` become what Google's products read. A `fault` gets the shape of Error Reporting.
 * @param here a stack of the caller, for errors that bring none.
 */
export function cloudFields(
  fields: object,
  kind: LineKind,
  origin: LogOrigin,
  here: () => string | undefined,
): object {
  const { trace, error, ...rest } = fields as { trace?: unknown; error?: unknown };
  const thrown = error instanceof Error ? error : undefined;
  const reported = kind === 'fault' || (kind === 'error' && isMistake(thrown));
  const stack = kind === 'plain' ? undefined : stackOf(thrown);
  const place = kind === 'plain' ? undefined : placeIn(stack ?? here());
  return {
    ...rest,
    ...(trace !== undefined && traceFields(trace, origin.project)),
    ...('error' in fields && { error: shownError(error, reported ? undefined : stack) }),
    ...(place !== undefined && { [`${SPECIAL}sourceLocation`]: place }),
    ...(reported && reportOf(origin, stack, place)),
  };
}

/** The same for people: a trace as its id, an error with its stack where that helps. */
export function plainFields(fields: object, kind: LineKind): object {
  const { trace, error, ...rest } = fields as { trace?: unknown; error?: unknown };
  const thrown = error instanceof Error ? error : undefined;
  return {
    ...rest,
    ...(trace !== undefined && { trace: isTrace(trace) ? trace.id : trace }),
    ...('error' in fields && { error: shownError(error, undefined) }),
    ...(kind !== 'plain' && thrown !== undefined && { stack_trace: stackOf(thrown) }),
  };
}

const isTrace = (value: unknown): value is Trace =>
  typeof value === 'object' && value !== null && 'id' in value;

function traceFields(trace: unknown, project: string | undefined): object {
  const { id, spanId, sampled }: Trace = isTrace(trace) ? trace : { id: String(trace) };
  return {
    [`${SPECIAL}trace`]: project === undefined ? id : `projects/${project}/traces/${id}`,
    ...(spanId !== undefined && { [`${SPECIAL}spanId`]: spanId }),
    ...(sampled !== undefined && { [`${SPECIAL}trace_sampled`]: sampled }),
  };
}

function shownError(error: unknown, stack: string | undefined): unknown {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? error.code : undefined;
  return {
    name: error.name,
    message: messageOf(error),
    ...(code !== undefined && { code }),
    ...(stack !== undefined && { stack }),
  };
}

/** PostgreSQL's class of values that do not fit, and V8's SyntaxError: both repeat what was given. */
const REPEATS = /^22[0-9A-Z]{3}$/;
const QUOTED = /(["']).*["']/su;

/** The message without what others wrote. */
function messageOf(error: Error): string {
  const code = 'code' in error ? String(error.code) : '';
  const repeats = error.name === 'SyntaxError' || REPEATS.test(code);
  return repeats ? error.message.replace(QUOTED, '$1…$1') : error.message;
}

/** A stack begins with the message. */
function stackOf(error: Error | undefined): string | undefined {
  return error?.stack?.replace(error.message, () => messageOf(error));
}

const MISTAKES: ReadonlySet<string> = new Set(['TypeError', 'ReferenceError', 'RangeError']);

/** True for what only a mistake in a program throws; Node's own refusals have a code or a cause. */
const isMistake = (error: Error | undefined): boolean =>
  error !== undefined && MISTAKES.has(error.name) && !('code' in error) && !error.cause;

interface Place {
  readonly file: string;
  /** A 64-bit number, which JSON carries as text. */
  readonly line: string;
  readonly function?: string;
}

const FRAME = /^\s+at (?:async )?(?:(.+?) \()?(?:file:\/\/)?([^()\s]+):([0-9]+):[0-9]+\)?$/;

/** The topmost place of a stack that lies in our own code, else the topmost of all. */
function placeIn(stack: string | undefined): Place | undefined {
  let first: Place | undefined;
  for (const text of stack?.split('\n') ?? []) {
    const [, name, path, line] = FRAME.exec(text) ?? [];
    if (path === undefined || line === undefined) continue;
    const ours = /(?:^|\/)((?:functions|test)\/(?!.*node_modules).+)$/.exec(path)?.[1];
    const place = { file: ours ?? path, line, ...(name !== undefined && { function: name }) };
    if (ours !== undefined) return place;
    first ??= place;
  }
  return first;
}

const REPORTED_TYPE =
  'type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent';

function reportOf(origin: LogOrigin, stack: string | undefined, place: Place | undefined): object {
  const { component, service = component, revision } = origin;
  return {
    '@type': REPORTED_TYPE,
    serviceContext: { service, ...(revision !== undefined && { version: revision }) },
    ...(stack !== undefined
      ? { stack_trace: stack }
      : place !== undefined && {
          // Without a stack it wants to know the place.
          context: {
            reportLocation: {
              filePath: place.file,
              lineNumber: Number(place.line),
              functionName: place.function ?? '',
            },
          },
        }),
  };
}

const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/nsec1[02-9ac-hj-np-z]{6,}/gi, 'nsec1…'],
  // user:password@ in an address.
  [/(\/\/[^\s/:@"\\]*):[^\s/@"\\]+@/g, '$1:…@'],
];

/** A whole line without what looks like a secret key or a password; it stays valid JSON. */
export function withoutSecrets(line: string): string {
  let clean = line;
  for (const [secret, instead] of SECRETS) clean = clean.replace(secret, instead);
  return clean;
}
