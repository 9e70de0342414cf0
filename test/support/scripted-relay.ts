import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

/** A message of a client, parsed: `['REQ', 's1', …]`. */
export type ClientSaid = readonly [verb: string, ...unknown[]];

/** The relay's end of one connection, played by a test. */
export interface ScriptedClient {
  /** Counts connections from 0. */
  readonly number: number;
  readonly socket: WebSocket;
  /** Everything the client has said so far. */
  readonly said: ClientSaid[];
  /** Sends JSON, or a string or buffer as it is. */
  send(message: readonly unknown[] | string | Buffer): void;
  /** Cuts the TCP connection without a word. */
  cut(): void;
}

/** What a relay does; whatever is left out is silence. */
export interface Script {
  onConnect?(client: ScriptedClient): void;
  onMessage?(message: ClientSaid, client: ScriptedClient): void;
}

export interface ScriptedRelay {
  readonly url: string;
  readonly port: number;
  readonly clients: ScriptedClient[];
  /** Everything said by all clients, in order. */
  said(verb: string): ClientSaid[];
  close(): Promise<void>;
}

/**
 * The other side of the wire for tests of a client: a real WebSocket server on loopback that
 * behaves, well or badly, as the script says.
 */
export async function startScriptedRelay(
  script: Script,
  port = 0,
  perMessageDeflate = false,
): Promise<ScriptedRelay> {
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port,
    autoPong: true,
    perMessageDeflate,
  });
  await once(server, 'listening');
  const clients: ScriptedClient[] = [];
  const all: ClientSaid[] = [];
  server.on('connection', (socket) => {
    const client: ScriptedClient = {
      number: clients.length,
      socket,
      said: [],
      send(message) {
        const isRaw = typeof message === 'string' || Buffer.isBuffer(message);
        socket.send(isRaw ? message : JSON.stringify(message));
      },
      cut: () => socket.terminate(),
    };
    clients.push(client);
    socket.on('error', () => socket.terminate());
    socket.on('message', (data) => {
      const message = JSON.parse(data.toString()) as ClientSaid;
      client.said.push(message);
      all.push(message);
      script.onMessage?.(message, client);
    });
    script.onConnect?.(client);
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `ws://127.0.0.1:${bound}`,
    port: bound,
    clients,
    said: (verb) => all.filter(([said]) => said === verb),
    async close() {
      for (const { socket } of clients) socket.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
