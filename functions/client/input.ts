import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { reasonOf } from '../upstream/failure.ts';
import { CommandFailure, EXIT, usageFailure } from './exit.ts';
import { decompressZstd } from './zstd.ts';

/** A file or stdin being read, unpacked where it is packed. */
export interface Input {
  readonly name: string;
  /** Unpacked bytes; throws a `CommandFailure` where the input cannot be read to its end. */
  readonly chunks: AsyncIterable<Buffer>;
  /** Bytes of the file itself, packed as it is; unknown for stdin. */
  readonly bytesTotal: number | undefined;
  /** How many of them were read so far. */
  bytesRead(): number;
  close(): void;
}

const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);
const ZSTD_MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

/** What other relays leave beside exports, by how it begins, and what to do with it. */
const OTHERS: readonly (readonly [begin: Buffer, words: string])[] = [
  [Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a]), 'packed by xz: xz -dc FILE | distrise import -'],
  [Buffer.from('BZh'), 'packed by bzip2: bzip2 -dc FILE | distrise import -'],
  [Buffer.from('SQLite'), 'an SQLite database; "Move from another relay" in README.md exports it'],
  [
    Buffer.from('PGDMP'),
    'PostgreSQL\'s own dump; "Move from another relay" in README.md exports the events',
  ],
];
const BEGIN_BYTES = 6;

/** Opens a file, or stdin where the name is `-`. Whether it is packed is told by its content. */
export async function openInput(name: string, stdin: Readable): Promise<Input> {
  let source = stdin;
  let bytesTotal: number | undefined;
  if (name !== '-') {
    try {
      const found = await stat(name);
      if (found.isDirectory()) throw new Error('it is a folder');
      // Pipes and devices have no size.
      if (found.isFile()) bytesTotal = found.size;
    } catch (error) {
      throw usageFailure(`cannot read ${name}: ${reasonOf(error)}`);
    }
    source = createReadStream(name, { highWaterMark: 262_144 });
  }
  let bytesRead = 0;
  const counted = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk as string | Uint8Array);
      bytesRead += bytes.length;
      yield bytes;
    }
  };
  return {
    name: name === '-' ? 'stdin' : name,
    chunks: named(name, unpacked(counted())),
    bytesTotal,
    bytesRead: () => bytesRead,
    close: () => void source.destroy(),
  };
}

async function* named(name: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* chunks;
  } catch (error) {
    throw new CommandFailure(
      EXIT.file,
      `cannot read ${name} to its end: ${reasonOf(error)}`,
      error,
    );
  }
}

async function* unpacked(chunks: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  // The first chunk of a pipe may be a single byte.
  while (head.length < BEGIN_BYTES) {
    const next = await chunks.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  const other = OTHERS.find(([begin]) => head.subarray(0, begin.length).equals(begin));
  if (other !== undefined) throw new Error(`it is ${other[1]}`);
  const all = (async function* (): AsyncGenerator<Buffer> {
    yield head;
    yield* chunks;
  })();
  if (head.subarray(0, GZIP_MAGIC.length).equals(GZIP_MAGIC)) yield* gunzip(all);
  else if (head.subarray(0, ZSTD_MAGIC.length).equals(ZSTD_MAGIC)) yield* decompressZstd(all);
  else yield* all;
}

async function* gunzip(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const source = Readable.from(chunks, { objectMode: false });
  const unzip = createGunzip({ chunkSize: 65_536 });
  source.on('error', (error) => unzip.destroy(error));
  yield* source.pipe(unzip) as AsyncIterable<Buffer>;
}
