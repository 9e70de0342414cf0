import { z } from 'zod';
import type { Result } from '../nostr/result.ts';
import { parseKeys } from './key-lists.ts';
import { parseKindRanges } from './kind-lists.ts';
import { DEFAULT_WRITE_LIMITS } from './limits.ts';
import { DIFFICULTY_MAX, parseKindDifficulties } from './proof-of-work.ts';
import type { WriteRules } from './rules.ts';

const WRITE = DEFAULT_WRITE_LIMITS;

/** How a variable of a whole number is read; the cloud room has the one way to do it. */
type WholeNumber = (min: number, max: number, fallback: number) => z.ZodType<number, unknown>;

/** A variable that holds a list; `parse` says what is wrong with it. */
const list = <T>(parse: (value: string) => Result<T>) =>
  z
    .string()
    .prefault('')
    .transform((value, context) => {
      const parsed = parse(value);
      if (parsed.ok) return parsed.value;
      context.addIssue({ code: 'custom', message: parsed.reason });
      return z.NEVER;
    });

/** The variables that rule on writing, for whatever takes events: clients and other relays alike. */
export const writeVariables = (wholeNumber: WholeNumber) => ({
  RELAY_CONTENT_MAX: wholeNumber(1, 4_000_000, WRITE.contentCharactersMax).describe(
    "characters of an event's content: 1 to 4000000",
  ),
  RELAY_CONTENT_LONG_MAX: wholeNumber(1, 4_000_000, WRITE.contentCharactersLongMax).describe(
    'the same for lists, replaceable and addressable events: RELAY_CONTENT_MAX to 4000000',
  ),
  RELAY_TAGS_MAX: wholeNumber(1, 100_000, WRITE.tagsMax).describe('tags of an event: 1 to 100000'),
  RELAY_TAGS_LONG_MAX: wholeNumber(1, 100_000, WRITE.tagsLongMax).describe(
    'the same for lists, replaceable and addressable events: RELAY_TAGS_MAX to 100000',
  ),
  RELAY_CREATED_AT_FUTURE_SECONDS: wholeNumber(
    0,
    315_360_000,
    WRITE.createdAtFutureSecondsMax,
  ).describe('seconds that created_at may lie ahead of the clock: 0 to 315360000'),
  RELAY_CREATED_AT_PAST_SECONDS: wholeNumber(
    0,
    3_153_600_000,
    WRITE.createdAtPastSecondsMax,
  ).describe('seconds that created_at may lie behind the clock: 1 to 3153600000, or 0 for any age'),
  RELAY_EPHEMERAL_PAST_SECONDS: wholeNumber(0, 315_360_000, WRITE.ephemeralPastSecondsMax).describe(
    'the same for ephemeral events, which nobody can fetch later: 1 to 315360000, or 0 for any age',
  ),
  RELAY_KEYS_ALLOWED: list(parseKeys).describe(
    'public keys in lowercase hex, by commas: only these may write; empty: everybody may',
  ),
  RELAY_KEYS_DENIED: list(parseKeys).describe(
    'public keys in lowercase hex, by commas, that may not write',
  ),
  RELAY_KINDS_ALLOWED: list(parseKindRanges).describe(
    'kinds and ranges such as 0,1,30000-39999: only these are taken; empty: all are',
  ),
  RELAY_KINDS_DENIED: list(parseKindRanges).describe(
    'kinds and ranges such as 4,20000-29999 that are not taken',
  ),
  RELAY_POW_BITS: wholeNumber(0, DIFFICULTY_MAX, 0).describe(
    `leading zero bits that an event's id must have (NIP-13): 0 to ${DIFFICULTY_MAX}`,
  ),
  RELAY_POW_BITS_BY_KIND: list(parseKindDifficulties).describe(
    'the same for some kinds, such as 1:20,30000-39999:16; the first that fits counts',
  ),
});

/** What those variables hold, with the size that store knows as well. */
export type WriteConfiguration = z.infer<z.ZodObject<ReturnType<typeof writeVariables>>> & {
  readonly EVENT_BYTES_MAX: number;
};

/** What the variables mean for events. */
export function writeRulesOf(configuration: WriteConfiguration): WriteRules {
  return {
    limits: {
      eventBytesMax: configuration.EVENT_BYTES_MAX,
      contentCharactersMax: configuration.RELAY_CONTENT_MAX,
      contentCharactersLongMax: configuration.RELAY_CONTENT_LONG_MAX,
      tagsMax: configuration.RELAY_TAGS_MAX,
      tagsLongMax: configuration.RELAY_TAGS_LONG_MAX,
      createdAtFutureSecondsMax: configuration.RELAY_CREATED_AT_FUTURE_SECONDS,
      createdAtPastSecondsMax: configuration.RELAY_CREATED_AT_PAST_SECONDS,
      ephemeralPastSecondsMax: configuration.RELAY_EPHEMERAL_PAST_SECONDS,
    },
    kindsAllowed: configuration.RELAY_KINDS_ALLOWED,
    kindsDenied: configuration.RELAY_KINDS_DENIED,
    keysAllowed: configuration.RELAY_KEYS_ALLOWED,
    keysDenied: configuration.RELAY_KEYS_DENIED,
    difficulty: configuration.RELAY_POW_BITS,
    difficultyByKind: configuration.RELAY_POW_BITS_BY_KIND,
  };
}
