/** What a run of one source has cost and brought so far. */
export interface Tally {
  requests: number;
  /** Events that broke the protocol: wrong id or signature, malformed, not what was asked for. */
  invalid: number;
  /** Ids that the source announced and then did not give. */
  withheld: number;
  /** Rounds of NIP-77. */
  rounds: number;
  /** Seconds that hold more than the source gives and could not be proved whole. */
  suspect: number;
}

export const newTally = (): Tally => ({
  requests: 0,
  invalid: 0,
  withheld: 0,
  rounds: 0,
  suspect: 0,
});
