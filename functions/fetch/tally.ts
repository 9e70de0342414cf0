/** What a run of one source has cost and brought so far. */
export interface Tally {
  requests: number;
  /** Ids that the source announced and then did not give. */
  withheld: number;
  /** Rounds of NIP-77. */
  rounds: number;
  /** Seconds that hold more than the source gives and could not be proved whole. */
  suspect: number;
  /** Events that it took of us. */
  sent: number;
}

export const newTally = (): Tally => ({
  requests: 0,
  withheld: 0,
  rounds: 0,
  suspect: 0,
  sent: 0,
});
