import { isVersioned } from '../nostr/kinds.ts';
import { refuse } from '../nostr/result.ts';
import type { WriteLimits } from './limits.ts';
import { PASSED, type WritePolicy } from './write-policy.ts';

/** Refuses events that are larger than the limits, in bytes, in characters or in tags. */
export function eventSizePolicy(limits: WriteLimits): WritePolicy {
  return (event, { bytes }) => {
    if (bytes > limits.eventBytesMax) {
      return refuse(`invalid: event has ${bytes} bytes, ${limits.eventBytesMax} are allowed`);
    }
    const long = isVersioned(event.kind);
    const tagsMax = long ? limits.tagsLongMax : limits.tagsMax;
    if (event.tags.length > tagsMax) {
      return refuse(`invalid: event has ${event.tags.length} tags, ${tagsMax} are allowed`);
    }
    const charactersMax = long ? limits.contentCharactersLongMax : limits.contentCharactersMax;
    // A string is never shorter than its characters are many, so most are not counted.
    if (event.content.length <= charactersMax) return PASSED;
    const characters = countCharacters(event.content);
    if (characters <= charactersMax) return PASSED;
    return refuse(`invalid: content has ${characters} characters, ${charactersMax} are allowed`);
  };
}

function countCharacters(text: string): number {
  let characters = 0;
  for (const _ of text) characters += 1;
  return characters;
}
