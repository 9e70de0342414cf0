import { createServer } from 'node:net';
import { portRange } from './limits.ts';

/** Fails, naming the port, if one of the relays' ports is taken (on the host, if one is given). */
export async function checkRelayPorts(first: number, relays: number, host?: string): Promise<void> {
  for (let index = 0; index < relays; index += 1) {
    const port = first + index;
    const fault = await listenFault(port, host);
    if (fault === undefined) continue;
    const why =
      fault === 'EADDRINUSE'
        ? 'is already in use by another program'
        : fault === 'EACCES'
          ? 'may not be used by this user'
          : `cannot be listened on (${fault})`;
    throw new Error(
      `Port ${port}, on which relay-${index} would listen, ${why}. Choose another one with --port.`,
    );
  }
}

/**
 * Free ports for the parts that only other parts talk to. Each part keeps its port when it is
 * started again, so they lie outside the range from which outgoing connections take theirs.
 */
export async function findPorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  const span = portRange.to - portRange.from;
  for (let turn = 0; ports.size < count && turn < 1000; turn += 1) {
    const port = portRange.from + Math.floor(Math.random() * span);
    if (!ports.has(port) && (await listenFault(port, '127.0.0.1')) === undefined) ports.add(port);
  }
  if (ports.size < count) throw new Error('Too few free ports on this machine.');
  return [...ports];
}

/** Why the port cannot be listened on; undefined if it can. */
function listenFault(port: number, host?: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, ...(host === undefined ? {} : { host }), exclusive: true }, () => {
      server.close(() => resolve(undefined));
    });
  });
}
