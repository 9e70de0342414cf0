import type { NostrEvent } from '../../functions/nostr/event.ts';
import {
  type Script,
  type ScriptedClient,
  type ScriptedRelay,
  startScriptedRelay,
} from './scripted-relay.ts';
import { answer, matches, type PlainFilter } from './slow-oracle.ts';

export interface SmallRelayOptions {
  /** The most events that it gives for one filter. */
  readonly limitMax?: number;
  readonly port?: number;
  /** Comes before the relay's own answer; true takes the message out of its hands. */
  readonly instead?: (...args: Parameters<NonNullable<Script['onMessage']>>) => boolean;
}

export interface SmallRelay extends ScriptedRelay {
  /** Takes an event as if another client had published it. */
  add(event: NostrEvent): void;
}

/** An honest relay on loopback that keeps what it is given in a list; tests spoil it as needed. */
export async function startSmallRelay(
  stored: readonly NostrEvent[],
  options: SmallRelayOptions = {},
): Promise<SmallRelay> {
  const events = [...stored];
  const open = new Map<ScriptedClient, Map<string, PlainFilter[]>>();
  const add = (event: NostrEvent) => {
    events.push(event);
    for (const [client, subscriptions] of open) {
      for (const [id, filters] of subscriptions) {
        if (filters.some((filter) => matches(filter, event))) client.send(['EVENT', id, event]);
      }
    }
  };
  const relay = await startScriptedRelay(
    {
      onMessage(message, client) {
        if (options.instead?.(message, client) === true) return;
        const [verb, first, ...rest] = message;
        const subscriptions = open.get(client) ?? new Map<string, PlainFilter[]>();
        open.set(client, subscriptions);
        if (verb === 'EVENT') {
          const event = first as NostrEvent;
          const known = events.some(({ id }) => id === event.id);
          if (!known) add(event);
          client.send(['OK', event.id, true, known ? 'duplicate: known' : '']);
        } else if (verb === 'REQ') {
          const filters = rest as PlainFilter[];
          const found = answer(events, filters, options.limitMax ?? 500);
          for (const event of found) client.send(['EVENT', first, event]);
          client.send(['EOSE', first]);
          subscriptions.set(first as string, filters);
        } else {
          subscriptions.delete(first as string);
        }
      },
    },
    options.port,
  );
  return { ...relay, add };
}
