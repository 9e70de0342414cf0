import type { NostrEvent } from '../nostr/event.ts';
import { refuse } from '../nostr/result.ts';
import type { Connection } from '../upstream/connection.ts';
import { isPassing } from '../upstream/prefix.ts';
import type { PublishResult } from '../upstream/publish-ledger.ts';
import { Change } from './change.ts';
import { parseImportLine } from './import-line.ts';
import { CHAIN_START, type Line } from './lines.ts';
import { Pace } from './pace.ts';
import { type Counts, copyCounts, count, type LineResult, noCounts, resultOf } from './tally.ts';

export interface ImporterOptions {
  /** Events sent and not yet answered. */
  readonly windowEvents: number;
  readonly windowBytes: number;
  /** How often an event is sent again that the relay refuses for a passing reason. */
  readonly attemptsMax: number;
  /** Told of each line that was not accepted; `id` where it held an event. */
  readonly onRefused: (line: number, words: string, id?: string) => void;
}

/** How far the answers reach without a gap. */
export interface Frontier {
  readonly lines: number;
  readonly chain: string;
  readonly counts: Counts;
}

/** What the importer needs of a `Link`. */
export interface Sender {
  connection(): Promise<Pick<Connection, 'publish' | 'close' | 'failure'>>;
  progress(): void;
}

interface Entry {
  readonly number: number;
  readonly chain: string;
  readonly bytes: number;
  event: NostrEvent | undefined;
  attempts: number;
  result: LineResult | undefined;
}

/** Answered lines that wait for an earlier one, per place in the window. */
const AHEAD_FACTOR = 50;

/**
 * Sends the events of lines to a relay, many at a time, until each has its final answer. What is
 * unanswered when a connection ends is sent again on the next one.
 */
export class Importer {
  readonly #sender: Sender;
  readonly #options: ImporterOptions;
  readonly #pace: Pace;
  readonly #change = new Change();
  /** All lines read of which an earlier one, or the line itself, has no final answer. */
  #open: Entry[] = [];
  #openStart = 0;
  /** To be sent, in the order of lines; those that come back go first. */
  #ready: Entry[] = [];
  #readyBytes = 0;
  #again: Entry[] = [];
  #underWay = 0;
  #underWayBytes = 0;
  #inputEnded = false;
  #stopped = false;
  #lines: number;
  #chain: string;
  readonly #frontierCounts: Counts;
  /** Of this run, in the order of answers. */
  readonly counts: Counts = noCounts();

  constructor(sender: Sender, options: ImporterOptions, from?: Frontier) {
    this.#sender = sender;
    this.#options = options;
    this.#pace = new Pace(options.windowEvents);
    this.#lines = from?.lines ?? 0;
    this.#chain = from?.chain ?? CHAIN_START;
    this.#frontierCounts = copyCounts(from?.counts ?? noCounts());
  }

  get frontier(): Frontier {
    return { lines: this.#lines, chain: this.#chain, counts: copyCounts(this.#frontierCounts) };
  }

  /**
   * Sends all lines; resolves when each is answered. Throws what the link or the input throws.
   * `closeInput` is called when no more lines are wanted, and must end their iteration.
   */
  async run(lines: AsyncIterable<readonly Line[]>, closeInput: () => void): Promise<void> {
    const failures: unknown[] = [];
    const stop = (error: unknown) => {
      failures.push(error);
      this.#stopped = true;
      this.#change.announce();
      closeInput();
    };
    // Both end when one fails, so that nothing runs on behind the caller's back.
    await Promise.all([this.#read(lines).catch(stop), this.#send().catch(stop)]);
    if (failures.length > 0) throw failures[0];
  }

  async #read(groups: AsyncIterable<readonly Line[]>): Promise<void> {
    for await (const lines of groups) {
      for (const line of lines) {
        while (!this.#stopped && this.#isFull()) await this.#change.next();
        if (this.#stopped) return;
        this.#take(line);
      }
      this.#change.announce();
    }
    this.#inputEnded = true;
    this.#change.announce();
  }

  #isFull(): boolean {
    const { windowEvents, windowBytes } = this.#options;
    return (
      this.#ready.length >= windowEvents ||
      this.#readyBytes >= windowBytes ||
      this.#open.length - this.#openStart >= windowEvents * AHEAD_FACTOR
    );
  }

  #take({ number, bytes, chain }: Line): void {
    const entry: Entry = {
      number,
      chain,
      bytes: bytes?.length ?? 0,
      event: undefined,
      attempts: 0,
      result: undefined,
    };
    this.#open.push(entry);
    const event = bytes === undefined ? refuse('too long') : parseImportLine(bytes);
    if (event.ok && event.value === undefined) {
      this.#finish(entry, { type: 'empty' });
    } else if (event.ok) {
      entry.event = event.value;
      this.#ready.push(entry);
      this.#readyBytes += entry.bytes;
      // Whoever waits to send hears of it when the reader pauses at the latest.
      if (this.#isFull()) this.#change.announce();
    } else {
      this.#options.onRefused(number, `bad line: ${event.reason}`);
      this.#finish(entry, { type: 'bad' });
    }
  }

  async #send(): Promise<void> {
    for (;;) {
      if (this.#stopped) return;
      const entry = this.#again[0] ?? this.#ready[0];
      if (entry === undefined) {
        if (this.#inputEnded && this.#underWay === 0) return;
        await this.#change.next();
      } else if (this.#pace.pauseMs > 0) {
        await this.#waitForPace();
      } else if (!this.#hasRoomFor(entry)) {
        await this.#change.next();
      } else {
        const connection = await this.#sender.connection();
        // While a connection was made, an earlier line may have come back.
        this.#sendOne(this.#again.shift() ?? this.#nextReady(), connection);
      }
    }
  }

  #nextReady(): Entry | undefined {
    const entry = this.#ready.shift();
    this.#readyBytes -= entry?.bytes ?? 0;
    return entry;
  }

  #hasRoomFor({ bytes }: Entry): boolean {
    if (this.#underWay === 0) return true;
    const isRoom = this.#underWayBytes + bytes <= this.#options.windowBytes;
    return isRoom && this.#underWay < this.#pace.window;
  }

  async #waitForPace(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#pace.pauseMs);
    });
    // A stop must not wait for the end of the pause.
    await Promise.race([over, this.#change.next()]);
    clearTimeout(timer);
  }

  #sendOne(entry: Entry | undefined, connection: Awaited<ReturnType<Sender['connection']>>): void {
    const event = entry?.event;
    if (entry === undefined || event === undefined) return;
    entry.attempts += 1;
    this.#underWay += 1;
    this.#underWayBytes += entry.bytes;
    const settle = (next: () => void) => {
      this.#underWay -= 1;
      this.#underWayBytes -= entry.bytes;
      next();
      this.#change.announce();
    };
    connection.publish(event).then(
      (answer) => settle(() => this.#onAnswer(entry, event, answer)),
      () =>
        settle(() => {
          // Unanswered is no refusal: only the connection is to blame.
          entry.attempts -= 1;
          this.#sendAgain(entry);
          void connection.close();
        }),
    );
  }

  #onAnswer(entry: Entry, event: NostrEvent, answer: PublishResult): void {
    this.#sender.progress();
    const isTried = entry.attempts >= this.#options.attemptsMax;
    if (!answer.accepted && isPassing(answer.message) && !isTried) {
      this.#pace.pushedBack();
      this.#sendAgain(entry);
      return;
    }
    this.#pace.answered();
    if (!answer.accepted) this.#options.onRefused(entry.number, answer.message, event.id);
    this.#finish(entry, resultOf(answer));
  }

  #sendAgain(entry: Entry): void {
    const later = this.#again.findIndex((other) => other.number > entry.number);
    this.#again.splice(later === -1 ? this.#again.length : later, 0, entry);
  }

  #finish(entry: Entry, result: LineResult): void {
    entry.result = result;
    entry.event = undefined;
    count(this.counts, result);
    for (;;) {
      const first = this.#open[this.#openStart];
      if (first?.result === undefined) break;
      count(this.#frontierCounts, first.result);
      this.#lines = first.number;
      this.#chain = first.chain;
      this.#openStart += 1;
    }
    // Cut off in large pieces: a shift for each line would move the whole list each time.
    if (this.#openStart >= this.#options.windowEvents) {
      this.#open = this.#open.slice(this.#openStart);
      this.#openStart = 0;
    }
  }
}
