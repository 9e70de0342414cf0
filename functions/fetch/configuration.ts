import { z } from 'zod';
import {
  type ConfigurationResult,
  eventVariables,
  logVariables,
  oneOf,
  parseConfiguration,
  postgresVariables,
  pubsubVariables,
  wholeNumber,
} from '../cloud/configuration.ts';
import { metricsVariables } from '../cloud/metrics/configuration.ts';
import { retentionVariables } from '../database/retention-rules.ts';
import { ALLOWED_LIMITS } from '../database/source-limits.ts';
import { writeVariables } from '../policy/variables.ts';
import { parseRelayAddress } from '../upstream/address.ts';

const DAY = 86_400;

/** A bound of a visit, which a source may have a lower one of its own for. */
const ofPiece = (name: keyof typeof ALLOWED_LIMITS, otherwise: number) =>
  wholeNumber(ALLOWED_LIMITS[name].least, ALLOWED_LIMITS[name].most, otherwise);

export const schema = z.object({
  ...postgresVariables,
  ...pubsubVariables,
  ...logVariables,
  ...metricsVariables,
  ...eventVariables,
  ...writeVariables(wholeNumber),
  ...retentionVariables,
  FETCH_SOURCES: z
    .string()
    .default('')
    .transform((text, context) => {
      const urls: string[] = [];
      for (const address of text.split(',').map((each) => each.trim())) {
        if (address === '') continue;
        const url = parseRelayAddress(address);
        if (url.ok) urls.push(url.value.href);
        else context.addIssue({ code: 'custom', message: `relay addresses: ${url.reason}` });
      }
      return urls;
    })
    .describe('relays to fetch everything from, by commas: wss://relay.example'),
  FETCH_OUTBOX: oneOf(['on', 'off'], 'off').describe(
    "on: the relays that the sources' authors write to (NIP-65) become sources; or off",
  ),
  FETCH_MONITORS: oneOf(['on', 'off'], 'off').describe(
    'on: relays that monitors have seen (NIP-66) are listed as paused sources; or off',
  ),
  FETCH_PROBES: oneOf(['on', 'off'], 'off').describe(
    'on: relays that several authors name (NIP-65) and those of monitors are probed once; or off',
  ),
  FETCH_SECRET_KEY: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional()
    .describe('the secret key to log in with where a source may ask for it: 64 hex characters'),
  FETCH_PIECE_SECONDS: ofPiece('secondsMax', 45).describe(
    'seconds that one visit to a source takes at most: 5 to 240, below the push deadline',
  ),
  FETCH_PIECE_EVENTS: ofPiece('eventsMax', 200_000).describe(
    'events that one visit takes: 100 to 10000000',
  ),
  FETCH_PIECE_BYTES: ofPiece('bytesMax', 500_000_000).describe(
    'bytes that one visit takes: 1000000 to 10000000000',
  ),
  FETCH_PIECE_REQUESTS: ofPiece('requestsMax', 1_000).describe(
    'requests of one visit: 10 to 100000',
  ),
  FETCH_OVERLAP_SECONDS: wholeNumber(0, 30 * DAY, 600).describe(
    'the newest covered seconds are looked at again, for what came late: 0 to 2592000',
  ),
  FETCH_BACKFILL_DAYS: wholeNumber(0, 36_500, 0).describe(
    'how far back events are fetched: 1 to 36500 days, or 0 for all there are',
  ),
  FETCH_COVERAGE_HOURS: wholeNumber(0, 8_760, 24).describe(
    'hours between two measurements of coverage: 1 to 8760, or 0 for none',
  ),
  FETCH_ALLOW_LOOPBACK: oneOf(['on', 'off'], 'off').describe(
    'on: sources may be on this machine, for tests; or off',
  ),
});

export type FetchConfiguration = z.infer<typeof schema>;

/** What the environment asks of fetch, or all that is wrong with it. */
export const parseFetchConfiguration = (
  env: Readonly<Record<string, string | undefined>>,
): ConfigurationResult<FetchConfiguration> => parseConfiguration(schema, env);
