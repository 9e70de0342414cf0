import { hostname } from 'node:os';
import type { Terminal } from '../command/run.ts';

export { type EndWith, tell } from '../command/run.ts';

/** All that a command sees of the world besides files, the network and the database. */
export interface Surroundings extends Terminal {
  nowMs(): number;
  /** Asks whoever sits there; absent where nobody does. */
  readonly ask?: (question: string) => Promise<string>;
}

/** Who decides, where the command line does not say. */
export const operatorOf = (env: Surroundings['env']): string =>
  env['DISTRISE_OPERATOR'] || `${env['USER'] || env['LOGNAME'] || 'unknown'}@${hostname()}`;

/** Writes a command's result; resolves when it has left this process. */
export async function print({ stdout }: Surroundings, text: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    // The stream tells an error here and by an event, which nobody else listens to.
    const onEvent = (): void => undefined;
    stdout.on('error', onEvent);
    stdout.write(`${text}\n`, (error) => {
      if (error === null || error === undefined) {
        stdout.off('error', onEvent);
        resolve();
      } else if ((error as NodeJS.ErrnoException).code === 'EPIPE') {
        // Nobody reads any more, like after `| head`: a reason to stop, and no error.
        resolve();
      } else {
        reject(error);
      }
    });
  });
}
