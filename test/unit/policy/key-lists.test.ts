import { keyListsPolicy, parseKeys } from '../../../functions/policy/key-lists.ts';
import { publicKeyOf, secretKeyOf, signEvent } from '../../support/keys.ts';

const ALICE = secretKeyOf('alice');
const BOB = secretKeyOf('bob');
const keys = (...of: Uint8Array[]) => new Set(of.map(publicKeyOf));
const verdict = (author: Uint8Array, allowed: Set<string>, denied: Set<string>) => {
  const event = signEvent({ kind: 1, created_at: 1 }, author);
  const judged = keyListsPolicy(allowed, denied)(event, { nowSeconds: 1, bytes: 1 });
  return judged.ok ? 'passed' : judged.reason;
};

it('takes everybody where nothing is said', () => {
  expect(verdict(ALICE, keys(), keys())).toBe('passed');
});

it('refuses who is denied', () => {
  expect(verdict(ALICE, keys(), keys(ALICE))).toMatch(/^blocked: .*banned/);
  expect(verdict(BOB, keys(), keys(ALICE))).toBe('passed');
});

it('refuses everybody else where some are allowed', () => {
  expect(verdict(ALICE, keys(ALICE), keys())).toBe('passed');
  expect(verdict(BOB, keys(ALICE), keys())).toMatch(/^restricted: .*on the list/);
});

it('lets a denial win over a permission', () => {
  expect(verdict(ALICE, keys(ALICE), keys(ALICE))).toMatch(/^blocked: /);
});

it('reads keys from a list', () => {
  const [alice, bob] = [publicKeyOf(ALICE), publicKeyOf(BOB)];
  expect(parseKeys(` ${alice},\n${bob} ,`)).toEqual({ ok: true, value: keys(ALICE, BOB) });
  expect(parseKeys('')).toEqual({ ok: true, value: new Set() });
});

it('tells the place of what is no key, and does not repeat it', () => {
  const parsed = parseKeys(`${publicKeyOf(ALICE)} nsec1secret`);
  expect(parsed).toEqual({
    ok: false,
    reason: 'public key number 2 is not 64 lowercase hex characters',
  });
});
