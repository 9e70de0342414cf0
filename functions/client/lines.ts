import { createHash, type Hash } from 'node:crypto';

/** One line of an input, without its line end. */
export interface Line {
  /** Counts from 1. */
  readonly number: number;
  /** Undefined where the line was too long to be kept. */
  readonly bytes: Buffer | undefined;
  /** Stands for this line and all before it, so that a later run can tell the same input. */
  readonly chain: string;
}

/** A relay that takes more than this in one event is not known; a line above it is no event. */
const LINE_BYTES_MAX = 4 * 1_048_576;

/** What the chain of an input begins with. */
export const CHAIN_START = '';

/** Cuts bytes into lines, in groups as they come. Line ends are \n or \r\n. */
export async function* readLines(
  chunks: AsyncIterable<Buffer>,
  lineBytesMax = LINE_BYTES_MAX,
): AsyncGenerator<readonly Line[]> {
  const cutter = new LineCutter(lineBytesMax);
  for await (const chunk of chunks) {
    const lines = cutter.push(chunk);
    if (lines.length > 0) yield lines;
  }
  const last = cutter.end();
  if (last !== undefined) yield [last];
}

class LineCutter {
  readonly #bytesMax: number;
  #number = 0;
  #chain = CHAIN_START;
  #parts: Buffer[] = [];
  #partsBytes = 0;
  /** Set while a line is read that is too long to be kept: only its hash goes on. */
  #overlong: Hash | undefined;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  push(chunk: Buffer): Line[] {
    const lines: Line[] = [];
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(0x0a, start);
      this.#take(chunk.subarray(start, end === -1 ? undefined : end));
      if (end === -1) return lines;
      lines.push(this.#finish());
      start = end + 1;
    }
  }

  end(): Line | undefined {
    return this.#partsBytes > 0 || this.#overlong !== undefined ? this.#finish() : undefined;
  }

  #take(part: Buffer): void {
    if (part.length === 0) return;
    if (this.#overlong !== undefined) {
      this.#overlong.update(part);
      return;
    }
    this.#parts.push(part);
    this.#partsBytes += part.length;
    if (this.#partsBytes <= this.#bytesMax) return;
    this.#overlong = createHash('sha256').update(this.#chain);
    for (const kept of this.#parts) this.#overlong.update(kept);
    this.#parts = [];
    this.#partsBytes = 0;
  }

  #finish(): Line {
    const [first] = this.#parts;
    const whole = this.#parts.length === 1 && first ? first : Buffer.concat(this.#parts);
    const hash = this.#overlong ?? createHash('sha256').update(this.#chain).update(whole);
    this.#chain = hash.digest('base64');
    this.#number += 1;
    const bytes = whole.at(-1) === 0x0d ? whole.subarray(0, -1) : whole;
    const isKept = this.#overlong === undefined;
    this.#parts = [];
    this.#partsBytes = 0;
    this.#overlong = undefined;
    return { number: this.#number, bytes: isKept ? bytes : undefined, chain: this.#chain };
  }
}
