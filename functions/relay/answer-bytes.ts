/** Stored events come to more than may be held in memory for an answer; the message is for the client. */
export class AnswerTooLarge extends Error {}

/**
 * Counts what the database gives for one REQ, before it is in the outbox with bounds of its own:
 * a thousand of the largest events would else be in memory for each REQ under way.
 */
export class AnswerBytes {
  readonly #limits: { readonly answerBytesMax: number; readonly answersBytesMax: number };
  readonly #all: { held: number };
  #bytes = 0;
  #over = false;

  /** @param all what all questions of the instance hold together. */
  constructor(
    limits: { readonly answerBytesMax: number; readonly answersBytesMax: number },
    all: { held: number },
  ) {
    this.#limits = limits;
    this.#all = all;
  }

  /** @throws AnswerTooLarge where so much more is too much. */
  take(bytes: number): void {
    // A query of another filter that has not heard of the end yet.
    if (this.#over) throw new AnswerTooLarge('error: the answer was given up');
    const { answerBytesMax, answersBytesMax } = this.#limits;
    if (this.#bytes + bytes > answerBytesMax) {
      throw new AnswerTooLarge(
        `error: the answer is larger than ${answerBytesMax} bytes; ask for fewer events`,
      );
    }
    if (this.#all.held + bytes > answersBytesMax) {
      throw new AnswerTooLarge('error: too many large answers are under way, please try again');
    }
    this.#bytes += bytes;
    this.#all.held += bytes;
  }

  /** What was taken is not part of the answer. */
  giveBack(bytes: number): void {
    if (this.#over) return;
    this.#bytes -= bytes;
    this.#all.held -= bytes;
  }

  /** The answer has been handed on, or will not be. */
  release(): void {
    this.#all.held -= this.#bytes;
    this.#bytes = 0;
    this.#over = true;
  }
}
