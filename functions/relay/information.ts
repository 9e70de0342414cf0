import type { BudgetStep } from '../cloud/budget-step.ts';
import { SUBSCRIPTION_ID_CHARACTERS_MAX } from '../nostr/messages.ts';
import type { RelayConfiguration } from './configuration.ts';

/**
 * NIPs that oblige a relay and that this one obeys always. NIPs about clients only are not listed,
 * as NIP-11 wants. 02 obliges a relay to keep the newest follow list only.
 */
const SUPPORTED_NIPS = [1, 2, 9, 11] as const;

/** Listed where work is asked for. */
const PROOF_OF_WORK_NIP = 13;

/** Negentropy, which can be turned off. */
const NEGENTROPY_NIP = 77;

/** The relay information document of NIP-11. */
export interface Information {
  readonly name: string;
  readonly description: string;
  readonly banner?: string;
  readonly icon?: string;
  readonly pubkey?: string;
  readonly contact?: string;
  readonly terms_of_service?: string;
  readonly supported_nips: readonly number[];
  readonly software?: string;
  readonly version: string;
  /** Of our own: what is taken back to stay near the budget; absent while nothing is. */
  readonly budget_steps?: readonly BudgetStep[];
  readonly limitation: {
    readonly max_message_length: number;
    readonly max_subscriptions: number;
    readonly max_limit: number;
    readonly default_limit: number;
    readonly max_subid_length: number;
    readonly max_event_tags: number;
    readonly max_content_length: number;
    /** Present where proof of work is asked of every kind that has no number of its own (NIP-13). */
    readonly min_pow_difficulty?: number;
    readonly created_at_lower_limit?: number;
    readonly created_at_upper_limit: number;
    readonly auth_required: boolean;
    readonly payment_required: boolean;
    readonly restricted_writes: boolean;
  };
}

/** What package.json says of the software. */
export interface Software {
  readonly version: string;
  /** The project's web address, where it has one. */
  readonly homepage?: string;
}

/**
 * The document that the running configuration amounts to: nothing stands here that is not
 * enforced. Where lists may be longer than other events, the smaller number is given, which holds
 * for every kind.
 */
export function informationOf(
  configuration: RelayConfiguration,
  { version, homepage }: Software,
): Information {
  const past = configuration.RELAY_CREATED_AT_PAST_SECONDS;
  const difficulty = configuration.RELAY_POW_BITS;
  return {
    name: configuration.RELAY_NAME,
    description: configuration.RELAY_DESCRIPTION,
    ...given('banner', configuration.RELAY_BANNER),
    ...given('icon', configuration.RELAY_ICON),
    ...given('pubkey', configuration.RELAY_PUBKEY),
    ...given('contact', configuration.RELAY_CONTACT),
    ...given('terms_of_service', configuration.RELAY_TERMS),
    supported_nips: [
      ...SUPPORTED_NIPS,
      ...(asksForWork(configuration) ? [PROOF_OF_WORK_NIP] : []),
      ...(configuration.RELAY_NEGENTROPY === 'on' ? [NEGENTROPY_NIP] : []),
    ],
    ...given('software', homepage),
    version,
    limitation: {
      max_message_length: configuration.RELAY_MESSAGE_BYTES_MAX,
      max_subscriptions: configuration.RELAY_SUBSCRIPTIONS_MAX,
      max_limit: configuration.LIMIT_MAX,
      default_limit: configuration.LIMIT_DEFAULT,
      max_subid_length: SUBSCRIPTION_ID_CHARACTERS_MAX,
      max_event_tags: configuration.RELAY_TAGS_MAX,
      max_content_length: configuration.RELAY_CONTENT_MAX,
      ...(difficulty > 0 ? { min_pow_difficulty: difficulty } : {}),
      ...(past > 0 ? { created_at_lower_limit: past } : {}),
      created_at_upper_limit: configuration.RELAY_CREATED_AT_FUTURE_SECONDS,
      auth_required: false,
      payment_required: false,
      restricted_writes:
        configuration.RELAY_KEYS_ALLOWED.size > 0 ||
        configuration.RELAY_KINDS_ALLOWED.length > 0 ||
        asksForWork(configuration),
    },
  };
}

const asksForWork = (configuration: RelayConfiguration): boolean =>
  configuration.RELAY_POW_BITS > 0 || configuration.RELAY_POW_BITS_BY_KIND.length > 0;

/** The field where it has a value: NIP-11 lets fields be absent, not empty. */
function given<Name extends string>(
  name: Name,
  value: string | undefined,
): Partial<Record<Name, string>> {
  return value === undefined ? {} : ({ [name]: value } as Record<Name, string>);
}
