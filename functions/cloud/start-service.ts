import type { ConfigurationResult, LogConfiguration } from './configuration.ts';
import { endOnFault } from './last-words.ts';
import { type Log, openServiceLog } from './log.ts';

/**
 * What every service begins with: its settings and its log. A wrong setting ends the process with
 * code 1, after one line in the log that names all mistakes: an error thrown while it loads would
 * be told by functions-framework as a likely error of syntax. What nobody catches later ends it too.
 * @param parsed what the schema made of the environment.
 */
export function startService<T extends LogConfiguration>(
  component: string,
  parsed: ConfigurationResult<T>,
): { readonly settings: T; readonly log: Log } {
  const log = openServiceLog(component, parsed.ok ? parsed.value : {});
  endOnFault(log);
  if (!parsed.ok) {
    log.error(`configuration is wrong:\n${parsed.reason}`);
    process.exit(1);
  }
  return { settings: parsed.value, log };
}
