import type { StoredEvent } from '../database/read.ts';
import { compareEvents } from '../nostr/event.ts';
import type { Filter } from '../nostr/filter.ts';
import { isVersioned } from '../nostr/kinds.ts';
import { compileFilter } from '../nostr/matcher.ts';
import { type Entry, entryOfText } from './entry.ts';
import { Hiders } from './hiders.ts';
import { isNewer } from './versions.ts';

/**
 * Own events that were refused, and the log has not told why: a newer version, a deletion. What
 * they hid until then a replica may yet show, and lack what superseded them. Nothing else is in
 * doubt: an event without an address that deletes nothing hides nothing.
 */
export class Doubts {
  readonly #events = new Map<string, Entry>();
  readonly #hiders = new Hiders();

  add(entry: Entry): void {
    this.#events.set(entry.id, entry);
    this.#hiders.add(entry);
  }

  remove(id: string): void {
    this.#events.delete(id);
    this.#hiders.remove(id);
  }

  /** True where an answer, in order, may go back behind what clients of this instance were told. */
  concern(filter: Filter, found: readonly StoredEvent[], limit: number): boolean {
    if (this.#events.size === 0) return false;
    const shown = new Map<string, Entry>();
    for (const { id, kind, text } of found) {
      let parsed: Entry | undefined;
      const entry = (): Entry => {
        parsed ??= entryOfText(text);
        return parsed;
      };
      if (this.#hiders.hides({ id, kind, entry })) return true;
      if (isVersioned(kind)) shown.set(entry().address ?? id, entry());
    }
    return this.#lacks(filter, shown, found.length < limit ? undefined : found.at(-1));
  }

  /** True where an event was found by this filter, and neither it nor a later version is now. */
  #lacks(
    filter: Filter,
    shown: ReadonlyMap<string, Entry>,
    last: StoredEvent | undefined,
  ): boolean {
    const matches = compileFilter(filter);
    for (const event of this.#events.values()) {
      if (event.address === undefined || !matches(event)) continue;
      const version = shown.get(event.address);
      if (version !== undefined && isNewer(version, event)) continue;
      const below = last && compareEvents({ id: last.id, created_at: last.createdAt }, event) < 0;
      if (below !== true) return true;
    }
    return false;
  }
}
