import { prefixOf } from '../upstream/prefix.ts';
import type { PublishResult } from '../upstream/publish-ledger.ts';

/** What became of the lines of an import, counted. Plain data: it is kept in the state file. */
export interface Counts {
  /** OK true, by prefix; 'stored' where the relay gave none. */
  accepted: Record<string, number>;
  /** OK false, by prefix. */
  refused: Record<string, number>;
  /** Lines that hold no event. */
  bad: number;
  /** Empty lines. */
  empty: number;
}

/** How a line ended. */
export type LineResult =
  | { readonly type: 'accepted' | 'refused'; readonly prefix: string }
  | { readonly type: 'bad' | 'empty' };

export const noCounts = (): Counts => ({ accepted: {}, refused: {}, bad: 0, empty: 0 });

export const copyCounts = (counts: Counts): Counts => structuredClone(counts);

export function resultOf({ accepted, message }: PublishResult): LineResult {
  if (!accepted) return { type: 'refused', prefix: prefixOf(message) };
  const prefix = prefixOf(message);
  return { type: 'accepted', prefix: prefix === 'other' ? 'stored' : prefix };
}

export function count(counts: Counts, result: LineResult): void {
  if (result.type === 'accepted' || result.type === 'refused') {
    const group = counts[result.type];
    group[result.prefix] = (group[result.prefix] ?? 0) + 1;
  } else {
    counts[result.type] += 1;
  }
}

/** Adds the second to the first. */
export function addCounts(to: Counts, more: Counts): void {
  for (const group of ['accepted', 'refused'] as const) {
    for (const [prefix, number] of Object.entries(more[group])) {
      to[group][prefix] = (to[group][prefix] ?? 0) + number;
    }
  }
  to.bad += more.bad;
  to.empty += more.empty;
}

export const sumOf = (group: Readonly<Record<string, number>>): number =>
  Object.values(group).reduce((sum, number) => sum + number, 0);

export const lineCount = ({ accepted, refused, bad, empty }: Counts): number =>
  sumOf(accepted) + sumOf(refused) + bad + empty;

/** Counts in one line for people: `8,201 stored, 12 duplicate, 3 refused (invalid 3), 1 bad line`. */
export function describeCounts(counts: Counts): string {
  const number = (value: number) => value.toLocaleString('en');
  const parts = Object.entries(counts.accepted).map(([name, value]) => `${number(value)} ${name}`);
  const refused = sumOf(counts.refused);
  if (refused > 0) {
    const reasons = Object.entries(counts.refused).map(
      ([name, value]) => `${name} ${number(value)}`,
    );
    parts.push(`${number(refused)} refused (${reasons.join(', ')})`);
  }
  if (counts.bad > 0)
    parts.push(`${number(counts.bad)} bad ${counts.bad === 1 ? 'line' : 'lines'}`);
  return parts.length === 0 ? 'nothing sent' : parts.join(', ');
}
