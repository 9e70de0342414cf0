import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { NostrEvent } from '../../functions/nostr/event.ts';

/** The checkout's own folder. */
const ROOT = join(import.meta.dirname, '..', '..');

/** Where a larger corpus may lie; tests must say something without it too. */
const FOLDER = process.env['DISTRISE_CORPUS'] ?? join(ROOT, '..', 'shared', 'data');

/** The lines of a committed fixture. */
export function fixtureLines(name: string): string[] {
  return linesOf(readFileSync(join(ROOT, 'test', 'fixtures', name)));
}

/** Some 500 real events of 110 kinds, valid, one text each. */
const sampleTexts = (): string[] => fixtureLines('sample.jsonl');

/** The same, parsed. */
export const sampleEvents = (): NostrEvent[] =>
  sampleTexts().map((text) => JSON.parse(text) as NostrEvent);

/**
 * The lines of a file of the larger corpus, unzipped where its name ends in `.gz`; none where
 * this machine has no such file.
 */
export function corpusLines(name: string): string[] {
  const file = join(FOLDER, name);
  if (!existsSync(file)) return [];
  const bytes = readFileSync(file);
  return linesOf(name.endsWith('.gz') ? gunzipSync(bytes) : bytes);
}

/** The files of a folder of the larger corpus, by name; none where this machine has no such folder. */
export function corpusFiles(name: string): { readonly name: string; readonly bytes: Buffer }[] {
  const folder = join(FOLDER, name);
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).sort();
  return names.map((file) => ({ name: file, bytes: readFileSync(join(folder, file)) }));
}

/** All real events at hand: the larger corpus where it is, else the sample. */
export function realTexts(): string[] {
  const texts = corpusLines('real-events.jsonl.gz');
  return texts.length > 0 ? texts : sampleTexts();
}

/** Every `stride`-th of the list, from the first on. */
export const every = <T>(stride: number, list: readonly T[]): T[] =>
  list.filter((_, index) => index % stride === 0);

const linesOf = (bytes: Buffer): string[] =>
  bytes
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '');
