import type { NostrEvent } from '../nostr/event.ts';
import { KIND_GENERIC_REPOST, KIND_REPOST } from '../nostr/kinds.ts';
import { refuse } from '../nostr/result.ts';
import { PASSED, type WritePolicy } from './write-policy.ts';

/**
 * Refuses protected events (NIP-70: "The default behavior of a relay MUST be to reject any event
 * that contains `["-"]`"), and reposts that embed one, which would carry it on all the same.
 */
export const protectedPolicy: WritePolicy = (event) => {
  if (isProtected(event.tags)) {
    return refuse('blocked: protected events (NIP-70, the tag "-") are not accepted here');
  }
  if (embedsProtected(event)) {
    return refuse('blocked: a repost must not embed a protected event (NIP-70)');
  }
  return PASSED;
};

/** "The tag is a simple tag with a single item"; what follows it makes it no other tag. */
const isProtected = (tags: unknown): boolean =>
  Array.isArray(tags) && tags.some((tag) => Array.isArray(tag) && tag[0] === '-');

function embedsProtected({ kind, content }: NostrEvent): boolean {
  if (kind !== KIND_REPOST && kind !== KIND_GENERIC_REPOST) return false;
  // Most reposts embed nothing that could be protected: they need not be parsed. JSON may also write
  // the dash as \u002d.
  if (!content.includes('-') && !/\\u002d/i.test(content)) return false;
  try {
    const embedded: unknown = JSON.parse(content);
    return (
      typeof embedded === 'object' &&
      embedded !== null &&
      'tags' in embedded &&
      isProtected(embedded.tags)
    );
  } catch {
    return false;
  }
}
