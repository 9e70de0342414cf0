import { WebSocket } from 'ws';

/** The stored answer to a REQ, as cheaply taken as it can be. */
export interface Answer {
  readonly count: number;
  readonly milliseconds: number;
  /** Why there was no EOSE: CLOSED with its message, a timeout, a lost connection. */
  readonly closed: string | undefined;
  /** Ids in the order of the answer, where they were asked for. */
  readonly ids: readonly string[];
}

interface Open {
  event(frame: Buffer): void;
  end(closed: string | undefined): void;
}

const TIMEOUT_MS = 10_000;
/** The verb and the id stand in the first bytes of a frame; the rest is not decoded. */
const HEAD_BYTES = 200;

/**
 * A client that parses no more of a frame than it must: on a shared machine what the client
 * burns is taken from the relay.
 */
export class BenchConnection {
  /** Called for each OK. */
  onOk: (id: string, accepted: boolean, frame: string) => void = () => undefined;
  /** Called when the connection ends. */
  onClose: (code: number) => void = () => undefined;
  private readonly socket: WebSocket;
  private readonly open = new Map<string, Open>();
  private counter = 0;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (frame: Buffer) => this.take(frame));
    socket.on('error', () => undefined);
    socket.on('close', (code) => {
      for (const open of this.open.values()) open.end(`connection ended with code ${code}`);
      this.onClose(code);
    });
  }

  static connect(url: string): Promise<BenchConnection> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url, {
        perMessageDeflate: false,
        handshakeTimeout: TIMEOUT_MS,
      });
      const connection = new BenchConnection(socket);
      socket.once('open', () => resolve(connection));
      socket.once('error', reject);
    });
  }

  static connectMany(url: string, count: number): Promise<BenchConnection[]> {
    return Promise.all(Array.from({ length: count }, () => BenchConnection.connect(url)));
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  send(text: string): void {
    this.socket.send(text);
  }

  /** Waits for the OK of one event, when no other is under way; undefined when none comes. */
  publish(id: string, text: string, timeoutMs = TIMEOUT_MS): Promise<boolean | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), timeoutMs);
      this.onOk = (answered, accepted) => {
        if (answered !== id) return;
        clearTimeout(timer);
        resolve(accepted);
      };
      this.send(`["EVENT",${text}]`);
    });
  }

  /** One REQ up to its EOSE, then CLOSE. */
  query(filter: object, withIds = false): Promise<Answer> {
    const ids: string[] = [];
    return this.request(filter, (frame) => {
      if (withIds) ids.push(idOf(frame));
    }).then(({ id, ...answer }) => {
      this.open.delete(id);
      if (answer.closed === undefined && this.isOpen) this.send(`["CLOSE","${id}"]`);
      return { ...answer, ids };
    });
  }

  /** One REQ that stays open; `live` gets what comes after EOSE. */
  async follow(filter: object, live: (frame: Buffer) => void): Promise<Answer> {
    let isLive = false;
    const { id: _, ...answer } = await this.request(filter, (frame) => {
      if (isLive) live(frame);
    });
    isLive = true;
    return { ...answer, ids: [] };
  }

  private request(
    filter: object,
    event: (frame: Buffer) => void,
  ): Promise<Omit<Answer, 'ids'> & { id: string }> {
    this.counter += 1;
    const id = `q${this.counter}`;
    const started = performance.now();
    return new Promise((resolve) => {
      let count = 0;
      const end = (closed: string | undefined): void => {
        clearTimeout(timer);
        resolve({ id, count, milliseconds: performance.now() - started, closed });
      };
      const timer = setTimeout(() => end('timeout'), TIMEOUT_MS);
      const take = (frame: Buffer): void => {
        count += 1;
        event(frame);
      };
      this.open.set(id, { event: take, end });
      if (!this.isOpen) end('not open');
      else this.send(JSON.stringify(['REQ', id, filter]));
    });
  }

  close(): void {
    this.socket.terminate();
  }

  private take(frame: Buffer): void {
    const head = frame.toString('latin1', 0, HEAD_BYTES);
    const [, verb, , name] = head.split('"', 4);
    if (verb === 'EVENT') this.open.get(name ?? '')?.event(frame);
    else if (verb === 'OK') this.onOk(name ?? '', head[name === undefined ? 0 : 73] === 't', head);
    else if (verb === 'EOSE') this.open.get(name ?? '')?.end(undefined);
    else if (verb === 'CLOSED') this.open.get(name ?? '')?.end(head);
  }
}

/** The event's id in an EVENT frame: the first value after `"id"`. */
export function idOf(frame: Buffer): string {
  const at = frame.indexOf('"', frame.indexOf('"id"') + 4) + 1;
  return frame.toString('latin1', at, at + 64);
}
