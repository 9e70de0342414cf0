import { createRequire } from 'node:module';
import { type DestinationStream, type Logger, pino } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warning' | 'error';

/**
 * Where services write what happened: one JSON object a line in the form of Cloud Logging. Ids,
 * kinds, sizes and verdicts go in, never content. A field `error` that holds an Error becomes its
 * name, code and message, and at severity ERROR its stack in `stack_trace`, which Error Reporting
 * reads.
 */
export interface Log {
  debug(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  warning(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
  /** A log whose every line carries these fields too. */
  child(fields: object): Log;
}

export interface LogOptions {
  readonly level: LogLevel;
  /** `pretty` is for people at a terminal and needs the development packages. */
  readonly format: 'json' | 'pretty';
  /** The service's name: a label of every line. */
  readonly component: string;
}

const SEVERITIES: Readonly<Record<string, string>> = {
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
};

const severity = (label: string) => ({ severity: SEVERITIES[label] ?? 'DEFAULT' });

/** Opens a log that writes to standard output, or to `destination`. */
export function openLog(options: LogOptions, destination?: DestinationStream): Log {
  const logger = pino(
    {
      level: options.level === 'warning' ? 'warn' : options.level,
      messageKey: 'message',
      base: { component: options.component },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      ...(options.format === 'json' ? { formatters: { level: severity } } : {}),
    },
    destination ??
      (options.format === 'pretty' ? prettyOutput() : pino.destination({ sync: true })),
  );
  return wrap(logger);
}

/** Written at once: functions-framework ends the process without waiting for a flush. */
function prettyOutput(): DestinationStream {
  const require = createRequire(import.meta.url);
  const pretty = require('pino-pretty') as typeof import('pino-pretty');
  return pretty({
    sync: true,
    messageKey: 'message',
    timestampKey: 'time',
    messageFormat: '{component} {message}',
    ignore: 'component',
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
  });
}

function wrap(logger: Logger): Log {
  return {
    debug: (message, fields = {}) => {
      if (logger.isLevelEnabled('debug')) logger.debug(plain(fields, false), message);
    },
    info: (message, fields = {}) => logger.info(plain(fields, false), message),
    warning: (message, fields = {}) => logger.warn(plain(fields, false), message),
    error: (message, fields = {}) => logger.error(plain(fields, true), message),
    child: (fields) => wrap(logger.child(fields)),
  };
}

/** Fields with a thrown value in `error` made printable: JSON shows nothing of an Error. */
function plain(fields: object, withStack: boolean): object {
  if (!('error' in fields)) return fields;
  const { error } = fields;
  if (!(error instanceof Error)) return { ...fields, error: String(error) };
  const { name, message } = error;
  const code = 'code' in error ? error.code : undefined;
  return {
    ...fields,
    error: { name, message, ...(code === undefined ? {} : { code }) },
    ...(withStack ? { stack_trace: error.stack } : {}),
  };
}
