import { decode } from 'nostr-tools/nip19';
import { getPublicKey } from 'nostr-tools/pure';
import { z } from 'zod';
import {
  type ConfigurationResult,
  logVariables,
  oneOf,
  parseConfiguration,
  pubsubVariables,
  wholeNumber,
} from '../cloud/configuration.ts';
import { metricsVariables } from '../cloud/metrics/configuration.ts';
import { parseRelayAddress } from '../upstream/address.ts';

const { GOOGLE_CLOUD_PROJECT, PUBSUB_EMULATOR_HOST } = pubsubVariables;

const relayAddresses = z
  .string()
  .default('')
  .transform((text, context) => {
    const urls: string[] = [];
    for (const word of text.split(',').map((each) => each.trim())) {
      if (word === '') continue;
      const address = parseRelayAddress(word);
      if (address.ok) urls.push(address.value.href);
      else context.addIssue({ code: 'custom', message: `relay addresses: ${address.reason}` });
    }
    return urls;
  });

export const schema = z.object({
  ...logVariables,
  ...metricsVariables,
  GOOGLE_CLOUD_PROJECT,
  PUBSUB_EMULATOR_HOST,
  PROBE_URL: z
    .string()
    .transform((text, context) => {
      const address = parseRelayAddress(text);
      if (address.ok) return address.value.href;
      context.addIssue({ code: 'custom', message: address.reason });
      return '';
    })
    .describe("the relay's public address: wss://relay.example"),
  PROBE_SECRET_KEY: z
    .string()
    .transform((text, context) => {
      const key = secretKeyOf(text);
      if (key === undefined) context.addIssue({ code: 'custom', message: 'no secret key' });
      return key ?? new Uint8Array();
    })
    .describe("the probe's own secret key: 64 hex characters or nsec1…"),
  PROBE_TIMEOUT_MS: wholeNumber(500, 60_000, 5_000).describe(
    'milliseconds that each step may take: 500 to 60000',
  ),
  PROBE_ATTEMPTS: wholeNumber(1, 10, 3).describe(
    'attempts after which the probe counts as failed: 1 to 10',
  ),
  PROBE_ANNOUNCE: oneOf(['on', 'off'], 'off').describe(
    'on: what was measured is published as a NIP-66 event (kind 30166); or off',
  ),
  PROBE_TELL: z
    .string()
    .transform((text, context) => {
      const key = publicKeyOf(text);
      if (key === undefined) context.addIssue({ code: 'custom', message: 'no public key' });
      return key ?? '';
    })
    .optional()
    .describe('who is told by a private message (NIP-17) when the probe fails: npub1… or hex'),
  PROBE_TELL_RELAYS: relayAddresses.describe(
    'relays of others, by commas, where the list of inboxes (kind 10050) of PROBE_TELL is found',
  ),
});

export type ProbeConfiguration = z.infer<typeof schema>;

/** What the environment asks of the probe, or all that is wrong with it. */
export const parseProbeConfiguration = (
  env: Readonly<Record<string, string | undefined>>,
): ConfigurationResult<ProbeConfiguration> => parseConfiguration(schema, env);

function secretKeyOf(text: string): Uint8Array | undefined {
  try {
    const key = /^[0-9a-f]{64}$/i.test(text)
      ? new Uint8Array(Buffer.from(text, 'hex'))
      : decodedAs('nsec', text);
    if (!(key instanceof Uint8Array)) return undefined;
    // Refuses the few numbers that are no key of the curve.
    getPublicKey(key);
    return key;
  } catch {
    return undefined;
  }
}

function publicKeyOf(text: string): string | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
  const key = decodedAs('npub', text);
  return typeof key === 'string' ? key : undefined;
}

function decodedAs(wanted: 'nsec' | 'npub', text: string): unknown {
  try {
    const { type, data } = decode(text);
    return type === wanted ? data : undefined;
  } catch {
    return undefined;
  }
}
