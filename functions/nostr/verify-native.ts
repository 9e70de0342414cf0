import type { NostrEvent } from './event.ts';

/** The one function of bcrypto that is used; the package ships no types. */
interface NativeSchnorr {
  verify(message: Buffer, signature: Buffer, publicKey: Buffer): boolean;
}

/**
 * Signature check by bcrypto's native addon (an optional dependency).
 * @throws when the addon is absent or was not built for this machine.
 */
export async function openNative(): Promise<(event: NostrEvent) => boolean> {
  // The file below bcrypto's own choice of back ends: `bcrypto/lib/schnorr.js` falls to JavaScript
  // or to another C library by environment variables, this one is libsecp256k1 or nothing.
  // As a mere string, since TypeScript would look for types.
  const loaded = (await import('bcrypto/lib/native/schnorr-libsecp256k1.js' as string)) as {
    default: NativeSchnorr;
  };
  const schnorr = loaded.default;
  // Filled anew for each check: three allocations less, and nothing runs in between.
  const message = Buffer.alloc(32);
  const signature = Buffer.alloc(64);
  const publicKey = Buffer.alloc(32);
  return (event) => {
    return (
      // What is no hex is not written, and the bytes of the last event must not stand in for it.
      message.write(event.id, 'hex') === 32 &&
      signature.write(event.sig, 'hex') === 64 &&
      publicKey.write(event.pubkey, 'hex') === 32 &&
      schnorr.verify(message, signature, publicKey)
    );
  };
}
