import { type Command, InvalidArgumentError } from 'commander';
import { ALLOWED_LIMITS, type SourceLimits } from '../database/source-limits.ts';

export interface LimitOptions {
  readonly visitEvents?: number;
  readonly visitBytes?: number;
  readonly visitRequests?: number;
  readonly visitSeconds?: number;
}

/** The options for what one visit to a source may take, below what every visit is bounded by. */
export function addLimitOptions(command: Command): Command {
  const { eventsMax, bytesMax, requestsMax, secondsMax } = ALLOWED_LIMITS;
  return command
    .option(
      '--visit-events <count>',
      about('events that one visit takes', eventsMax),
      read(eventsMax),
    )
    .option('--visit-bytes <count>', about('bytes that one visit takes', bytesMax), read(bytesMax))
    .option(
      '--visit-requests <count>',
      about('requests of one visit', requestsMax),
      read(requestsMax),
    )
    .option('--visit-seconds <count>', about('seconds of one visit', secondsMax), read(secondsMax));
}

/** The limits that the options give; empty where none is given. */
export function sourceLimitsOf(options: LimitOptions): SourceLimits {
  const { visitEvents, visitBytes, visitRequests, visitSeconds } = options;
  return {
    ...(visitEvents !== undefined && { eventsMax: visitEvents }),
    ...(visitBytes !== undefined && { bytesMax: visitBytes }),
    ...(visitRequests !== undefined && { requestsMax: visitRequests }),
    ...(visitSeconds !== undefined && { secondsMax: visitSeconds }),
  };
}

type Allowed = (typeof ALLOWED_LIMITS)[keyof typeof ALLOWED_LIMITS];

const about = (what: string, { least, most }: Allowed): string =>
  `${what} at most, ${least} to ${most}`;

const read =
  ({ least, most }: Allowed) =>
  (text: string): number => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Wanted: a whole number from ${least} to ${most}.`);
  };
