import { accept, type Result, refuse } from '../nostr/result.ts';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

/** The JSON value in a line of bytes. */
export function parseJsonLine(bytes: Uint8Array): Result<unknown> {
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    return refuse('not UTF-8');
  }
  try {
    return accept(JSON.parse(text));
  } catch {
    return refuse('not JSON');
  }
}
