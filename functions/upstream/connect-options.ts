import type { Verifier } from '../nostr/verify.ts';
import type { AuthOptions } from './authentication.ts';
import type { Clock } from './clock.ts';
import type { AddressGuard } from './guard.ts';
import type { UpstreamLimits } from './limits.ts';

/** Something that a relay must not send; it was dropped. */
export interface Fault {
  readonly reason: string;
  readonly subscription?: string;
}

export interface ConnectOptions {
  readonly limits?: Partial<UpstreamLimits>;
  readonly clock?: Clock;
  /** Checks ids and signatures; the fastest one of this machine by default, 'none' for no check. */
  readonly verifier?: Verifier | 'none';
  readonly onNotice?: (message: string) => void;
  readonly onFault?: (fault: Fault) => void;
  /** Gives up the handshake. */
  readonly signal?: AbortSignal;
  /** Judges where the connection may go; anywhere by default. */
  readonly guard?: AddressGuard;
  /** Lets the relay compress what it sends; off by default. */
  readonly compression?: boolean;
  /** With which key `authenticate` signs. */
  readonly auth?: AuthOptions;
}
