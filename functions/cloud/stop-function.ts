/**
 * Lets a function finish something at SIGTERM. functions-framework ends the process in the moment
 * the signal comes, whatever is under way, and offers no say in it; so its handlers are replaced.
 * @param last what is done before the end; it is given Cloud Run's 10 s and a margin.
 * @returns to be called with each request, since the framework sets its handlers after the
 * function has loaded. Only the first call does something.
 */
export function stopWith(last: () => Promise<void>): () => void {
  let set = false;
  return () => {
    if (set) return;
    set = true;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.removeAllListeners(signal);
      process.once(signal, () => void stop(last));
    }
  };
}

const STOP_TIMEOUT_MS = 8_000;

async function stop(last: () => Promise<void>): Promise<void> {
  setTimeout(() => process.exit(0), STOP_TIMEOUT_MS);
  try {
    await last();
  } finally {
    process.exit(0);
  }
}
