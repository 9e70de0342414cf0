/** What the sweep reaches of the world. */
export interface SweepPorts {
  /** Names of the subscriptions to `stored`. */
  list(): Promise<readonly string[]>;
  /** Those of them whose instance has fallen silent. */
  silent(subscriptions: readonly string[]): Promise<readonly string[]>;
  remove(subscription: string): Promise<void>;
}

/** Relay instances name their subscription so; others on the topic are none of our business. */
const OF_AN_INSTANCE = /^relay-[0-9a-f-]{36}$/;

/**
 * Deletes subscriptions that dead relay instances left behind: one that was killed could not. A
 * living one that is hit by mistake makes its subscription again and reads the log.
 */
export async function sweepSubscriptions(
  ports: SweepPorts,
  signal?: AbortSignal,
): Promise<{ readonly swept: number }> {
  const ours = (await ports.list()).filter((name) => OF_AN_INSTANCE.test(name));
  const silent = await ports.silent(ours);
  let swept = 0;
  for (const subscription of silent) {
    if (signal?.aborted === true) break;
    await ports.remove(subscription);
    swept += 1;
  }
  return { swept };
}
