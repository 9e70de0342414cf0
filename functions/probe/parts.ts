import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from '../cloud/log.ts';
import type { Metrics } from '../cloud/metrics/registry.ts';
import { connect } from '../upstream/connection.ts';
import { reasonOf } from '../upstream/failure.ts';
import { readInformation } from '../upstream/information.ts';
import { walk } from '../upstream/walk.ts';
import { probeEvents } from '../upstream/walk-events.ts';
import type { ProbeConfiguration } from './configuration.ts';
import { Probe } from './probe.ts';
import { tell } from './tell.ts';

/** A probe joined to the real network. Nothing is opened before its first run. */
export function openProbe(configuration: ProbeConfiguration, metrics: Metrics, log: Log): Probe {
  const { PROBE_URL, PROBE_SECRET_KEY: key, PROBE_TIMEOUT_MS: timeoutMs } = configuration;
  const limits = {
    handshakeTimeoutMs: timeoutMs,
    publishTimeoutMs: timeoutMs,
    quietTimeoutMs: timeoutMs,
  };
  const open = (address: string) => connect(address, { limits });
  const information = async () => {
    const found = await readInformation(new URL(PROBE_URL), { timeoutMs });
    return found.ok ? found.value : undefined;
  };
  const to = configuration.PROBE_TELL;
  return new Probe(
    {
      events: () => probeEvents(key, Date.now(), randomUUID()),
      walk: (events) =>
        walk(events, timeoutMs, {
          connect: () => open(PROBE_URL),
          saysRestricted: async () => (await information())?.restrictedWrites === true,
          monotonicMs: () => performance.now(),
          pause,
        }),
      information,
      async publish(event) {
        try {
          const connection = await open(PROBE_URL);
          const { accepted } = await connection.publish(event);
          await connection.close();
          return accepted;
        } catch (error) {
          log.warning('publishing failed', { reason: reasonOf(error) });
          return false;
        }
      },
      ...(to !== undefined && {
        async tell(message: string) {
          const relays = configuration.PROBE_TELL_RELAYS;
          const { told, reasons } = await tell({ key, to, relays, message }, { connect: open });
          if (told === 0) log.error('the operator could not be told', { reasons });
          else log.info('the operator was told', { told });
          return told > 0;
        },
      }),
      nowMs: Date.now,
      metrics,
      log,
    },
    {
      address: PROBE_URL,
      key,
      attemptsMax: configuration.PROBE_ATTEMPTS,
      announce: configuration.PROBE_ANNOUNCE === 'on',
    },
  );
}
