import type { Log } from '../../functions/cloud/log.ts';

/** A line as it was logged: severity, message, fields. */
export type LoggedLine = [level: string, message: string, fields: object];

/** A log that keeps what it is told, oldest first. */
export function recordingLog(): { readonly log: Log; readonly lines: LoggedLine[] } {
  const lines: LoggedLine[] = [];
  const at =
    (level: string) =>
    (message: string, fields: object = {}): void =>
      void lines.push([level, message, fields]);
  const log: Log = {
    debug: at('debug'),
    info: at('info'),
    warning: at('warning'),
    error: at('error'),
    fault: at('fault'),
    child: () => log,
  };
  return { log, lines };
}
