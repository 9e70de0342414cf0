/** When a connection is pinged and when it has to end, in milliseconds. */
export interface LivenessLimits {
  readonly pingMs: number;
  readonly idleMs: number;
  /** How long the connection lasts at most, by chance up to an eighth less; 0 for no end. */
  readonly lifetimeMs: number;
}

/** What a connection is doing. */
export interface ConnectionState {
  readonly busy: boolean;
  readonly paused: boolean;
  readonly quiet: () => boolean;
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

/** Share of its life that an old connection may wait for a quiet moment: of 58 minutes about one. */
const QUIET_WAIT = 1 / 60;

/** Judges whether somebody is still at the other end, and has any business there. */
export class Liveness {
  readonly #limits: LivenessLimits;
  /** From when on a quiet moment ends it. */
  readonly #oldFromMs: number;
  readonly #endsAtMs: number;
  #nextPingMs: number;
  #lastMessageMs: number;
  #bytesRead = 0;
  #pingsMissed = 0;

  constructor(limits: LivenessLimits, nowMs: number, random: () => number = Math.random) {
    const { pingMs, lifetimeMs } = limits;
    this.#limits = limits;
    const endless = lifetimeMs === 0;
    const lifeMs = lifetimeMs * (1 - (LIFETIME_JITTER - QUIET_WAIT) * random());
    this.#endsAtMs = endless ? Number.POSITIVE_INFINITY : nowMs + lifeMs;
    this.#oldFromMs = this.#endsAtMs - lifetimeMs * QUIET_WAIT;
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
   * @param state busy: subscriptions or events under way; paused: we do not read at the moment;
   *   quiet: nothing is owed to the client, so that an end would interrupt nothing.
   */
  tick(nowMs: number, bytesRead: number, state: ConnectionState): Health {
    if (nowMs >= this.#oldFromMs && (state.quiet() || nowMs >= this.#endsAtMs)) return 'old';
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
