export { CommandFailure, EXIT, usageFailure } from '../command/exit.ts';

/** What the codes mean in the commands for everybody. */
export const EXIT_HELP = `
Exit codes: 0 done, 1 the relay refused something or the result is not whole,
2 wrong usage, 3 no connection or lost for good, 4 a file failed.`;
