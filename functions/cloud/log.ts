import { createRequire } from 'node:module';
import { type DestinationStream, type Logger, pino } from 'pino';
import type { LogConfiguration } from './configuration.ts';
import {
  cloudFields,
  type LineKind,
  type LogOrigin,
  labelsOf,
  plainFields,
  withoutSecrets,
} from './log-fields.ts';
import { PROCESS_NAME } from './process-name.ts';

export type LogLevel = 'debug' | 'info' | 'warning' | 'error';

/**
 * Where services write what happened: one JSON object a line in the form of Cloud Logging. Ids,
 * kinds, sizes and verdicts go in, never content or secrets. Some fields mean more than themselves:
 * `error` holds a thrown value, `trace` a `Trace` or its id, and `httpRequest` (http-request.ts)
 * sums up a request.
 */
export interface Log {
  debug(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  warning(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
  /** A fault of ours that nobody expected: Error Reporting gathers these. */
  fault(message: string, fields?: object): void;
  /** A log whose every line carries these fields too. */
  child(fields: object): Log;
}

export interface LogOptions extends LogOrigin {
  readonly level: LogLevel;
  /** `pretty` is for people at a terminal and needs the development packages. */
  readonly format: 'json' | 'pretty';
}

const SEVERITIES: Readonly<Record<string, string>> = {
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
};

const severity = (label: string) => ({ severity: SEVERITIES[label] ?? 'DEFAULT' });

/** Opens the log of a service as its configuration asks. */
export function openServiceLog(
  component: string,
  configuration: Partial<LogConfiguration> & { readonly GOOGLE_CLOUD_PROJECT?: string },
): Log {
  return openLog({
    component,
    level: configuration.LOG_LEVEL ?? 'info',
    format: configuration.LOG_FORMAT ?? 'json',
    project: configuration.GOOGLE_CLOUD_PROJECT,
    service: configuration.K_SERVICE,
    revision: configuration.K_REVISION,
    instance: PROCESS_NAME,
  });
}

/** Opens a log that writes to standard output, or to `destination`. */
export function openLog(options: LogOptions, destination?: DestinationStream): Log {
  const json = options.format === 'json';
  const logger = pino(
    {
      level: options.level === 'warning' ? 'warn' : options.level,
      messageKey: 'message',
      base: json ? labelsOf(options) : { component: options.component },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      hooks: { streamWrite: withoutSecrets },
      ...(json ? { formatters: { level: severity } } : {}),
    },
    destination ?? (json ? pino.destination({ sync: true }) : prettyOutput()),
  );
  const shape: Shape = json
    ? (fields, kind) => cloudFields(fields, kind, options, callers)
    : plainFields;
  return wrap(logger, shape);
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

type Shape = (fields: object, kind: LineKind) => object;

function wrap(logger: Logger, shape: Shape): Log {
  return {
    debug: (message, fields = {}) => {
      if (logger.isLevelEnabled('debug')) logger.debug(shape(fields, 'plain'), message);
    },
    info: (message, fields = {}) => {
      if (logger.isLevelEnabled('info')) logger.info(shape(fields, 'plain'), message);
    },
    warning: (message, fields = {}) => logger.warn(shape(fields, 'plain'), message),
    error: (message, fields = {}) => logger.error(shape(fields, 'error'), message),
    fault: (message, fields = {}) => logger.error(shape(fields, 'fault'), message),
    child: (fields) => wrap(logger.child(shape(fields, 'plain')), shape),
  };
}

/** The stack without the frames of this file. */
function callers(): string | undefined {
  return new Error().stack
    ?.split('\n')
    .filter((line) => !/\/cloud\/log(-fields)?\.[jt]s:/.test(line))
    .join('\n');
}
