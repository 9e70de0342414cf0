import type { ConfigurationResult, LogConfiguration } from './configuration.ts';
import { type Log, openLog } from './log.ts';

/**
 * What every function begins with: its settings and its log. A wrong setting ends the process with
 * code 1, after one line in the log that names all mistakes: an error thrown while it loads would
 * be told by functions-framework as a likely error of syntax.
 * @param parsed what the schema made of the environment.
 */
export function startService<T extends LogConfiguration>(
  component: string,
  parsed: ConfigurationResult<T>,
): { readonly settings: T; readonly log: Log } {
  const log = openLog({
    level: parsed.ok ? parsed.value.LOG_LEVEL : 'info',
    format: parsed.ok ? parsed.value.LOG_FORMAT : 'json',
    component,
  });
  if (!parsed.ok) {
    log.error(`configuration is wrong:\n${parsed.reason}`);
    process.exit(1);
  }
  return { settings: parsed.value, log };
}
