import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from '../cloud/log.ts';

/** What is done at each turn. */
export interface PollerWork {
  /** Reads the changes log to its end. */
  catchUp(): Promise<void>;
  /** Reads which steps of the budget hold; while that fails, those that were known do. */
  readBudget(): Promise<void>;
  /** Looks after events whose outcome is overdue. */
  askAgain(): void;
  /** Tells the database that this instance lives, so that its subscription is not swept. */
  heartbeat(): Promise<void>;
}

/** How long the start waits for the database before the relay serves without it. */
const FIRST_READ_MAX_MS = 20_000;
/** How long the stop waits for a read that is under way. */
const STOP_MAX_MS = 1_000;
/** Log of failed reads: not more often than this. */
const COMPLAIN_EVERY_MS = 30_000;
/** The steps of the budget change a few times a month. */
const BUDGET_EVERY_TURNS = 10;
/** Upkeep sweeps after ten minutes of silence. */
const HEARTBEAT_EVERY_MS = 60_000;

/** Reads the changes log on, at its pace and whenever the fast lane broke. */
export class Poller {
  readonly #work: PollerWork;
  readonly #everyMs: number;
  readonly #log: Log;
  #wake = new AbortController();
  #stopped = false;
  #running: Promise<void> = Promise.resolve();
  #complainedAt = Number.NEGATIVE_INFINITY;
  #beatAt = Number.NEGATIVE_INFINITY;
  #turnsToBudget = 0;

  constructor(work: PollerWork, everyMs: number, log: Log) {
    this.#work = work;
    this.#everyMs = everyMs;
    this.#log = log;
  }

  /** Resolves when the first read is through, or has taken too long to wait for. */
  async start(): Promise<void> {
    const first = this.#turn();
    this.#running = first.then(() => this.#loop());
    await Promise.race([first, pause(FIRST_READ_MAX_MS, undefined, { ref: false })]);
  }

  /** Reads now instead of at the next turn. */
  soon(): void {
    this.#wake.abort();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake.abort();
    await Promise.race([this.#running, pause(STOP_MAX_MS, undefined, { ref: false })]);
  }

  async #loop(): Promise<void> {
    while (!this.#stopped) {
      await pause(this.#everyMs, undefined, { signal: this.#wake.signal }).catch(() => undefined);
      if (this.#wake.signal.aborted) this.#wake = new AbortController();
      if (!this.#stopped) await this.#turn();
    }
  }

  async #turn(): Promise<void> {
    const now = performance.now();
    try {
      await this.#work.catchUp();
      this.#work.askAgain();
      if (now - this.#beatAt >= HEARTBEAT_EVERY_MS) {
        await this.#work.heartbeat();
        this.#beatAt = now;
      }
    } catch (error) {
      if (this.#mayComplain(now)) this.#log.warning('the changes log could not be read', { error });
      return;
    }
    this.#turnsToBudget -= 1;
    if (this.#turnsToBudget > 0) return;
    try {
      await this.#work.readBudget();
      this.#turnsToBudget = BUDGET_EVERY_TURNS;
    } catch (error) {
      if (!this.#mayComplain(now)) return;
      this.#log.warning('the steps of the budget could not be read', { error });
    }
  }

  #mayComplain(now: number): boolean {
    if (now - this.#complainedAt < COMPLAIN_EVERY_MS) return false;
    this.#complainedAt = now;
    return true;
  }
}
