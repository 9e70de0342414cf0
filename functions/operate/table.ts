import { cleanWords } from '../upstream/messages.ts';

/** One column of a table for people. */
export interface Column<T> {
  readonly title: string;
  readonly cell: (row: T) => string;
  /** Numbers stand to the right. */
  readonly align?: 'left' | 'right';
}

/** Words of others may be long; the end of a cell says that it was cut. */
const CELL_CHARACTERS_MAX = 80;
const GAP = '  ';

/** A table as text: titles, then one line a row. No cell can break a line or send terminal codes. */
export function table<T>(rows: readonly T[], columns: readonly Column<T>[]): string {
  const lines = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ cell }) => shorten(cell(row)))),
  ];
  const widths = columns.map((_, at) => Math.max(...lines.map((line) => lengthOf(line[at] ?? ''))));
  return lines
    .map((line) =>
      line
        .map((cell, at) => pad(cell, widths[at] ?? 0, columns[at]?.align === 'right'))
        .join(GAP)
        .trimEnd(),
    )
    .join('\n');
}

/** Facts of one thing, one a line, with names of equal width. */
export function facts(entries: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...entries.map(([name]) => lengthOf(name)));
  return entries
    .map(([name, value]) => `${pad(name, width, false)}${GAP}${cleanWords(value)}`.trimEnd())
    .join('\n');
}

function shorten(text: string): string {
  const characters = [...cleanWords(text)];
  if (characters.length <= CELL_CHARACTERS_MAX) return characters.join('');
  return `${characters.slice(0, CELL_CHARACTERS_MAX - 1).join('')}…`;
}

const lengthOf = (text: string): number => [...text].length;

function pad(text: string, width: number, right: boolean): string {
  const space = ' '.repeat(Math.max(0, width - lengthOf(text)));
  return right ? space + text : text + space;
}
