import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseRelayAddress } from '../upstream/address.ts';

export function addRelayOption(command: Command): Command {
  return command.addOption(
    new Option('--relay <url>', 'address of the relay')
      .env('DISTRISE_RELAY')
      .default('ws://localhost:8080')
      .argParser((text) => {
        const address = parseRelayAddress(text);
        if (!address.ok) throw new InvalidArgumentError(address.reason);
        return address.value.href;
      }),
  );
}

/** A number of seconds, for options. */
export function readSeconds(text: string): number {
  if (!/^\d{1,9}(\.\d{1,3})?$/.test(text)) {
    throw new InvalidArgumentError('Wanted: a number of seconds.');
  }
  return Number(text);
}
