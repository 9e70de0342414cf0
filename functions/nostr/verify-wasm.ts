import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { NostrEvent } from './event.ts';

/** A place in the module's memory. */
type Pointer = number;

interface Memory {
  readonly buffer: ArrayBuffer;
}

/** The little of the platform's WebAssembly that is used; TypeScript has it for browsers only. */
declare const WebAssembly: {
  instantiate(
    bytes: Uint8Array,
    imports: Record<string, Record<string, (...values: number[]) => void>>,
  ): Promise<{ readonly instance: { readonly exports: Record<string, unknown> } }>;
};

/** libsecp256k1 inside nostr-wasm, under the names that its compiler left. */
interface Library {
  readonly memory: Memory;
  initialize(): void;
  malloc(bytes: number): Pointer;
  createContext(flags: number): Pointer;
  parsePublicKey(context: Pointer, parsed: Pointer, publicKey: Pointer): number;
  verifySchnorr(
    context: Pointer,
    signature: Pointer,
    message: Pointer,
    messageBytes: number,
    parsed: Pointer,
  ): number;
}

/** libsecp256k1's SECP256K1_CONTEXT_VERIFY. */
const CONTEXT_VERIFY = 257;
const DONE = 1;

/**
 * Signature check by libsecp256k1 as WebAssembly, out of the package nostr-wasm. Its own
 * `verifyEvent` is not used: it copies the whole event into a heap that cannot grow, so that a
 * large event fails, and spends a third of its time on hex and on hashing in WebAssembly. Here
 * only the 128 bytes that count go in. The version is pinned, since the exports have no names.
 * @throws when the package is absent or of another shape.
 */
export async function openWasm(): Promise<(event: NostrEvent) => boolean> {
  const library = await instantiate();
  library.initialize();
  const message = library.malloc(32);
  const signature = library.malloc(64);
  const publicKey = library.malloc(32);
  const parsed = library.malloc(64);
  const context = library.createContext(CONTEXT_VERIFY);
  const heap = Buffer.from(library.memory.buffer);
  return (event) => {
    return (
      // What is no hex is not written, and the bytes of the last event must not stand in for it.
      heap.write(event.id, message, 'hex') === 32 &&
      heap.write(event.sig, signature, 'hex') === 64 &&
      heap.write(event.pubkey, publicKey, 'hex') === 32 &&
      library.parsePublicKey(context, parsed, publicKey) === DONE &&
      library.verifySchnorr(context, signature, message, 32, parsed) === DONE
    );
  };
}

async function instantiate(): Promise<Library> {
  const main = createRequire(import.meta.url).resolve('nostr-wasm');
  const file = join(dirname(main), '..', 'public', 'out', 'secp256k1.wasm');
  let memory: Memory | undefined;
  const fail = (): void => {
    throw new Error('libsecp256k1 gave up');
  };
  const { instance } = await WebAssembly.instantiate(await readFile(file), {
    a: {
      a: fail, // abort
      b: fail, // write: only error messages are ever written
      c: fail, // seek
      d: fail, // grow memory
      e: fail, // close
      f: (to: Pointer, from: Pointer, bytes: number): void => {
        if (memory) new Uint8Array(memory.buffer).copyWithin(to, from, from + bytes);
      },
    },
  });
  const { g, h, i, o, p, u } = instance.exports;
  memory = g as Memory;
  return {
    memory,
    initialize: h as Library['initialize'],
    malloc: i as Library['malloc'],
    createContext: o as Library['createContext'],
    parsePublicKey: p as Library['parsePublicKey'],
    verifySchnorr: u as Library['verifySchnorr'],
  };
}
