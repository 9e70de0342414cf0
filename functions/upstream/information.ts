import { accept, type Result, refuse } from '../nostr/result.ts';
import { reasonOf } from './failure.ts';
import { cleanWords } from './messages.ts';

/** What a relay says of itself (NIP-11), as far as we use it. */
export interface RelayInformation {
  /** The most events that it gives for one filter. */
  readonly limitMax?: number;
  readonly name?: string;
  readonly software?: string;
  readonly supportedNips?: readonly number[];
}

/** A document above this is none that we want to read. */
const DOCUMENT_BYTES_MAX = 262_144;

/** Asks a relay for its NIP-11 document. A refusal says why there is none. */
export async function readInformation(
  address: URL,
  timeoutMs = 5_000,
): Promise<Result<RelayInformation>> {
  const url = new URL(address);
  url.protocol = address.protocol === 'wss:' ? 'https:' : 'http:';
  try {
    const response = await fetch(url, {
      // One question is all: a connection kept for more would only hold both sides.
      headers: { accept: 'application/nostr+json', connection: 'close' },
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    // An endless answer is cut here; leaving the loop ends the transfer.
    for await (const chunk of response.body ?? []) {
      bytes += chunk.length;
      if (bytes > DOCUMENT_BYTES_MAX) return refuse('NIP-11 document too large');
      chunks.push(chunk);
    }
    if (!response.ok) return refuse(`HTTP ${response.status}`);
    return accept(parseInformation(JSON.parse(Buffer.concat(chunks).toString())));
  } catch (error) {
    return refuse(reasonOf(error));
  }
}

/** Each field by itself: what is of the wrong type counts as not said. */
function parseInformation(document: unknown): RelayInformation {
  const given = isRecord(document) ? document : {};
  const { name, software, supported_nips: nips, limitation } = given;
  const limitMax = isRecord(limitation) ? limitation['max_limit'] : undefined;
  return {
    ...(isNatural(limitMax) && limitMax > 0 && { limitMax }),
    ...(typeof name === 'string' && { name: cleanWords(name) }),
    ...(typeof software === 'string' && { software: cleanWords(software) }),
    ...(Array.isArray(nips) && { supportedNips: nips.filter(isNatural) }),
  };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

const isNatural = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;
