import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { lineCharactersMax } from './limits.ts';

/** Calls back for every line of a stream; a line without end is cut, so memory stays bounded. */
export function readLines(stream: Readable, onLine: (line: string) => void): void {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  stream.on('data', (chunk: Buffer) => {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line.replace(/\r$/, ''));
    if (rest.length > lineCharactersMax) {
      onLine(rest);
      rest = '';
    }
  });
  stream.on('close', () => {
    if (rest !== '') onLine(rest);
    rest = '';
  });
  // The other end of the pipe died; its exit is what the supervisor acts on.
  stream.on('error', () => undefined);
}
