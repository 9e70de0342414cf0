import { type Counts, describeCounts, lineCount, sumOf } from './tally.ts';

/** A line that did not become a stored event, and why. */
export interface NotAccepted {
  readonly file: string;
  readonly line: number;
  /** Undefined where the line holds no event. */
  readonly id: string | undefined;
  readonly words: string;
}

/** More of them would fill memory and tell no more; all of them are counted. */
const LISTED_MAX = 1_000;
/** A person reads this many. */
const SHOWN_MAX = 20;

/** The first of the lines that were not accepted. */
export class RefusedLines {
  readonly list: NotAccepted[] = [];

  add(line: NotAccepted): void {
    if (this.list.length < LISTED_MAX) this.list.push(line);
  }
}

/** How an import went. */
export interface Report {
  readonly relay: string;
  readonly files: readonly string[];
  /** False where it ended before the last line was answered. */
  readonly complete: boolean;
  readonly seconds: number;
  /** Of all lines so far, earlier runs included. */
  readonly counts: Counts;
  /** Of this run. */
  readonly sent: Counts;
  readonly notAccepted: readonly NotAccepted[];
}

export function reportText(report: Report, json: boolean): string {
  const { counts, sent, seconds } = report;
  if (json) {
    const { accepted, refused, bad, empty } = counts;
    return `${JSON.stringify({
      relay: report.relay,
      files: report.files,
      complete: report.complete,
      lines: lineCount(counts),
      accepted,
      refused,
      bad,
      empty,
      sentNow: lineCount(sent),
      seconds: Math.round(seconds * 1_000) / 1_000,
      notAccepted: report.notAccepted,
    })}\n`;
  }
  const lines = report.notAccepted
    .slice(0, SHOWN_MAX)
    .map(
      ({ file, line, id, words }) => `${file}:${line}: ${id === undefined ? '' : `${id} `}${words}`,
    );
  const more = sumOf(sent.refused) + sent.bad - lines.length;
  if (more > 0) lines.push(`… and ${more.toLocaleString('en')} more that were not accepted`);
  const rate = seconds > 0 ? Math.round(lineCount(sent) / seconds) : 0;
  const end = report.complete ? 'done' : 'not finished; the same command goes on from here';
  lines.push(
    `${lineCount(counts).toLocaleString('en')} lines: ${describeCounts(counts)}`,
    `${lineCount(sent).toLocaleString('en')} lines in ${seconds.toFixed(1)} s, ${rate.toLocaleString('en')}/s; ${end}`,
  );
  return `${lines.join('\n')}\n`;
}
