import { setTimeout as pause } from 'node:timers/promises';

export interface UntilOptions {
  /** How long the condition may take, in milliseconds. */
  readonly timeoutMs?: number;
  /** What is waited for, for the message of the failure. */
  readonly what: string;
}

/**
 * Waits until the condition gives something truthy, and gives that back.
 * Errors of the condition count as "not yet"; the last one is named if the time runs out.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 10_000, what }: UntilOptions,
): Promise<NonNullable<T>> {
  const end = performance.now() + timeoutMs;
  let last: unknown;
  for (let turn = 0; ; turn += 1) {
    try {
      const value = await condition();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) {
      throw new Error(`waited ${timeoutMs} ms in vain for: ${what}`, { cause: last });
    }
    await pause(Math.min(5 * 2 ** turn, 50));
  }
}
