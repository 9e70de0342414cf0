import type { WebSocket } from 'ws';
import type { Clock } from './clock.ts';
import { UpstreamFailure } from './failure.ts';
import type { UpstreamLimits } from './limits.ts';

type Limits = Pick<UpstreamLimits, 'pingIntervalMs' | 'idleTimeoutMs' | 'pongsMax'>;

/** Pings the relay and answers its pings: whether somebody is still there, and not out of his mind. */
export class Heartbeat {
  readonly #socket: WebSocket;
  readonly #limits: Limits;
  readonly #clock: Clock;
  readonly #fail: (failure: UpstreamFailure) => void;
  #heardAtMs: number;
  /** Since when the relay could have been heard: last word, or when we began to listen again. */
  #listeningSinceMs: number;
  #pongsWaiting = 0;
  #cancelPing: () => void = () => {};

  constructor(
    socket: WebSocket,
    limits: Limits,
    clock: Clock,
    fail: (failure: UpstreamFailure) => void,
  ) {
    this.#socket = socket;
    this.#limits = limits;
    this.#clock = clock;
    this.#fail = fail;
    this.#heardAtMs = clock.nowMs();
    this.#listeningSinceMs = this.#heardAtMs;
    socket.on('ping', (data) => this.#pong(data));
    this.#armPing();
  }

  get heardAtMs(): number {
    return this.#heardAtMs;
  }

  /** Something came. */
  heard(): void {
    this.#heardAtMs = this.#clock.nowMs();
  }

  /** The socket is read again after a pause. */
  listening(): void {
    this.#listeningSinceMs = this.#clock.nowMs();
  }

  stop(): void {
    this.#cancelPing();
  }

  #armPing(): void {
    this.#cancelPing = this.#clock.after(this.#limits.pingIntervalMs, () => {
      // While we do not listen, silence is our own doing.
      if (this.#socket.isPaused) this.listening();
      const silentMs = this.#clock.nowMs() - Math.max(this.#heardAtMs, this.#listeningSinceMs);
      if (silentMs >= this.#limits.idleTimeoutMs) {
        this.#fail(new UpstreamFailure('timeout', `relay silent for ${seconds(silentMs)}`));
        return;
      }
      this.#socket.ping();
      this.#armPing();
    });
  }

  /** Not left to ws, which drops the line at its own bound, without a word on why. */
  #pong(data: Buffer): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#pongsWaiting >= this.#limits.pongsMax) {
      this.#fail(new UpstreamFailure('misbehaved', 'relay floods us with pings'));
      return;
    }
    this.#pongsWaiting += 1;
    this.#socket.pong(data, true, () => {
      this.#pongsWaiting -= 1;
    });
  }
}

/** A time for people, in tenths of a second. */
export const seconds = (ms: number): string => `${Math.round(ms / 100) / 10} s`;
