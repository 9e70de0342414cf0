import { join } from 'node:path';
import type { LogLevel } from '../../../functions/cloud/log.ts';
import { COMPONENTS } from '../../../functions/cloud/metrics/catalogue.ts';
import { OUTCOMES } from '../../../functions/store/outcomes.ts';
import { sourceOf } from '../imports.ts';
import { filesBehind } from '../written-texts.ts';

const ROOT = join(import.meta.dirname, '../../..');
const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warning', 'error'];

/** A line with fields: one without has no `jsonPayload`, Cloud Logging makes it a `textPayload`. */
const WITH_FIELDS = /\.(debug|info|warning|error|fault)\(\s*'((?:[^'\\]|\\.)+)',/g;
/** The writer of metrics says what it has to say through a method that bounds how often. */
const BOUNDED = /#log\([^']*'((?:[^'\\]|\\.)+)',/g;
/** A step of an event that failed, see journey.ts. */
const FAILED_STEP = /\.failure\(\s*'(\w+)'/g;
/** What a function says where a call breaks, see function-handler.ts. */
const BROKEN_CALL = /failure = \{ message: '((?:[^'\\]|\\.)+)',/g;

/** The messages that a component logs with fields, and the highest level of each. */
function messagesOf(component: string): ReadonlyMap<string, LogLevel> {
  const found = new Map<string, LogLevel>();
  const add = (message: string, level: LogLevel) => {
    const before = found.get(message);
    if (before === undefined || LEVELS.indexOf(before) < LEVELS.indexOf(level)) {
      found.set(message, level);
    }
  };
  for (const path of filesBehind(ROOT, `functions/${component}`)) {
    const source = sourceOf(ROOT, path);
    for (const [, level, message] of source.matchAll(WITH_FIELDS)) {
      add(message!, level === 'fault' ? 'error' : (level as LogLevel));
    }
    for (const [, message] of source.matchAll(BOUNDED)) add(message!, 'warning');
    for (const [, message] of source.matchAll(BROKEN_CALL)) add(message!, 'error');
    for (const [, step] of source.matchAll(FAILED_STEP)) add(`event ${step}`, 'warning');
  }
  if (component === 'store') {
    for (const [outcome, { severity }] of Object.entries(OUTCOMES)) {
      add(`events ${outcome}`, severity);
    }
  }
  return found;
}

const MESSAGES = new Map(
  COMPONENTS.map((component) => [component as string, messagesOf(component)]),
);

/** What is wrong with a filter of Cloud Logging: it must find the lines that it names. */
export function logFilterFaults(filter: string): string[] {
  const service = /service_name="([^"]+)"/.exec(filter)?.[1];
  if (service !== undefined && !MESSAGES.has(service)) return [`no service ${service}: ${filter}`];
  const written = service === undefined ? [...MESSAGES.values()] : [MESSAGES.get(service)!];
  const asked = /severity>=([A-Z]+)/.exec(filter)?.[1]?.toLowerCase();
  const named = [...filter.matchAll(/jsonPayload\.message="([^"]+)"/g)].map(([, text]) => text!);
  if (named.length === 0) return generalFaults(filter, service, asked);
  return named.flatMap((message) => {
    const levels = written.flatMap((messages) => messages.get(message) ?? []);
    if (levels.length === 0) return [`${service ?? 'no component'} never logs: ${message}`];
    const seen = levels.some((level) => reaches(level, asked));
    return seen ? [] : [`${message} is only ${levels.join()}: ${filter}`];
  });
}

const reaches = (level: LogLevel, asked: string | undefined): boolean =>
  asked === undefined || LEVELS.indexOf(level) >= LEVELS.indexOf(asked as LogLevel);

/** In store and probe what a person must see is an error; elsewhere most of it is a warning. */
function generalFaults(
  filter: string,
  service: string | undefined,
  asked: string | undefined,
): string[] {
  if (service === 'store' || service === 'probe' || asked !== 'error') return [];
  return [`most of what goes wrong is a warning: ${filter}`];
}
