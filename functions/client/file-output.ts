import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Transform, type Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import * as zlib from 'node:zlib';
import { reasonOf } from '../upstream/failure.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { LineOutput } from './output.ts';

/** Where lines go; whole only after `finish`. */
export interface Output {
  write(text: string): Promise<void>;
  finish(): Promise<void>;
  /** Leaves no trace of a file that is not finished. */
  abandon(): Promise<void>;
}

export function streamOutput(stream: Writable): Output {
  const out = new LineOutput(stream);
  return { write: (text) => out.write(text), finish: () => out.flush(), abandon: async () => {} };
}

/**
 * A file that appears under its name only when it is whole and on disk; what was there before
 * stays until then. Packed when the name ends in .gz or .zst.
 */
export function fileOutput(path: string): Output {
  // Beside its target, because a rename across file systems is a copy.
  const unfinished = `${path}.${randomBytes(4).toString('hex')}.part`;
  const file = createWriteStream(unfinished, { flags: 'wx' });
  const packer = packerFor(path);
  packer.pipe(file);
  const written = finished(file);
  written.catch(() => {});
  file.on('error', (error) => packer.destroy(error));
  const out = new LineOutput(packer);
  const failure = (error: unknown) =>
    new CommandFailure(EXIT.file, `cannot write ${path}: ${reasonOf(error)}`, error);
  return {
    async write(text) {
      await out.write(text).catch((error) => {
        throw failure(error);
      });
    },
    async finish() {
      try {
        packer.end();
        await written;
        await syncPath(unfinished);
        await rename(unfinished, path);
        await syncPath(dirname(path));
      } catch (error) {
        await rm(unfinished, { force: true });
        throw failure(error);
      }
    },
    async abandon() {
      packer.destroy();
      file.destroy();
      await written.catch(() => {});
      await rm(unfinished, { force: true });
    },
  };
}

function packerFor(path: string): Transform {
  if (path.endsWith('.gz')) return zlib.createGzip();
  if (path.endsWith('.zst')) return zlib.createZstdCompress();
  return new Transform({ transform: (chunk, _, done) => done(null, chunk) });
}

/** Makes a file's content, or a folder's list of names, outlive a power cut. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
