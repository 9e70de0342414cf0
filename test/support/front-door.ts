import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';

/**
 * One address before several instances, as Cloud Run's: new connections go to where the traffic is
 * led, those that are there stay where they are.
 */
export class FrontDoor {
  readonly url: string;
  /** The port that new connections are led to. */
  leadsTo: number;
  /** Further ports that take turns with it. */
  alsoTo: readonly number[] = [];
  #turn = 0;
  readonly #server: Server;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.leadsTo = port;
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async open(port: number): Promise<FrontDoor> {
    const server = createServer({ noDelay: true });
    server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 });
    await once(server, 'listening');
    const door = new FrontDoor(server, port);
    server.on('connection', (client) => {
      const instance = connect({ port: door.#next(), host: '127.0.0.1', noDelay: true });
      for (const [one, other] of [
        [client, instance],
        [instance, client],
      ] as const) {
        one.on('error', () => undefined);
        one.on('close', () => other.destroy());
        one.pipe(other);
      }
    });
    return door;
  }

  #next(): number {
    const ports = [this.leadsTo, ...this.alsoTo];
    this.#turn += 1;
    return ports[this.#turn % ports.length] as number;
  }

  close(): void {
    this.#server.close();
  }
}
