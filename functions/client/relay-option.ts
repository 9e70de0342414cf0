import { type Command, InvalidArgumentError } from 'commander';
import { parseRelayAddress } from '../upstream/address.ts';
import { usageFailure } from './exit.ts';
import type { Surroundings } from './surroundings.ts';

const DEFAULT_RELAY = 'ws://localhost:8080';

/** `--relay`, or DISTRISE_RELAY, or our own relay on this machine. */
export function addRelayOption(command: Command, { env }: Surroundings): Command {
  return command
    .option('--relay <url>', `address of the relay (default DISTRISE_RELAY or ${DEFAULT_RELAY})`)
    .hook('preAction', () => {
      const given: string = command.opts()['relay'] ?? (env['DISTRISE_RELAY'] || DEFAULT_RELAY);
      const address = parseRelayAddress(given);
      if (!address.ok) throw usageFailure(address.reason);
      command.setOptionValue('relay', address.value.href);
    });
}

/** A number of seconds, for options. */
export function readSeconds(text: string): number {
  if (!/^\d{1,9}(\.\d{1,3})?$/.test(text)) {
    throw new InvalidArgumentError('Wanted: a number of seconds.');
  }
  return Number(text);
}
