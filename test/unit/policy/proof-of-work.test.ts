import {
  parseKindDifficulties,
  proofOfWorkPolicy,
} from '../../../functions/policy/proof-of-work.ts';
import { signedEvent } from '../../support/signed-events.ts';

const difficulties = (text: string) => {
  const parsed = parseKindDifficulties(text);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
};

/** Nobody looks at the signature here: the id is the work. */
const worked = (id: string, { kind = 1, nonce = [] as string[] } = {}) => ({
  ...signedEvent({ kind, tags: [['nonce', ...nonce]] }),
  id: id.padEnd(64, 'f'),
});
const verdict = (bits: number, byKind: string, event: ReturnType<typeof worked>) => {
  const judged = proofOfWorkPolicy(bits, difficulties(byKind))(event, { nowSeconds: 1, bytes: 1 });
  return judged.ok ? 'passed' : judged.reason;
};

describe('difficulties by kind', () => {
  it('are read from a list', () => {
    expect(difficulties(' 1:20, 30000-39999:16,7: 0,')).toEqual([
      { kinds: { first: 1, last: 1 }, bits: 20 },
      { kinds: { first: 30_000, last: 39_999 }, bits: 16 },
      { kinds: { first: 7, last: 7 }, bits: 0 },
    ]);
    expect(difficulties('')).toEqual([]);
  });

  it.each(['1', '1:', ':20', '1:257', '1:-1', 'x:20', '2-1:20', '1:20:3', '1:2.5'])(
    'are not read from %j, which is named',
    (text) => {
      const parsed = parseKindDifficulties(`7:1,${text}`);
      expect(parsed).toEqual({ ok: false, reason: expect.stringContaining(JSON.stringify(text)) });
    },
  );
});

describe('NIP-13', () => {
  it('"`difficulty` is defined to be the number of leading zero bits in the `NIP-01` id"', () => {
    // The two examples of the text.
    const first = worked('000000000e9d97a1ab09fc381030b346cdd7a142ad57e6df0b46dc9bef6c7e2d');
    expect(verdict(36, '', first)).toBe('passed');
    expect(verdict(37, '', first)).toMatch(/^pow: the id has 36 leading zero bits, 37 are needed/);
    expect(verdict(10, '', worked('002f'))).toBe('passed');
    expect(verdict(11, '', worked('002f'))).toMatch(/^pow: /);
  });

  it('"If you require 40 bits … and see a committed target of 30, you can safely reject it"', () => {
    const lucky = worked('0000000000', { nonce: ['5', '30'] });
    expect(verdict(40, '', lucky)).toMatch(/^pow: the nonce tag commits to 30 bits, 40 are needed/);
    expect(verdict(40, '', worked('0000000000', { nonce: ['5', '40'] }))).toBe('passed');
  });

  it('does not ask for a commitment, which the text makes no duty', () => {
    expect(verdict(40, '', worked('0000000000'))).toBe('passed');
    expect(verdict(40, '', worked('0000000000', { nonce: ['5', 'much'] }))).toBe('passed');
  });
});

describe('the policy', () => {
  it('asks for nothing where nothing is configured', () => {
    expect(verdict(0, '', worked('ff'))).toBe('passed');
  });

  it('asks of a kind what is said of it, and of the others what is said of all', () => {
    const byKind = '7:0,1:8,1-9:12';
    expect(verdict(4, byKind, worked('ff', { kind: 7 }))).toBe('passed');
    expect(verdict(4, byKind, worked('00f', { kind: 1 }))).toBe('passed');
    expect(verdict(4, byKind, worked('00f', { kind: 2 }))).toMatch(/12 are needed/);
    expect(verdict(4, byKind, worked('0f', { kind: 30 }))).toBe('passed');
    expect(verdict(4, byKind, worked('1f', { kind: 30 }))).toMatch(/4 are needed/);
  });
});
