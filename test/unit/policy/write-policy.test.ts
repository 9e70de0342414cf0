import type { NostrEvent } from '../../../functions/nostr/event.ts';
import { refuse } from '../../../functions/nostr/result.ts';
import { DEFAULT_WRITE_LIMITS } from '../../../functions/policy/limits.ts';
import { policyOf, type WriteRules } from '../../../functions/policy/rules.ts';
import { allOf, PASSED, type WritePolicy } from '../../../functions/policy/write-policy.ts';
import { sampleEvents } from '../../support/corpus.ts';
import { publicKeyOf, secretKeyOf, signEvent } from '../../support/keys.ts';

const KEY = secretKeyOf('policy');
const CONTEXT = { nowSeconds: 1_700_000_000, bytes: 500 };
const EVENT = signEvent({ kind: 1, created_at: CONTEXT.nowSeconds }, KEY);

describe('several policies', () => {
  const asked: string[] = [];
  const named =
    (name: string, verdict: ReturnType<WritePolicy>): WritePolicy =>
    () => {
      asked.push(name);
      return verdict;
    };

  it('are asked in order until one refuses', () => {
    const policy = allOf([
      named('first', PASSED),
      named('second', refuse('blocked: second')),
      named('third', refuse('blocked: third')),
    ]);
    expect(policy(EVENT, CONTEXT)).toEqual({ ok: false, reason: 'blocked: second' });
    expect(asked).toEqual(['first', 'second']);
  });

  it('pass what all of them pass', () => {
    expect(allOf([named('a', PASSED), named('b', PASSED)])(EVENT, CONTEXT).ok).toBe(true);
    expect(allOf([])(EVENT, CONTEXT).ok).toBe(true);
  });
});

describe('the rules of an operator', () => {
  const OPEN: WriteRules = {
    limits: DEFAULT_WRITE_LIMITS,
    kindsAllowed: [],
    kindsDenied: [],
    keysAllowed: new Set(),
    keysDenied: new Set(),
    difficulty: 0,
    difficultyByKind: [],
  };
  const verdict = (rules: Partial<WriteRules>, event: NostrEvent = EVENT) => {
    const judged = policyOf({ ...OPEN, ...rules })(event, CONTEXT);
    return judged.ok ? 'passed' : judged.reason;
  };

  it('take every real event of their time by default', () => {
    const stored = sampleEvents().filter(({ kind }) => kind < 20_000 || kind >= 30_000);
    const timely = stored.filter(({ created_at }) => created_at < CONTEXT.nowSeconds);
    expect(timely.length).toBeGreaterThan(100);
    expect(timely.map((event) => verdict({}, event)).filter((said) => said !== 'passed')).toEqual(
      [],
    );
  });

  it('are each enforced', () => {
    const early = { ...EVENT, created_at: EVENT.created_at + 901 };
    const large = { ...EVENT, content: 'x'.repeat(65_537) };
    expect(verdict({ keysDenied: new Set([publicKeyOf(KEY)]) })).toMatch(/^blocked: .*banned/);
    expect(verdict({ keysAllowed: new Set(['x']) })).toMatch(/^restricted: /);
    expect(verdict({ kindsDenied: [{ first: 1, last: 1 }] })).toMatch(/^blocked: kind 1/);
    expect(verdict({ kindsAllowed: [{ first: 2, last: 9 }] })).toMatch(/^blocked: kind 1/);
    expect(verdict({}, early)).toMatch(/^invalid: created_at is 901 s/);
    expect(verdict({}, large)).toMatch(/^invalid: content has 65537 characters/);
    expect(verdict({ difficulty: 200 })).toMatch(/^pow: .* 200 are needed/);
    expect(verdict({}, { ...EVENT, tags: [['-']] })).toMatch(/^blocked: protected/);
    expect(verdict({}, { ...EVENT, kind: 22_242 })).toMatch(/^invalid: kind 22242/);
  });

  it('tell a banned key nothing of the limits', () => {
    const large = { ...EVENT, content: 'x'.repeat(65_537) };
    expect(verdict({ keysDenied: new Set([publicKeyOf(KEY)]) }, large)).toMatch(/^blocked: /);
  });
});
