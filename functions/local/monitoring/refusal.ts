/** Why something is not written: a value, since the rest of the call goes on. */
export class Refusal {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** Google's words for a field that is not as it must be. */
export const badField = (field: string, why: string) =>
  new Refusal(`Field ${field} had an invalid value: ${why}`);
