/** When a connection is pinged and when it has to end, in milliseconds. */
export interface LivenessLimits {
  readonly pingMs: number;
  readonly idleMs: number;
  /** How long the connection lasts, by chance up to an eighth less; 0 for no end. */
  readonly lifetimeMs: number;
}

/** What to do with a connection now. */
export type Health = 'well' | 'ping' | 'dead' | 'idle' | 'old';

/**
 * Pings without an answer after which a client is given up, although bytes of it trickle in: a
 * long message on a slow line takes its time, but not for ever.
 */
const PINGS_MISSED_MAX = 4;

/** So that the clients of one instance do not all come back at the same moment. */
const LIFETIME_JITTER = 1 / 8;

/** Judges whether somebody is still at the other end, and has any business there. */
export class Liveness {
  readonly #limits: LivenessLimits;
  readonly #endsAtMs: number;
  #nextPingMs: number;
  #lastMessageMs: number;
  #bytesRead = 0;
  #pingsMissed = 0;

  constructor(limits: LivenessLimits, nowMs: number, random: () => number = Math.random) {
    const { pingMs, lifetimeMs } = limits;
    this.#limits = limits;
    this.#endsAtMs =
      lifetimeMs === 0
        ? Number.POSITIVE_INFINITY
        : nowMs + lifetimeMs * (1 - LIFETIME_JITTER * random());
    // The first ping comes early by chance, so that not all clients are pinged in one moment.
    this.#nextPingMs = nowMs + pingMs * (1 - random() / 2);
    this.#lastMessageMs = nowMs;
  }

  /** Something came in: a whole message, or the answer to a ping. */
  heard(nowMs: number, message: boolean): void {
    this.#pingsMissed = 0;
    if (message) this.#lastMessageMs = nowMs;
  }

  /**
   * @param bytesRead what the socket has read in its life.
   * @param state busy: subscriptions or events under way; paused: we do not read at the moment.
   */
  tick(
    nowMs: number,
    bytesRead: number,
    state: { readonly busy: boolean; readonly paused: boolean },
  ): Health {
    if (nowMs >= this.#endsAtMs) return 'old';
    if (state.busy) this.#lastMessageMs = nowMs;
    else if (nowMs - this.#lastMessageMs >= this.#limits.idleMs) return 'idle';
    if (nowMs < this.#nextPingMs) return 'well';
    this.#nextPingMs = nowMs + this.#limits.pingMs;
    const trickles = bytesRead > this.#bytesRead;
    this.#bytesRead = bytesRead;
    if (state.paused) return 'well';
    if (this.#pingsMissed >= (trickles ? PINGS_MISSED_MAX : 1)) return 'dead';
    this.#pingsMissed += 1;
    return 'ping';
  }
}
