import { subscribe } from 'node:diagnostics_channel';
import type { ListenOptions, Server } from 'node:net';

/**
 * Loaded before functions-framework (`node --import`), which knows neither a supervisor nor a
 * single interface. It ties a function's process to its supervisor: the process ends when the
 * supervisor does, tells it when it is ready, and takes calls from this machine only.
 */
process.once('disconnect', () => process.exit(0));

subscribe('tracing:net.server.listen:asyncStart', (message) => {
  const { options } = message as { options: ListenOptions };
  // A reader's machine may be on an open network; a function there is for its own queue only.
  options.host = '127.0.0.1';
});

subscribe('tracing:net.server.listen:asyncEnd', (message) => {
  const { server } = message as { server: Server };
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  process.send?.({ ready: true, port });
});
