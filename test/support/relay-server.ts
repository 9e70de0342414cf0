import { randomUUID } from 'node:crypto';
import { Journey } from '../../functions/cloud/journey.ts';
import type { Log } from '../../functions/cloud/log.ts';
import { Registry } from '../../functions/cloud/metrics/registry.ts';
import { loadVerifier } from '../../functions/nostr/verify.ts';
import {
  parseRelayConfiguration,
  type RelayConfiguration,
} from '../../functions/relay/configuration.ts';
import { RelayServer } from '../../functions/relay/server.ts';
import { Terms } from '../../functions/relay/terms.ts';
import { MemoryEngine } from './memory-engine.ts';
import { Wire } from './wire.ts';

/** A relay server on loopback, in front of an engine in memory. */
export interface TestServer {
  readonly server: RelayServer;
  readonly engine: MemoryEngine;
  readonly terms: Terms;
  readonly configuration: RelayConfiguration;
  readonly port: number;
  readonly url: string;
  readonly webSocketUrl: string;
  readonly metrics: Registry;
  /** Lines of the log, newest last. */
  readonly logged: readonly { readonly message: string; readonly fields: object }[];
  connect(headers?: Record<string, string>): Promise<Wire>;
  /** Drops the clients that `connect` made and stops the server. */
  close(): Promise<void>;
}

/** What every relay must be told, and no rates unless a test is about them. */
const BASE = {
  DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none',
  GOOGLE_CLOUD_PROJECT: 'test-project',
  RELAY_RATE_LIMITS: 'off',
};

/** A configuration from variables, with the defaults for the rest. */
export function configurationOf(variables: Record<string, string> = {}): RelayConfiguration {
  const parsed = parseRelayConfiguration({ ...BASE, ...variables });
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
}

/**
 * @param variables of the environment. @param overrides of the parsed configuration, for values
 *   that no operator may choose, such as a ping every tenth of a second. @param monotonicMs the
 *   server's clock, where an hour is to pass.
 */
export async function startServer(
  variables: Record<string, string> = {},
  overrides: Partial<RelayConfiguration> = {},
  monotonicMs: () => number = () => performance.now(),
): Promise<TestServer> {
  const configuration = { ...configurationOf(variables), ...overrides };
  const engine = new MemoryEngine({
    limitDefault: configuration.LIMIT_DEFAULT,
    limitMax: configuration.LIMIT_MAX,
  });
  const metrics = new Registry('relay');
  const logged: { message: string; fields: object }[] = [];
  const log = logInto(logged);
  const software = { version: '1.2.3', homepage: 'https://example.com/distrise' };
  const terms = new Terms({ configuration, software, metrics, log });
  const server = new RelayServer(configuration, {
    engine,
    verifier: await loadVerifier(),
    terms,
    journey: new Journey({ log, share: configuration.LOG_TRACE_SAMPLE, monotonicMs }),
    log,
    instance: `server-${randomUUID().slice(0, 8)}`,
    metrics,
    nowMs: Date.now,
    monotonicMs,
  });
  const port = await server.listen(0, '127.0.0.1');
  const webSocketUrl = `ws://127.0.0.1:${port}`;
  const wires: Wire[] = [];
  return {
    server,
    engine,
    terms,
    configuration,
    port,
    url: `http://127.0.0.1:${port}`,
    webSocketUrl,
    metrics,
    logged,
    async connect(headers) {
      const wire = await Wire.open(webSocketUrl, headers);
      wires.push(wire);
      return wire;
    },
    async close() {
      for (const wire of wires) wire.drop();
      await server.stop();
    },
  };
}

function logInto(lines: { message: string; fields: object }[]): Log {
  const write = (message: string, fields: object = {}) => void lines.push({ message, fields });
  return {
    debug: write,
    info: write,
    warning: write,
    error: write,
    fault: write,
    child: () => logInto(lines),
  };
}
