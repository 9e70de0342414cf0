import { finalizeEvent } from 'nostr-tools/pure';
import type { NostrEvent } from '../nostr/event.ts';
import type { Clock } from './clock.ts';
import { UpstreamFailure } from './failure.ts';
import type { PublishResult } from './publish-ledger.ts';

/** Who we are to a relay that asks (NIP-42). */
export interface AuthOptions {
  readonly secretKey: Uint8Array;
}

const AUTH_KIND = 22_242;

/** The relay's last challenge, and our answer to it. */
export class Authentication {
  readonly #address: string;
  readonly #options: AuthOptions | undefined;
  readonly #clock: Clock;
  #challenge: string | undefined;
  #answered: { readonly challenge: string; readonly result: Promise<PublishResult> } | undefined;
  #waiting: ((failure?: UpstreamFailure) => void)[] = [];

  constructor(address: string, options: AuthOptions | undefined, clock: Clock) {
    this.#address = address;
    this.#options = options;
    this.#clock = clock;
  }

  challenged(challenge: string): void {
    this.#challenge = challenge;
    this.#tell();
  }

  /** No challenge will come any more. */
  fail(failure: UpstreamFailure): void {
    this.#tell(failure);
  }

  /** Signs and sends the answer to the last challenge; the same answer serves all who ask. */
  async answer(
    timeoutMs: number,
    send: (event: NostrEvent) => Promise<PublishResult>,
  ): Promise<PublishResult> {
    if (this.#options === undefined) {
      throw new UpstreamFailure('refused', 'the relay asks who we are and no key is configured');
    }
    // Some relays refuse first and send the challenge after it.
    const challenge = this.#challenge ?? (await this.#nextChallenge(timeoutMs));
    if (this.#answered?.challenge !== challenge) {
      const result = send(this.#sign(challenge, this.#options.secretKey));
      this.#answered = { challenge, result };
    }
    return this.#answered.result;
  }

  #nextChallenge(timeoutMs: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(timeoutMs, () =>
        reject(new UpstreamFailure('timeout', `no AUTH challenge within ${timeoutMs / 1000} s`)),
      );
      this.#waiting.push((failure) => {
        cancel();
        if (failure !== undefined) reject(failure);
        else resolve(this.#challenge ?? '');
      });
    });
  }

  #tell(failure?: UpstreamFailure): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const tell of waiting) tell(failure);
  }

  #sign(challenge: string, secretKey: Uint8Array): NostrEvent {
    const tags = [
      ['relay', this.#address],
      ['challenge', challenge],
    ];
    const template = {
      kind: AUTH_KIND,
      created_at: Math.floor(Date.now() / 1000),
      tags,
      content: '',
    };
    const { id, pubkey, created_at, kind, content, sig } = finalizeEvent(template, secretKey);
    return { id, pubkey, created_at, kind, tags, content, sig };
  }
}
