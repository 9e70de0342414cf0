import { type Options, SingleBar } from 'cli-progress';
import { type Surroundings, tell } from './surroundings.ts';

/** What a progress display shows. */
export interface Snapshot {
  readonly lines: number;
  readonly bytesRead: number;
  readonly words: string;
}

export interface Progress {
  update(snapshot: Snapshot): void;
  stop(): void;
}

/** How often a log gets a line where no terminal is. */
const LINE_INTERVAL_MS = 5_000;

/** A bar on a terminal, now and then a line elsewhere; always on stderr. */
export function openProgress(
  name: string,
  bytesTotal: number | undefined,
  surroundings: Surroundings,
): Progress {
  return surroundings.stderr.isTTY === true && bytesTotal !== undefined
    ? bar(name, bytesTotal, surroundings)
    : plain(name, bytesTotal, surroundings);
}

function bar(name: string, bytesTotal: number, { stderr }: Surroundings): Progress {
  const options: Options = {
    format: `${name} {bar} {percentage}% | {rate}/s | {words}`,
    stream: stderr,
    hideCursor: true,
    barsize: 24,
    // The counts are drawn when they change; between two of them nothing moves.
    noTTYOutput: false,
  };
  const single = new SingleBar(options);
  const rate = new Rate();
  single.start(bytesTotal, 0, { rate: '0', words: '' });
  return {
    update({ lines, bytesRead, words }) {
      single.update(bytesRead, { rate: rate.at(lines), words });
    },
    stop: () => single.stop(),
  };
}

function plain(name: string, bytesTotal: number | undefined, surroundings: Surroundings): Progress {
  const rate = new Rate();
  let toldAtMs = performance.now();
  return {
    update({ lines, bytesRead, words }) {
      if (performance.now() - toldAtMs < LINE_INTERVAL_MS) return;
      toldAtMs = performance.now();
      const share = bytesTotal ? ` ${Math.floor((bytesRead / bytesTotal) * 100)}%` : '';
      tell(
        surroundings,
        `${name}:${share} ${lines.toLocaleString('en')} lines, ${rate.at(lines)}/s, ${words}`,
      );
    },
    stop() {},
  };
}

/** Lines a second over the last few seconds. */
class Rate {
  #marks: { atMs: number; lines: number }[] = [{ atMs: performance.now(), lines: 0 }];

  at(lines: number): string {
    const atMs = performance.now();
    this.#marks.push({ atMs, lines });
    while (this.#marks.length > 2 && atMs - (this.#marks[1]?.atMs ?? atMs) > LINE_INTERVAL_MS) {
      this.#marks.shift();
    }
    const first = this.#marks[0];
    const seconds = first === undefined ? 0 : (atMs - first.atMs) / 1_000;
    if (first === undefined || seconds === 0) return '0';
    return Math.round((lines - first.lines) / seconds).toLocaleString('en');
  }
}
