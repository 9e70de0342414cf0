import { once } from 'node:events';
import { WebSocket } from 'ws';
import { until } from './until.ts';

/** A message from the relay, parsed. */
export type RelayMessage = readonly [string, ...unknown[]];

/**
 * A client that sends what it is told, right or wrong, and keeps what it gets, in order. For tests
 * of the protocol itself; it knows no rule of Nostr.
 */
export class Wire {
  readonly messages: RelayMessage[] = [];
  readonly socket: WebSocket;
  /** Set when the connection has ended. */
  closed: { readonly code: number; readonly reason: string } | undefined;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data) => this.messages.push(JSON.parse(String(data)) as RelayMessage));
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
    });
    socket.on('error', () => undefined);
  }

  static async open(url: string, headers: Record<string, string> = {}): Promise<Wire> {
    const wire = new Wire(new WebSocket(url, { headers, perMessageDeflate: false }));
    await once(wire.socket, 'open');
    return wire;
  }

  /** Sends values as JSON, and texts as they are. */
  send(...messages: readonly (string | readonly unknown[])[]): void {
    for (const one of messages)
      this.socket.send(typeof one === 'string' ? one : JSON.stringify(one));
  }

  /** Waits for the first message, among those that were not taken yet, that `wanted` is true of. */
  async take(
    what: string,
    wanted: (message: RelayMessage) => boolean,
    timeoutMs = 5_000,
  ): Promise<RelayMessage> {
    const found = await until(
      () => {
        const at = this.messages.findIndex(wanted);
        return at === -1 ? undefined : this.messages.splice(at, 1);
      },
      { timeoutMs, what },
    );
    return found[0]!;
  }

  /** Waits for the next message of this type, and for this subscription or event if one is given. */
  next(type: string, id?: string): Promise<RelayMessage> {
    const wanted = (message: RelayMessage) =>
      message[0] === type && (id === undefined || message[1] === id);
    return this.take(`${type} ${id ?? ''}`, wanted);
  }

  /** Everything up to EOSE of this subscription: the events, parsed. */
  async stored(id: string): Promise<readonly unknown[]> {
    await this.next('EOSE', id);
    const events = this.messages.filter((one) => one[0] === 'EVENT' && one[1] === id);
    return events.map((message) => message[2]);
  }

  /** Proves that the connection still works: asks something small and waits for the answer. */
  async works(): Promise<boolean> {
    const id = `works-${Math.random()}`;
    this.send(['REQ', id, { limit: 0 }]);
    await this.next('EOSE', id);
    this.send(['CLOSE', id]);
    return true;
  }

  async ended(timeoutMs = 5_000): Promise<{ readonly code: number; readonly reason: string }> {
    return until(() => this.closed, { timeoutMs, what: 'the end of the connection' });
  }

  /** Ends the connection from this side, however it stands. */
  drop(): void {
    this.socket.terminate();
  }
}
