/** What an outbound connection may cost us, whatever the other side does. */
export interface UpstreamLimits {
  /** From the call of `connect` to the open WebSocket: name look-up, TCP, TLS and upgrade. */
  readonly handshakeTimeoutMs: number;
  /** A peer that has sent nothing for this long, not even a pong, is dead. */
  readonly idleTimeoutMs: number;
  readonly pingIntervalMs: number;
  /** Answers to pings that wait for the socket; more ends the connection. */
  readonly pongsMax: number;
  /** From the call of `publish` to its OK. */
  readonly publishTimeoutMs: number;
  /** A subscription that gets nothing for this long before its EOSE has failed. */
  readonly quietTimeoutMs: number;
  /** How long a polite close may take before the socket is cut. */
  readonly closeTimeoutMs: number;
  /** The longest message taken; a longer one ends the connection before it is in memory. */
  readonly frameBytesMax: number;
  /** The longest event taken; a longer one counts as a fault. */
  readonly eventBytesMax: number;
  /** Received items that wait for their reader, over all subscriptions; more pauses the socket. */
  readonly bufferItemsMax: number;
  readonly bufferBytesMax: number;
  /** Bytes handed to the socket and not yet sent; `publish` waits for room beyond this. */
  readonly sendBytesMax: number;
  /** Faults (see `Fault`) after which the connection is given up. */
  readonly faultsMax: number;
  readonly subscriptionsMax: number;
  /** Bytes received over the connection's whole life, as they are in memory; more ends it. */
  readonly receiveBytesMax: number;
}

export const DEFAULT_LIMITS: UpstreamLimits = {
  handshakeTimeoutMs: 10_000,
  // Twice the ping interval and a little, so that one lost pong is forgiven.
  idleTimeoutMs: 65_000,
  pingIntervalMs: 30_000,
  // One chunk of the socket can hold thousands of pings; who is well sends one at a time.
  pongsMax: 64,
  // Above the 10 s in which our own relay answers even when its queue is away.
  publishTimeoutMs: 20_000,
  quietTimeoutMs: 30_000,
  closeTimeoutMs: 2_000,
  // The largest event that any known relay takes is about 1 MB; the frame adds a few bytes.
  frameBytesMax: 2 * 1_048_576,
  eventBytesMax: 1_048_576,
  // Two pages of a usual relay, so that a reader who keeps up never pauses the socket.
  bufferItemsMax: 1_000,
  bufferBytesMax: 8 * 1_048_576,
  sendBytesMax: 4 * 1_048_576,
  faultsMax: 1_000,
  subscriptionsMax: 100,
  // A command of a user may run for days; who works in pieces sets a bound.
  receiveBytesMax: Number.POSITIVE_INFINITY,
};
