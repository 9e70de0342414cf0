import type * as Nip77 from '../../node_modules/nostr-tools/lib/types/nip77.d.ts';

/** nostr-tools' own negentropy, which its package does not export yet. */
export async function loadNip77(): Promise<
  Pick<typeof Nip77, 'Negentropy' | 'NegentropyStorageVector' | 'NegentropySync'>
> {
  const path = new URL('../../node_modules/nostr-tools/lib/esm/nip77.js', import.meta.url);
  return (await import(path.href)) as typeof Nip77;
}
