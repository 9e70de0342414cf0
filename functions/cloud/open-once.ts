/**
 * Opens something at the first call and shares it from then on. Where opening fails, the next call
 * tries again: what a function needs may be away for a while when its instance starts.
 */
export function openOnce<T>(open: () => Promise<T>): () => Promise<T> {
  let opening: Promise<T> | undefined;
  return async () => {
    opening ??= open();
    try {
      return await opening;
    } catch (error) {
      opening = undefined;
      throw error;
    }
  };
}
