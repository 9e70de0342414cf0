import { open, readFile, stat } from 'node:fs/promises';
import { decode, npubEncode, nsecEncode } from 'nostr-tools/nip19';
import { getPublicKey } from 'nostr-tools/pure';
import { reasonOf } from '../upstream/failure.ts';
import { usageFailure } from './exit.ts';
import { type Surroundings, tell } from './surroundings.ts';

/** One person's keys in all their forms. */
export interface KeyForms {
  readonly nsec: string;
  readonly secretHex: string;
  readonly npub: string;
  readonly publicHex: string;
}

export function keyForms(secret: Uint8Array): KeyForms {
  const publicHex = getPublicKey(secret);
  return {
    nsec: nsecEncode(secret),
    secretHex: Buffer.from(secret).toString('hex'),
    npub: npubEncode(publicHex),
    publicHex,
  };
}

/** Reads a secret key in hex or as nsec; undefined where it is no valid one. */
function parseSecretKey(text: string): Uint8Array | undefined {
  const given = text.trim();
  try {
    const secret = /^[0-9a-fA-F]{64}$/.test(given)
      ? new Uint8Array(Buffer.from(given, 'hex'))
      : fromNsec(given);
    // Refuses the few numbers that are no key of the curve.
    if (secret !== undefined) getPublicKey(secret);
    return secret;
  } catch {
    return undefined;
  }
}

function fromNsec(text: string): Uint8Array | undefined {
  const { type, data } = decode(text);
  return type === 'nsec' ? data : undefined;
}

/**
 * The secret key from the named file or, where none is named, from DISTRISE_SECRET_KEY. Never
 * from the command line, which other users and the shell's history see. No message repeats it.
 */
export async function readSecretKey(
  keyFile: string | undefined,
  surroundings: Surroundings,
): Promise<Uint8Array> {
  if (keyFile === undefined) {
    const given = surroundings.env['DISTRISE_SECRET_KEY'];
    if (given === undefined || given === '') {
      throw usageFailure('no key to sign with: give --key-file FILE or set DISTRISE_SECRET_KEY');
    }
    const secret = parseSecretKey(given);
    if (secret === undefined)
      throw usageFailure('DISTRISE_SECRET_KEY is no secret key (hex or nsec)');
    return secret;
  }
  let text: string;
  try {
    const { mode } = await stat(keyFile);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      tell(surroundings, `distrise: warning: others may read ${keyFile}; try chmod 600 ${keyFile}`);
    }
    text = await readFile(keyFile, 'utf8');
  } catch (error) {
    throw usageFailure(`cannot read the key file: ${reasonOf(error)}`);
  }
  const secret = parseSecretKey(text);
  if (secret === undefined) throw usageFailure(`${keyFile} holds no secret key (hex or nsec)`);
  return secret;
}

/** Writes a new key file that only its owner may read. Never overwrites one. */
export async function writeKeyFile(path: string, forms: KeyForms): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(`${forms.nsec}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST';
    throw usageFailure(
      exists
        ? `${path} exists already; a key file is never overwritten`
        : `cannot write the key file: ${reasonOf(error)}`,
    );
  }
}
