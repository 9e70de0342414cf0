import type { Source } from '../database/sources.ts';
import { type Connection, connect, type Fault } from '../upstream/connection.ts';
import { createGuard } from '../upstream/guard.ts';
import { type RelayInformation, readInformation } from '../upstream/information.ts';
import { type ProbeReport, probe } from '../upstream/probe.ts';
import type { FetchConfiguration } from './configuration.ts';
import { PROBE_EVENTS, PROBE_TIMEOUT_MS } from './limits.ts';

/** The ways to a source, guarded and bounded. */
export interface UpstreamDoors {
  /**
   * @param onFault told of what the source must not send and was dropped.
   * @throws UpstreamFailure where no connection comes to be.
   */
  connect(
    source: Source,
    signal: AbortSignal,
    onFault?: (fault: Fault) => void,
  ): Promise<Connection>;
  /** Its NIP-11 document; undefined where it shows none. */
  information(source: Source): Promise<RelayInformation | undefined>;
  /** Visits it once, to see what it is worth. */
  probe(source: Source, signal: AbortSignal): Promise<ProbeReport>;
}

/**
 * Opens connections to sources, which may be anybody's machine: only to public addresses, never
 * for more bytes than a visit may take, with our key only where the operator said so.
 */
export function openUpstream(
  configuration: Pick<
    FetchConfiguration,
    'FETCH_ALLOW_LOOPBACK' | 'FETCH_SECRET_KEY' | 'FETCH_PIECE_BYTES' | 'EVENT_BYTES_MAX'
  >,
): UpstreamDoors {
  const guard = createGuard({ allowLoopback: configuration.FETCH_ALLOW_LOOPBACK === 'on' });
  const key = configuration.FETCH_SECRET_KEY;
  return {
    connect: (source, signal, onFault) =>
      connect(source.url, {
        guard,
        signal,
        compression: true,
        ...(onFault && { onFault }),
        limits: {
          receiveBytesMax: receiveBytesMaxOf(configuration.FETCH_PIECE_BYTES, source),
          frameBytesMax: FRAME_BYTES_MAX,
        },
        ...(source.auth && key && { auth: { secretKey: Buffer.from(key, 'hex') } }),
      }),
    async information(source) {
      const read = await readInformation(new URL(source.url), { guard });
      return read.ok ? read.value : undefined;
    },
    probe: (source, signal) =>
      probe(new URL(source.url), {
        guard,
        signal,
        events: PROBE_EVENTS,
        timeoutMs: PROBE_TIMEOUT_MS,
        nowMs: () => performance.now(),
      }),
  };
}

/** One huge event must not end the connection each time and hide all that is older than it. */
const FRAME_BYTES_MAX = 16 * 1_048_576;

/** A visit ends by itself at its bytes; this is for what comes in a flood before it can. */
const receiveBytesMaxOf = (pieceBytes: number, { limits }: Source): number =>
  2 * Math.min(pieceBytes, limits.bytesMax ?? pieceBytes);
