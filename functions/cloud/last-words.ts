import type { Log } from './log.ts';

/** The events of `process` that tell of errors which nobody caught. */
export interface Failing {
  on(event: 'uncaughtException', listener: (error: unknown) => void): unknown;
  on(event: 'unhandledRejection', listener: (reason: unknown) => void): unknown;
  removeAllListeners(event: 'exit'): unknown;
  exit(code: number): void;
}

/**
 * Ends the process with code 1 on an error that nobody caught, after one line for Error Reporting:
 * what it was about to do is unknown, and whoever depends on it (Pub/Sub, Cloud Run, clients) knows
 * how to go on elsewhere. To be called first thing, so that no other listener comes before.
 */
export function endOnFault(log: Log, failing: Failing = process): void {
  const end = (what: string) => (thrown: unknown) => {
    try {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      log.fault(what, { error });
    } finally {
      // functions-framework would add words and a stack of its own, which counts as another error.
      failing.removeAllListeners('exit');
      failing.exit(1);
    }
  };
  failing.on('uncaughtException', end('an error that nobody caught'));
  failing.on('unhandledRejection', end('a rejection that nobody handled'));
}
