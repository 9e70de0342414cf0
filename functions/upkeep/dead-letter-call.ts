import { z } from 'zod';
import type { Log } from '../cloud/log.ts';
import type { LetterFilter } from '../database/dead-letters.ts';

const filterShape = {
  id: z.string().max(64).optional(),
  /** An empty part would be in every reason. */
  reason: z.string().min(1).max(200).optional(),
  sqlstate: z
    .string()
    .regex(/^[0-9A-Z]{5}$/)
    .optional(),
  /** Unix seconds. */
  since: z.number().int().min(0).optional(),
  kind: z.number().int().min(0).max(65_535).optional(),
  author: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
};

const limit = z.number().int().min(1);
const why = z.string().trim().max(1_000);
const deciding = {
  limit: limit.max(10_000).default(1_000),
  by: z.string().trim().min(1).max(200),
  /** Every letter that nobody has decided about: what has no filter must say that it means it. */
  all: z.literal(true).optional(),
  ...filterShape,
};

const FILTERS = Object.keys(filterShape) as (keyof typeof filterShape)[];
const saysWhich = (asked: Readonly<Record<string, unknown>>): boolean =>
  asked['all'] === true || FILTERS.some((name) => asked[name] !== undefined);
const WHICH = 'which ones? Give an id, a filter, or "all": true';

const call = z.strictObject({
  deadLetters: z.discriminatedUnion('action', [
    z.strictObject({
      action: z.literal('list'),
      decided: z.boolean().optional(),
      limit: limit.max(1_000).default(100),
      ...filterShape,
    }),
    z.strictObject({ action: z.literal('show'), id: z.string().min(1).max(64) }),
    z
      .strictObject({ action: z.literal('replay'), why: why.default(''), ...deciding })
      .refine(saysWhich, WHICH),
    // What is discarded is erased, so that the reason is all that is left.
    z
      .strictObject({ action: z.literal('discard'), why: why.min(1), ...deciding })
      .refine(saysWhich, WHICH),
  ]),
});

/** What an operator asks of the function, instead of the scheduler. */
export type DeadLetterCall = z.infer<typeof call>['deadLetters'];

/** True for a body that asks about dead letters, rightly or wrongly. */
export const isDeadLetterCall = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && 'deadLetters' in body;

/** The call, or all that is wrong with it. */
export function parseDeadLetterCall(
  body: unknown,
): { readonly ok: true; readonly value: DeadLetterCall } | { readonly ok: false; reason: string } {
  const parsed = call.safeParse(body);
  if (parsed.success) return { ok: true, value: parsed.data.deadLetters };
  const reasons = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  return { ok: false, reason: reasons.join('; ') };
}

/** What the calls reach of the world. */
export interface DeadLetterPorts {
  list(filter: LetterFilter, limit: number): Promise<object>;
  show(id: string): Promise<readonly object[]>;
  replay(
    filter: LetterFilter,
    limit: number,
    who: { readonly by: string; readonly why: string },
  ): Promise<number>;
  discard: DeadLetterPorts['replay'];
}

/** Does what the operator asks; what is decided stands in the log too. */
export async function answerDeadLetterCall(
  asked: DeadLetterCall,
  ports: DeadLetterPorts,
  log: Log,
): Promise<object> {
  switch (asked.action) {
    case 'list': {
      const { action: _, limit: max, ...filter } = asked;
      return ports.list(withoutAbsent(filter), max);
    }
    case 'show':
      return ports.show(asked.id);
    default: {
      const { action, limit: max, by, why, all: _, ...filter } = asked;
      const letters = await ports[action](withoutAbsent(filter), max, { by, why });
      log.warning('dead letters decided', { action, letters, by, why, filter });
      return { action, letters };
    }
  }
}

/** zod leaves keys without a value; a filter has none. */
function withoutAbsent(filter: Readonly<Record<string, unknown>>): LetterFilter {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
}
