import type { Log } from '../cloud/log.ts';

/** A server that runs as a process of its own. */
export interface Served {
  /** What its supervisor is told beside that it is ready: its ports. */
  readonly ports: Readonly<Record<string, number>>;
  close(): Promise<void>;
}

/**
 * Opens a server, says `{ready, …ports}` over the process's channel, if it has one, and ends with a
 * signal or when the channel closes: a supervisor that died leaves nothing behind.
 */
export async function serve(log: Log, open: () => Promise<Served>): Promise<void> {
  try {
    const { ports, close } = await open();
    let stopping = false;
    const stop = (why: string): void => {
      if (stopping) return;
      stopping = true;
      log.info('stopping', { why });
      close().then(
        () => process.exit(0),
        (error: unknown) => {
          log.error('stop failed', { error });
          process.exit(1);
        },
      );
    };
    process.on('SIGTERM', () => stop('SIGTERM'));
    process.on('SIGINT', () => stop('SIGINT'));
    process.on('disconnect', () => stop('channel closed'));
    log.info('listening', ports);
    process.send?.({ ready: true, ...ports });
  } catch (error) {
    log.error('could not start', { error });
    process.exit(1);
  }
}
