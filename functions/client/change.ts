/** Lets some wait until others say that something has changed. */
export class Change {
  #waiting: (() => void)[] = [];

  announce(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    for (const go of waiting) go();
  }

  next(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
