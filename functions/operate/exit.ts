export { CommandFailure, EXIT, usageFailure } from '../command/exit.ts';

/** What the codes mean in the operators' commands. */
export const EXIT_HELP = `
Exit codes: 0 done, 1 not there or not possible, 2 wrong usage, 3 database or relay not reached,
4 a file failed.`;
