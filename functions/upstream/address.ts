import { accept, type Result, refuse } from '../nostr/result.ts';

/** Checks the address of a relay: ws or wss, no user name, password or fragment. */
export function parseRelayAddress(text: string): Result<URL> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'ws:' && url.protocol !== 'wss:')) {
    return refuse(`not a relay's address: ${JSON.stringify(text)} (wanted: ws://… or wss://…)`);
  }
  if (url.username !== '' || url.password !== '') {
    return refuse("a relay's address must not hold a user name or password");
  }
  if (url.hash !== '') return refuse("a relay's address must not hold a fragment (#…)");
  return accept(url);
}
