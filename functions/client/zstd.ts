import { once } from 'node:events';
import * as zlib from 'node:zlib';

/**
 * Unpacks Zstandard, however many frames it has. Node's own decompressor ends after a frame and
 * drops what the last chunk held beyond it, which would lose lines without a word; parallel
 * compressors and `cat a.zst b.zst` make such files. Each frame that ends inside a chunk is
 * therefore followed by a new decompressor that gets the rest of that chunk.
 */
export async function* decompressZstd(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  // Missing in the first releases of Node 22.
  if (zlib.createZstdDecompress === undefined) {
    throw new Error('Zstandard needs Node 22.15 or newer');
  }
  const feed = new ChunkFeed(chunks);
  while (await feed.hasMore()) {
    const frame = zlib.createZstdDecompress();
    const fed = feedFrame(feed, frame);
    // Its failure is the frame's, which the loop below meets; here it must only not go unheard.
    fed.catch((error) => frame.destroy(error as Error));
    yield* frame as AsyncIterable<Buffer>;
    feed.unreadFrom(frame.bytesWritten);
  }
}

/** Feeds chunks until the frame has ended inside one of them or no more come. */
async function feedFrame(feed: ChunkFeed, frame: zlib.ZstdDecompress): Promise<void> {
  const ended = once(frame, 'close');
  ended.catch(() => {});
  let fedBytes = 0;
  for (;;) {
    const chunk = await feed.next();
    if (chunk === undefined) {
      frame.end();
      return;
    }
    fedBytes += chunk.length;
    const written = new Promise<void>((resolve) => frame.write(chunk, () => resolve()));
    // A frame that its reader leaves is closed and never calls back.
    await Promise.race([written, ended]);
    if (frame.destroyed || frame.bytesWritten < fedBytes) return;
  }
}

/** Chunks of which the last can be given back in part. */
class ChunkFeed {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer | undefined;
  #given: Buffer = Buffer.alloc(0);
  #givenBefore = 0;

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#source = chunks[Symbol.asyncIterator]();
  }

  async hasMore(): Promise<boolean> {
    this.#rest ??= await this.#pull();
    return this.#rest !== undefined;
  }

  async next(): Promise<Buffer | undefined> {
    const chunk = this.#rest ?? (await this.#pull());
    this.#rest = undefined;
    this.#givenBefore += this.#given.length;
    this.#given = chunk ?? Buffer.alloc(0);
    return chunk;
  }

  /** Only the first `bytes` since the last such call were used; what follows is to come again. */
  unreadFrom(bytes: number): void {
    const unused = this.#given.subarray(Math.max(0, bytes - this.#givenBefore));
    this.#rest = unused.length > 0 ? unused : undefined;
    this.#given = Buffer.alloc(0);
    this.#givenBefore = 0;
  }

  async #pull(): Promise<Buffer | undefined> {
    for (;;) {
      const next = await this.#source.next();
      if (next.done === true) return undefined;
      if (next.value.length > 0) return next.value;
    }
  }
}
