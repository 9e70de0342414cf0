import { accept, type Result, refuse } from './result.ts';

/** What a client may say. Events and filters in it are JSON values that nobody has checked yet. */
export type ClientMessage =
  | { readonly type: 'EVENT'; readonly event: unknown }
  | { readonly type: 'REQ' | 'COUNT'; readonly id: string; readonly filters: readonly unknown[] }
  | { readonly type: 'CLOSE'; readonly id: string }
  | { readonly type: 'AUTH'; readonly event: unknown }
  | {
      readonly type: 'NEG-OPEN';
      readonly id: string;
      readonly filter: unknown;
      readonly message: string;
    }
  | { readonly type: 'NEG-MSG'; readonly id: string; readonly message: string }
  | { readonly type: 'NEG-CLOSE'; readonly id: string };

/**
 * How to answer a message that was not understood, in the form that tells its sender most. The
 * message names what is wrong, after a machine-readable prefix.
 */
export type Fault =
  | { readonly answer: 'NOTICE'; readonly message: string }
  | { readonly answer: 'CLOSED'; readonly id: string; readonly message: string }
  | { readonly answer: 'OK'; readonly id: string; readonly message: string }
  | { readonly answer: 'NEG-ERR'; readonly id: string; readonly message: string };

/** NIP-01: a subscription id is a non-empty string of at most 64 characters. */
export const SUBSCRIPTION_ID_CHARACTERS_MAX = 64;

/**
 * Longer subscription ids are not repeated in an answer: a client that sends more than this has
 * no subscription to match it with, and an answer must not be a way to send much with little.
 */
const ECHO_CHARACTERS_MAX = 100;

/** How far the search for verb and id goes in a text that cannot be parsed as a whole. */
const SCAN_CHARACTERS_MAX = 1_024;

/** Parses what a client sent in one text frame. */
export function parseClientMessage(text: string): Result<ClientMessage, Fault> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // V8's message says where, and repeats at most some forty characters of the text.
    const where = error instanceof Error ? error.message.slice(0, ECHO_CHARACTERS_MAX) : '';
    return refuse(faultByScan(text, `invalid: message is not JSON: ${where}`));
  }
  if (!Array.isArray(value)) return notice('invalid: message must be a JSON array');
  if (value.length === 0) return notice('invalid: message is an empty array');
  const [verb, ...rest] = value as unknown[];
  switch (verb) {
    case 'EVENT':
      if (rest.length === 0) return notice('invalid: EVENT must hold an event');
      return accept({ type: verb, event: rest[0] });
    case 'AUTH':
      if (rest.length === 0) return notice('invalid: AUTH must hold an event');
      return accept({ type: verb, event: rest[0] });
    case 'REQ':
    case 'COUNT':
      return parseQuery(verb, rest);
    case 'CLOSE':
      return parseId(verb, rest[0], (id) => accept({ type: verb, id }));
    case 'NEG-OPEN':
    case 'NEG-MSG':
    case 'NEG-CLOSE':
      return parseId(verb, rest[0], (id) => parseNegentropy(verb, id, rest.slice(1)));
    default:
      return notice(
        typeof verb === 'string'
          ? `unsupported: message type ${quote(verb)} is not known here`
          : 'invalid: message must begin with its type, a string',
      );
  }
}

/**
 * The answer to a message that is too large to be parsed.
 * @param start the first characters of the message; a few hundred are enough.
 */
export function faultOfOversize(start: string, bytes: number, bytesMax: number): Fault {
  return faultByScan(start, `invalid: message has ${bytes} bytes, ${bytesMax} are allowed`);
}

/** The answer to an event that is refused: OK false where its id can be read, else NOTICE. */
export function faultOfEvent(event: unknown, message: string): Fault {
  if (typeof event === 'object' && event !== null && 'id' in event) {
    const { id } = event;
    if (typeof id === 'string' && ANY_CASE_HEX_64.test(id)) return { answer: 'OK', id, message };
  }
  return { answer: 'NOTICE', message };
}

/** A fault as the text that is sent to the client. */
export function faultMessage(fault: Fault): string {
  switch (fault.answer) {
    case 'OK':
      return okMessage(fault.id, false, fault.message);
    case 'CLOSED':
      return closedMessage(fault.id, fault.message);
    case 'NEG-ERR':
      return negentropyErrorMessage(fault.id, fault.message);
    case 'NOTICE':
      return noticeMessage(fault.message);
  }
}

/** `message` begins with a machine-readable prefix; it may be empty where `accepted`. */
export const okMessage = (eventId: string, accepted: boolean, message: string): string =>
  JSON.stringify(['OK', eventId, accepted, message]);

export const eoseMessage = (subscriptionId: string): string =>
  JSON.stringify(['EOSE', subscriptionId]);

/** `message` begins with a machine-readable prefix. */
export const closedMessage = (subscriptionId: string, message: string): string =>
  JSON.stringify(['CLOSED', subscriptionId, message]);

export const noticeMessage = (message: string): string => JSON.stringify(['NOTICE', message]);

/** `eventText` goes in as it is: it was serialised once, when the event was accepted. */
export const eventMessage = (subscriptionId: string, eventText: string): string =>
  `["EVENT",${JSON.stringify(subscriptionId)},${eventText}]`;

/** A message of negentropy itself, in hex (NIP-77). */
export const negentropyMessage = (sessionId: string, hex: string): string =>
  JSON.stringify(['NEG-MSG', sessionId, hex]);

/** Ends a negentropy session; `itemsMax` is said where more events than that are too many. */
export const negentropyErrorMessage = (
  sessionId: string,
  message: string,
  itemsMax?: number,
): string =>
  JSON.stringify(['NEG-ERR', sessionId, message, ...(itemsMax === undefined ? [] : [itemsMax])]);

/** An id in capitals is wrong, but it is what the client waits for an answer to. */
const ANY_CASE_HEX_64 = /^[0-9a-fA-F]{64}$/;

const notice = (message: string) => refuse<Fault>({ answer: 'NOTICE', message });

/** Repeats a piece of the client's text, shortened. */
const quote = (text: string): string =>
  JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);

function parseQuery(type: 'REQ' | 'COUNT', rest: readonly unknown[]): Result<ClientMessage, Fault> {
  return parseId(type, rest[0], (id) => {
    const filters = rest.slice(1);
    if (filters.length === 0) {
      return refuse({ answer: 'CLOSED', id, message: `invalid: ${type} must hold a filter` });
    }
    return accept({ type, id, filters });
  });
}

function parseNegentropy(
  type: 'NEG-OPEN' | 'NEG-MSG' | 'NEG-CLOSE',
  id: string,
  rest: readonly unknown[],
): Result<ClientMessage, Fault> {
  if (type === 'NEG-CLOSE') return accept({ type, id });
  const message = type === 'NEG-OPEN' ? rest[1] : rest[0];
  if (typeof message !== 'string') {
    const reason = `invalid: ${type} must hold a message in hex`;
    return refuse({ answer: 'NEG-ERR', id, message: reason });
  }
  return accept(
    type === 'NEG-OPEN' ? { type, id, filter: rest[0], message } : { type, id, message },
  );
}

/** Hands a subscription id on to `then`, or says what is wrong with it. */
function parseId(
  verb: string,
  id: unknown,
  then: (id: string) => Result<ClientMessage, Fault>,
): Result<ClientMessage, Fault> {
  if (typeof id !== 'string') return notice(`invalid: ${verb} must hold a subscription id`);
  const characters = countCharacters(id);
  if (characters > 0 && characters <= SUBSCRIPTION_ID_CHARACTERS_MAX) return then(id);
  const message =
    characters === 0
      ? 'invalid: subscription id is empty'
      : `invalid: subscription id has ${characters} characters, ` +
        `${SUBSCRIPTION_ID_CHARACTERS_MAX} are allowed`;
  const opens = verb === 'REQ' || verb === 'COUNT';
  if (!opens || characters > ECHO_CHARACTERS_MAX) return notice(message);
  return refuse({ answer: 'CLOSED', id, message });
}

/** Unicode characters, of which one may take two places in a JavaScript string. */
function countCharacters(text: string): number {
  if (text.length <= SUBSCRIPTION_ID_CHARACTERS_MAX) return text.length;
  let characters = 0;
  for (const _ of text) characters += 1;
  return characters;
}

/** Finds whom to answer in a text that is not parsed: verb and id are among its first characters. */
function faultByScan(text: string, message: string): Fault {
  const start = text.slice(0, SCAN_CHARACTERS_MAX);
  const verb = /^\s*\[\s*"([A-Z-]{3,8})"\s*,/.exec(start);
  if (verb?.[1] === 'EVENT') {
    // Quotes inside a string are escaped, so only a key can be matched.
    const id = /"id"\s*:\s*"([0-9a-fA-F]{64})"/.exec(start)?.[1];
    if (id !== undefined) return { answer: 'OK', id, message };
  }
  if (verb?.[1] === 'REQ' || verb?.[1] === 'COUNT') {
    const id = scanString(start.slice(verb[0].length));
    if (id !== undefined && id.length <= ECHO_CHARACTERS_MAX) {
      return { answer: 'CLOSED', id, message };
    }
  }
  if (verb?.[1] === 'NEG-OPEN' || verb?.[1] === 'NEG-MSG') {
    const id = scanString(start.slice(verb[0].length));
    if (id !== undefined && id.length <= ECHO_CHARACTERS_MAX) {
      return { answer: 'NEG-ERR', id, message };
    }
  }
  return { answer: 'NOTICE', message };
}

/** The JSON string that the text begins with. */
function scanString(text: string): string | undefined {
  const literal = /^\s*("(?:[^"\\]|\\.)*")/.exec(text)?.[1];
  if (literal === undefined) return undefined;
  try {
    return JSON.parse(literal) as string;
  } catch {
    return undefined;
  }
}
