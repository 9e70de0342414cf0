import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { openInput } from '../../../functions/client/input.ts';
import { type Line, readLines } from '../../../functions/client/lines.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'distrise-input-'));
});
afterAll(() => rm(folder, { recursive: true }));

const TEXT = Array.from({ length: 5_000 }, (_, n) => `line ${n} ${'x'.repeat(n % 100)}`).join('\n');
const HALF = Math.floor(TEXT.length / 2);
const [FIRST, SECOND] = [Buffer.from(TEXT.slice(0, HALF)), Buffer.from(TEXT.slice(HALF))];

async function read(name: string, bytes: Buffer): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  const input = await openInput(path, Readable.from([]));
  const chunks: Buffer[] = [];
  for await (const chunk of input.chunks) chunks.push(chunk);
  expect(input.bytesRead()).toBe(bytes.length);
  expect(input.bytesTotal).toBe(bytes.length);
  return Buffer.concat(chunks).toString();
}

describe('an input', () => {
  it.each([
    ['plain', Buffer.from(TEXT)],
    ['empty', Buffer.alloc(0)],
    ['gzip', gzipSync(TEXT)],
    ['gzip in members', Buffer.concat([gzipSync(FIRST), gzipSync(SECOND)])],
    ['Zstandard', zstdCompressSync(TEXT)],
    [
      'Zstandard in frames',
      Buffer.concat([zstdCompressSync(FIRST), zstdCompressSync(''), zstdCompressSync(SECOND)]),
    ],
  ])('that is %s is unpacked by its content, whatever its name', async (kind, bytes) => {
    expect(await read('input.txt', bytes)).toBe(kind === 'empty' ? '' : TEXT);
  });

  it('of many frames is whole, wherever the chunks of a pipe are cut', async () => {
    const parts = Array.from({ length: 40 }, (_, n) => TEXT.slice(n * 100, n * 100 + 100));
    const bytes = Buffer.concat(parts.map((part) => zstdCompressSync(part)));
    for (const size of [1, 7, 97, 1_000]) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) =>
        bytes.subarray(n * size, n * size + size),
      );
      const input = await openInput('-', Readable.from(chunks));
      let text = '';
      for await (const chunk of input.chunks) text += chunk.toString();
      expect(text).toBe(TEXT.slice(0, 4_000));
    }
  });

  it.each([
    ['gzip', gzipSync(TEXT)],
    ['Zstandard', zstdCompressSync(TEXT)],
  ])('of %s that breaks off is an error', async (_, bytes) => {
    const broken = bytes.subarray(0, bytes.length - 20);
    await expect(read('broken', broken)).rejects.toThrow(/cannot read .*broken to its end/);
  });

  it.each([
    ['packed by xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00]), /xz -dc FILE/],
    ['packed by bzip2', Buffer.from('BZh91AY&SY'), /bzip2 -dc FILE/],
    [
      'a database of SQLite',
      Buffer.from('SQLite format 3\0'),
      /an SQLite database; "Move from another relay"/,
    ],
    [
      "PostgreSQL's dump",
      Buffer.from('PGDMP\x01\x0f'),
      /PostgreSQL's own dump; "Move from another relay"/,
    ],
  ])('that is %s says what to do instead', async (_, bytes, words) => {
    await expect(read('other', bytes)).rejects.toThrow(words);
  });

  it('that does not exist, or is a folder, is wrong usage', async () => {
    const usage = expect.objectContaining({ exitCode: 2 });
    await expect(openInput(join(folder, 'none'), Readable.from([]))).rejects.toEqual(usage);
    await expect(openInput(folder, Readable.from([]))).rejects.toEqual(usage);
  });
});

describe('lines', () => {
  async function cut(chunks: readonly string[], max?: number): Promise<Line[]> {
    const lines: Line[] = [];
    const bytes = Readable.from(chunks.map((chunk) => Buffer.from(chunk)));
    for await (const group of readLines(bytes, max)) lines.push(...group);
    return lines;
  }
  const texts = (lines: readonly Line[]) => lines.map(({ bytes }) => bytes?.toString());

  it('are cut at line ends of either kind, also across chunks', async () => {
    const lines = await cut(['a\nb', 'c\r', '\n\nd', 'é'.slice(0, 1), '\n', 'last']);
    expect(texts(lines)).toEqual(['a', 'bc', '', 'dé', 'last']);
    expect(lines.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5]);
    expect(await cut(['a\n'])).toHaveLength(1);
  });

  it('that are too long are dropped, and those after them kept', async () => {
    const lines = await cut(['ab\n12345', '6789\ncd\n', '123456', '\n'], 5);
    expect(texts(lines)).toEqual(['ab', undefined, 'cd', undefined]);
  });

  it('carry a chain that depends on all before them and not on chunks', async () => {
    const [one, two, other] = await Promise.all([
      cut(['a\nbcdefgh\nc\n'], 5),
      cut(['a', '\nbcd', 'ef', 'gh\nc'], 5),
      cut(['a\nbcdefgH\nc\n'], 5),
    ]);
    const chains = (lines: readonly Line[]) => lines.map(({ chain }) => chain);
    expect(chains(two)).toEqual(chains(one));
    expect(chains(other)[0]).toBe(chains(one)[0]);
    expect(chains(other)[1]).not.toBe(chains(one)[1]);
    expect(chains(other)[2]).not.toBe(chains(one)[2]);
  });
});
