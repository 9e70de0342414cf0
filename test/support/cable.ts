import { connect, createServer, type Socket } from 'node:net';

/** A TCP connection to some server that a test can cut and mend. */
export interface Cable {
  readonly port: number;
  /** Bytes that went through it so far, towards the server and back. */
  carried(): { readonly there: number; readonly back: number };
  /** What the server says on open connections gets lost from now on. */
  silence(): void;
  /** Breaks all connections and refuses new ones. */
  cut(): Promise<void>;
  /** Takes connections again, on the same port. */
  mend(): Promise<void>;
}

/** Lays a cable to a port of this machine. Mended at first. */
export async function layCable(target: number): Promise<Cable> {
  const sockets = new Set<Socket>();
  const ways = new Set<readonly [from: Socket, to: Socket]>();
  let there = 0;
  let back = 0;
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    near.on('data', (data) => {
      there += data.length;
    });
    far.on('data', (data) => {
      back += data.length;
    });
    const way = [far, near] as const;
    ways.add(way);
    near.on('close', () => ways.delete(way));
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  const listen = (port: number) =>
    new Promise<number>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => {
        server.off('error', reject);
        const address = server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  const port = await listen(0);
  return {
    port,
    carried: () => ({ there, back }),
    silence() {
      for (const [from, to] of ways) from.unpipe(to);
    },
    cut: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
    async mend() {
      await listen(port);
    },
  };
}
