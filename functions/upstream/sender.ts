import type { WebSocket } from 'ws';

/** Sends messages, and knows how much of them the socket has not taken yet. */
export class Sender {
  readonly #socket: WebSocket;
  readonly #bytesMax: number;
  #unsentBytes = 0;
  #waiting: (() => void)[] = [];

  /** @param bytesMax beyond which there is no room; what must be sent is sent all the same. */
  constructor(socket: WebSocket, bytesMax: number) {
    this.#socket = socket;
    this.#bytesMax = bytesMax;
  }

  /** Sends at once, also where there is no room. */
  send(text: string): void {
    const bytes = text.length;
    this.#unsentBytes += bytes;
    // The callback's error is also the socket's, which ends the connection.
    this.#socket.send(text, () => {
      this.#unsentBytes -= bytes;
      this.letGo();
    });
  }

  /** Whether a message may be sent without waiting; one above the whole bound goes alone. */
  hasRoom(bytes: number): boolean {
    return this.#unsentBytes === 0 || this.#unsentBytes + bytes <= this.#bytesMax;
  }

  /** Resolves when there may be more room than now. */
  change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Has all who wait for a change look again. */
  letGo(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }
}
