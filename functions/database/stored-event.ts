import { idOfText } from '../nostr/event.ts';

/** An event as the database holds it. */
export interface StoredEvent {
  readonly text: string;
  readonly id: string;
  readonly createdAt: number;
  readonly kind: number;
}

/** The fixed beginning of a text that `eventText` made, up to the kind. */
const HEAD = /^\{"id":"[0-9a-f]{64}","pubkey":"[0-9a-f]{64}","created_at":(\d+),"kind":(\d+),/;

/** Reads a text's head without parsing the rest: the columns need not travel beside it. */
export function storedEvent(text: string): StoredEvent {
  const head = HEAD.exec(text);
  if (head === null) throw new Error('a stored text is not of the form that eventText makes');
  return { text, id: idOfText(text), createdAt: Number(head[1]), kind: Number(head[2]) };
}
