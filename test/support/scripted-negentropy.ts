import type { NostrEvent } from '../../functions/nostr/event.ts';
import { ItemsBuilder } from '../../functions/nostr/negentropy/builder.ts';
import { hexOf, type Items } from '../../functions/nostr/negentropy/items.ts';
import { respond } from '../../functions/nostr/negentropy/reconcile.ts';
import type { ClientSaid, ScriptedClient } from './scripted-relay.ts';
import { matches, type PlainFilter } from './slow-oracle.ts';

/** The relay's side of NIP-77 over these events, for `UpstreamManners.onOther`. */
export function speakNegentropy(events: readonly NostrEvent[], frameBytesMax = 60_000) {
  const sessions = new Map<unknown, Items>();
  return ([verb, id, second, third]: ClientSaid, client: ScriptedClient): void => {
    if (verb === 'NEG-CLOSE') sessions.delete(id);
    if (verb !== 'NEG-OPEN' && verb !== 'NEG-MSG') return;
    if (verb === 'NEG-OPEN') {
      const builder = new ItemsBuilder();
      for (const event of events) {
        if (matches(second as PlainFilter, event)) builder.add(event.created_at, event.id);
      }
      sessions.set(id, builder.seal());
    }
    const items = sessions.get(id);
    const hex = String(verb === 'NEG-OPEN' ? third : second);
    const answer = items && respond(items, Buffer.from(hex, 'hex'), frameBytesMax);
    if (answer?.ok === true) client.send(['NEG-MSG', id, hexOf(answer.value)]);
    else client.send(['NEG-ERR', id, 'closed: no such session']);
  };
}
