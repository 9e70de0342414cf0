import {
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';

/**
 * Certificates for tests: Node reads X.509 but makes none. Only what a private authority needs: a
 * common name, a validity, a key, and whether the holder may sign others.
 */

/** An authority: its certificate, and the key that signs. */
export interface Authority {
  readonly name: string;
  readonly certificate: string;
  readonly key: KeyObject;
}

export interface CertificateWish {
  readonly name: string;
  readonly publicKey: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly signsOthers?: boolean;
}

const SEQUENCE = 0x30;
const SET = 0x31;
const BOOLEAN_TRUE = Buffer.from([0x01, 0x01, 0xff]);
const ECDSA_SHA256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const COMMON_NAME = [0x55, 0x04, 0x03];
const BASIC_CONSTRAINTS = [0x55, 0x1d, 0x13];

/** One element of DER: its tag, its length, what it holds. */
function der(tag: number, ...parts: readonly (Buffer | readonly number[])[]): Buffer {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const length =
    content.length < 0x80
      ? [content.length]
      : content.length < 0x100
        ? [0x81, content.length]
        : [0x82, content.length >> 8, content.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

const identifier = (bytes: readonly number[]) => der(0x06, bytes);
const algorithm = der(SEQUENCE, identifier(ECDSA_SHA256));
const nameOf = (name: string) =>
  der(SEQUENCE, der(SET, der(SEQUENCE, identifier(COMMON_NAME), der(0x0c, Buffer.from(name)))));
const time = (date: Date) =>
  der(0x18, Buffer.from(`${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`));

/** A certificate in PEM, signed by the authority's key. */
export function issue(wish: CertificateWish, issuer: Pick<Authority, 'name' | 'key'>): string {
  const constraints = der(0x04, der(SEQUENCE, wish.signsOthers ? BOOLEAN_TRUE : []));
  const body = der(
    SEQUENCE,
    der(0xa0, der(0x02, [2])),
    der(0x02, [1], randomBytes(8)),
    algorithm,
    nameOf(issuer.name),
    der(SEQUENCE, time(wish.notBefore), time(wish.notAfter)),
    nameOf(wish.name),
    wish.publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(SEQUENCE, der(SEQUENCE, identifier(BASIC_CONSTRAINTS), constraints))),
  );
  const signature = der(0x03, [0], sign('sha256', body, issuer.key));
  const lines = der(SEQUENCE, body, algorithm, signature)
    .toString('base64')
    .match(/.{1,64}/g);
  return `-----BEGIN CERTIFICATE-----\n${lines?.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** A new authority, good for a day. */
export function newAuthority(name: string): Authority {
  const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const now = Date.now();
  const wish = {
    name,
    publicKey: createPublicKey(key),
    notBefore: new Date(now - 60_000),
    notAfter: new Date(now + 86_400_000),
    signsOthers: true,
  };
  return { name, key, certificate: issue(wish, { name, key }) };
}
