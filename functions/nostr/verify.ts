import { computeId, type NostrEvent } from './event.ts';
import { openJavascript } from './verify-javascript.ts';
import { openNative } from './verify-native.ts';
import { openWasm } from './verify-wasm.ts';

/** One way to check events; all ways give the same verdict. */
export interface Verifier {
  readonly name: 'native' | 'wasm' | 'javascript';
  /**
   * True when the id is the hash of the event's content and the signature over it is the
   * author's (BIP 340). The event's shape must have been checked before. Throws no error.
   */
  verify(event: NostrEvent): boolean;
}

/** A library that may or may not work on this machine. */
export interface Way {
  readonly name: Verifier['name'];
  /** Loads a check of the signature alone; rejects where the library is absent. */
  open(): Promise<(event: NostrEvent) => boolean>;
}

/** From fastest to slowest: about 60, 250 and 1,600 µs an event. */
const WAYS: readonly Way[] = [
  { name: 'native', open: openNative },
  { name: 'wasm', open: openWasm },
  { name: 'javascript', open: openJavascript },
];

/** A valid event, signed with the secret key 3, which is nobody's. */
const GENUINE: NostrEvent = {
  id: '9df372b721e723bb44d24044401b0bd08edd4b5523971c43a51f0c82d14a9d24',
  pubkey: 'f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9',
  created_at: 1_700_000_000,
  kind: 1,
  tags: [],
  content: 'Distrise',
  sig:
    'f9387d5ec53b860cad97aeb84ef4966b58ff2db5f543df87d7cbf26862e29ac1' +
    'b6dbc482ce50cefd07604a58ac1766fcbd8b41b2f923ad1e7f26a0e57ecd503f',
};

/** GENUINE with one bit of the signature turned. */
const FORGED: NostrEvent = { ...GENUINE, sig: GENUINE.sig.replace(/f$/, 'e') };

/**
 * Loads the fastest verifier that works on this machine. `prefer` is tried first, then the
 * others from fastest to slowest; `name` says which it became.
 */
export async function loadVerifier(prefer?: Verifier['name']): Promise<Verifier> {
  return firstThatWorks(
    WAYS.toSorted((a, b) => Number(b.name === prefer) - Number(a.name === prefer)),
  );
}

/**
 * The first way that can be loaded and that judges a genuine and a forged event rightly.
 * @throws where none does, with what each of them said.
 */
export async function firstThatWorks(ways: readonly Way[]): Promise<Verifier> {
  const failures: unknown[] = [];
  for (const { name, open } of ways) {
    try {
      const verifier = verifierOf(name, await open());
      if (verifier.verify(GENUINE) && !verifier.verify(FORGED)) return verifier;
      failures.push(new Error(`${name}: wrong verdict on a known event`));
    } catch (error) {
      failures.push(error);
    }
  }
  throw new AggregateError(failures, 'no way to verify signatures works on this machine');
}

function verifierOf(
  name: Verifier['name'],
  isSignatureRight: (event: NostrEvent) => boolean,
): Verifier {
  return {
    name,
    verify(event) {
      try {
        // The lengths again, although the shape was checked: the ways below fill fixed buffers.
        if (event.sig.length !== 128 || event.pubkey.length !== 64) return false;
        return event.id === computeId(event) && isSignatureRight(event);
      } catch {
        return false;
      }
    },
  };
}
