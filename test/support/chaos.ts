import { setTimeout as pause } from 'node:timers/promises';
import { randomOf } from '../bench/random.ts';
import type { System } from './system.ts';

/** What can be killed: a part by its name, or the whole as a power cut does. */
export const EVERYTHING = 'everything';

export interface ChaosOptions {
  readonly seed: number;
  readonly kills: number;
  readonly targets: readonly string[];
  /** The time between two kills is random, up to this. */
  readonly pauseMsMax: number;
  /** Called after each kill. */
  readonly after?: (target: string) => Promise<void>;
}

/** Kills at random moments; gives how often each target was hit. */
export async function killAtRandom(
  system: System,
  options: ChaosOptions,
): Promise<Map<string, number>> {
  const random = randomOf(options.seed);
  const hits = new Map<string, number>();
  const order = shuffled(options.targets, options.kills, options.seed);
  for (const target of order) {
    await pause(random.next() * options.pauseMsMax);
    if (target === EVERYTHING) {
      await system.killAll();
      await system.start();
    } else if (system.pid(target) !== undefined) system.kill(target);
    // A part that was just killed, or that starts again with another one, is down already.
    else continue;
    hits.set(target, (hits.get(target) ?? 0) + 1);
    await options.after?.(target);
  }
  return hits;
}

/** Every target as often as the others, give or take one, in random order. */
function shuffled(targets: readonly string[], count: number, seed: number): string[] {
  const random = randomOf(seed ^ 0xc4a05);
  const order = Array.from({ length: count }, (_, index) => targets[index % targets.length] ?? '');
  for (let index = order.length - 1; index > 0; index -= 1) {
    const other = random.int(index + 1);
    [order[index], order[other]] = [order[other] ?? '', order[index] ?? ''];
  }
  return order;
}
