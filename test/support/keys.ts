import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { finalizeEvent, getPublicKey } from 'nostr-tools/pure';
import { computeId, type NostrEvent } from '../../functions/nostr/event.ts';

/** What a test says of an event; the rest is filled in by `signEvent`. */
export interface EventTemplate {
  readonly kind: number;
  /** Unix seconds. */
  readonly created_at: number;
  readonly tags?: readonly (readonly string[])[];
  readonly content?: string;
}

/** The part of bcrypto that signs: forty times as fast as JavaScript, where it is built. */
interface NativeSchnorr {
  publicKeyCreate(secretKey: Buffer): Buffer;
  sign(message: Buffer, secretKey: Buffer, auxiliary: Buffer): Buffer;
}

const native = loadNative();
const publicKeys = new Map<string, string>();

/** Fixed "randomness": the same template and key give the same signature in every run. */
const NO_AUXILIARY = Buffer.alloc(32);

function loadNative(): NativeSchnorr | undefined {
  try {
    const name = 'bcrypto/lib/native/schnorr-libsecp256k1.js';
    return createRequire(import.meta.url)(name) as NativeSchnorr;
  } catch {
    return undefined;
  }
}

/** A secret key that follows from the seed alone, so that a failing test can be run again. */
export function secretKeyOf(seed: string | number): Uint8Array {
  return new Uint8Array(createHash('sha256').update(`distrise test key ${seed}`).digest());
}

/** The public key (64 lowercase hex characters) of a secret key. */
export function publicKeyOf(secretKey: Uint8Array): string {
  const name = Buffer.from(secretKey).toString('hex');
  let known = publicKeys.get(name);
  if (known === undefined) {
    known = native
      ? native.publicKeyCreate(Buffer.from(secretKey)).toString('hex')
      : getPublicKey(secretKey);
    publicKeys.set(name, known);
  }
  return known;
}

/** A valid event: id and signature are true. */
export function signEvent(template: EventTemplate, secretKey: Uint8Array): NostrEvent {
  const { kind, created_at, tags = [], content = '' } = template;
  if (native === undefined) {
    // A copy, since nostr-tools fills in what it is given and hangs its verdict on it.
    const copy = { kind, created_at, tags: tags.map((tag) => [...tag]), content };
    const { id, pubkey, sig } = finalizeEvent(copy, secretKey);
    return { id, pubkey, created_at, kind, tags, content, sig };
  }
  const unsigned = { pubkey: publicKeyOf(secretKey), created_at, kind, tags, content };
  const id = computeId(unsigned);
  const sig = native.sign(Buffer.from(id, 'hex'), Buffer.from(secretKey), NO_AUXILIARY);
  return { id, ...unsigned, sig: sig.toString('hex') };
}
