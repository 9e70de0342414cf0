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
  const ports: number[] = [];
  for (let turn = 0; ports.length < count && turn < 1000; turn += 1) {
    const port = nextPort();
    if ((await listenFault(port, '127.0.0.1')) === undefined) ports.push(port);
  }
  if (ports.length < count) throw new Error('Too few free ports on this machine.');
  return ports;
}

/** Ports of one system, with room for those that are taken. */
const PORTS_A_PROCESS = 16;
const span = portRange.to - portRange.from;
/**
 * Each process looks from a place of its own: between finding a port and listening on it lie
 * seconds, in which two systems that start together would take each other's.
 */
let place = process.pid * PORTS_A_PROCESS;

function nextPort(): number {
  place += 1;
  return portRange.from + (place % span);
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
