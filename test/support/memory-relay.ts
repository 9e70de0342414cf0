import { Journey } from '../../functions/cloud/journey.ts';
import { Registry } from '../../functions/cloud/metrics/registry.ts';
import { loadVerifier } from '../../functions/nostr/verify.ts';
import { parseRelayConfiguration } from '../../functions/relay/configuration.ts';
import { RelayServer } from '../../functions/relay/server.ts';
import { Terms } from '../../functions/relay/terms.ts';
import { MemoryEngine } from './memory-engine.ts';

/**
 * A process of its own with a relay server in front of an engine in memory, so that a test can
 * measure it apart from its clients. Over IPC it tells its port, and its memory when asked; it
 * ends with the channel.
 */
const parsed = parseRelayConfiguration(process.env);
if (!parsed.ok) throw new Error(parsed.reason);

const silent = {
  debug() {},
  info() {},
  warning() {},
  error() {},
  fault() {},
  child: () => silent,
};
const configuration = parsed.value;
const metrics = new Registry('relay');
const software = { version: 'test' };
const server = new RelayServer(configuration, {
  engine: new MemoryEngine(),
  verifier: await loadVerifier(),
  terms: new Terms({ configuration, software, metrics, log: silent }),
  instance: 'memory',
  journey: new Journey({ log: silent, share: 0, monotonicMs: () => 0 }),
  log: silent,
  metrics,
  nowMs: Date.now,
  monotonicMs: () => performance.now(),
});
process.on('message', () => {
  // What is alive, not what waits to be collected: run with --expose-gc.
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  process.send?.({ memoryBytes: heapUsed + external });
});
process.on('disconnect', () => process.exit(0));
process.send?.({ port: await server.listen(0, '127.0.0.1') });
