import { once } from 'node:events';
import type { Writable } from 'node:stream';

/** Nobody reads our output any more, like after `| head`: a reason to stop, and no error. */
export class PipeClosed extends Error {
  override readonly name = 'PipeClosed';
}

/** Text to a stream, no faster than its reader takes it. */
export class LineOutput {
  readonly #stream: Writable;
  #failure: Error | undefined;

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on('error', (error: NodeJS.ErrnoException) => {
      this.#failure = error.code === 'EPIPE' ? new PipeClosed() : error;
    });
  }

  /** Writes; resolves when the stream takes more. */
  async write(text: string): Promise<void> {
    if (this.#failure === undefined && !this.#stream.write(text)) {
      // An error ends the wait too, and is found below.
      await once(this.#stream, 'drain').catch(() => {});
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves when all that was written has left this process. */
  async flush(): Promise<void> {
    await new Promise<void>((resolve) => this.#stream.write('', () => resolve()));
    if (this.#failure !== undefined) throw this.#failure;
  }
}
