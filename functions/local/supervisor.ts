import { openPubSub } from '../cloud/pubsub.ts';
import { migrate } from '../database/migrate.ts';
import { Cluster } from './cluster.ts';
import type { OutputStream, Severity } from './entry.ts';
import type { DataFolder } from './folder.ts';
import type { GuardMessage } from './guard.ts';
import type { Journal } from './journal.ts';
import * as limits from './limits.ts';
import type { LocalOptions } from './options.ts';
import { Part, type PartHost, type PartSpec, type StopStep } from './part.ts';
import { functionPart, guardPart, monitoringPart, pubsubPart, relayPart } from './parts.ts';
import { findPorts } from './ports.ts';
import { inspectProcess } from './processes.ts';
import { Schedule } from './schedule.ts';
import { makeTopics } from './topics.ts';

export interface SupervisorOptions {
  readonly options: LocalOptions;
  readonly env: NodeJS.ProcessEnv;
  readonly folder: DataFolder;
  readonly journal: Journal;
  /** Aborts when all is to be stopped, also during the start. */
  readonly signal: AbortSignal;
}

/** The ports of the parts that only other parts talk to. */
interface InnerPorts {
  readonly postgres: number;
  readonly pubsub: number;
  readonly store: number;
  readonly upkeep: number;
  readonly fetch: number;
  readonly probe: number;
  readonly monitoring: number;
  readonly dashboards: number;
}

/** Starts the parts in order, keeps them running, and stops them in the opposite order. */
export class Supervisor implements PartHost {
  readonly #given: SupervisorOptions;
  readonly #parts = new Map<string, Part>();
  /** Ends the start as soon as a stop is wanted, by a signal or because a part will not start. */
  readonly #halt = new AbortController();
  readonly #signal: AbortSignal;
  readonly #schedules: Schedule[] = [];
  #dashboards: string | undefined;

  constructor(given: SupervisorOptions) {
    this.#given = given;
    this.#signal = AbortSignal.any([given.signal, this.#halt.signal]);
  }

  /** Where the dashboards are; undefined before the start, and where metrics go elsewhere. */
  get dashboards(): string | undefined {
    return this.#dashboards;
  }

  /** Resolves when every part is ready. */
  async start(): Promise<void> {
    const { env, folder, options } = this.#given;
    const ports = await findInnerPorts();
    const common = commonEnvironment(env, options.verbose, ports);
    const guard = this.#start(guardPart(common));
    // Awaited below; should something else fail before, that is the failure to tell.
    guard.catch(() => undefined);
    const [databaseUrl] = await Promise.all([
      this.#startDatabase(common, ports),
      this.#startPubSub(common, ports),
      this.#startMonitoring(common, ports),
    ]);
    const full = { ...common, DATABASE_URL: databaseUrl };
    const addresses = {
      DATABASE_URL: databaseUrl,
      PUBSUB_EMULATOR_HOST: full.PUBSUB_EMULATOR_HOST,
      MONITORING_EMULATOR_HOST: full.MONITORING_EMULATOR_HOST,
      ...(this.#dashboards === undefined ? {} : { DASHBOARDS_URL: this.#dashboards }),
      GOOGLE_CLOUD_PROJECT: full.GOOGLE_CLOUD_PROJECT,
      FETCH_URL: `http://127.0.0.1:${ports.fetch}/`,
      UPKEEP_URL: `http://127.0.0.1:${ports.upkeep}/`,
    };
    folder.noteEnvironment(addresses);
    await Promise.all([
      guard,
      this.#start(functionPart('store', full, ports.store)),
      this.#start(functionPart('upkeep', full, ports.upkeep)),
      this.#start(functionPart('fetch', full, ports.fetch)),
      ...Array.from({ length: options.relays }, (_, index) =>
        this.#start(relayPart(full, index, options.port + index)),
      ),
    ]);
    this.#signal.throwIfAborted();
    const probes = isSet(env['PROBE_SECRET_KEY']);
    // Last, since it looks at a relay that runs.
    if (probes) {
      const own = { PROBE_URL: `ws://127.0.0.1:${options.port}`, ...full };
      await this.#start(functionPart('probe', own, ports.probe));
    }
    for (const name of ['upkeep', 'fetch', ...(probes ? (['probe'] as const) : [])] as const) {
      const url = `http://127.0.0.1:${ports[name]}/`;
      const schedule = new Schedule({ name, url, note: this.note.bind(this) });
      this.#schedules.push(schedule);
      schedule.start();
    }
  }

  /** Stops whatever runs; the waits add up to less than 10 s. */
  async stop(): Promise<void> {
    this.#halt.abort();
    this.#given.journal.quieten();
    for (const schedule of this.#schedules) schedule.stop();
    const relays = [...this.#parts.keys()].filter((name) => name.startsWith('relay-'));
    const functionStep: StopStep[] = [{ signal: 'SIGTERM', waitMs: limits.stopFunctionMs }];
    await this.#stop(relays, [{ signal: 'SIGTERM', waitMs: limits.stopRelayMs }]);
    await this.#stop(['store', 'upkeep', 'fetch', 'probe'], functionStep);
    const serverStep: StopStep[] = [{ signal: 'SIGTERM', waitMs: limits.stopPubSubMs }];
    await this.#stop(['pubsub', 'monitoring'], serverStep);
    await this.#stop(
      ['postgres'],
      [
        { signal: 'SIGINT', waitMs: limits.stopPostgresMs },
        { signal: 'SIGQUIT', waitMs: limits.stopPostgresImmediateMs },
      ],
    );
    await this.#stop(['guard'], functionStep);
  }

  line(name: string, stream: OutputStream, line: string): void {
    this.#given.journal.line(name, stream, line);
  }

  note(severity: Severity, message: string): void {
    this.#given.journal.note(severity, message);
  }

  started(name: string, pid: number): void {
    this.#given.folder.note(name, pid);
    if (name === 'guard') {
      for (const part of this.#parts.values()) this.#watch(part.name, part.pid);
    } else {
      this.#watch(name, pid);
    }
  }

  ended(name: string): void {
    this.#given.folder.forget(name);
    this.#tellGuard({ forget: name });
  }

  /** The built-in PostgreSQL, unless the environment names another; the schema in either case. */
  async #startDatabase(env: NodeJS.ProcessEnv, ports: InnerPorts): Promise<string> {
    const { folder } = this.#given;
    const given = env['DATABASE_URL'];
    let url = given;
    if (url === undefined || url === '') {
      const cluster = await Cluster.open(folder.cluster, ports.postgres, this.#signal);
      await this.#start(cluster.part(env));
      await cluster.createDatabase();
      url = cluster.url;
    }
    this.#signal.throwIfAborted();
    await migrate(url);
    return url;
  }

  /** The built-in Pub/Sub, unless the environment names another; topics in either case. */
  async #startPubSub(env: CommonEnvironment, ports: InnerPorts): Promise<void> {
    const { folder } = this.#given;
    if (!isSet(this.#given.env['PUBSUB_EMULATOR_HOST'])) {
      await this.#start(pubsubPart(env, ports.pubsub, folder.pubsub));
    }
    this.#signal.throwIfAborted();
    const pubsub = openPubSub(env);
    try {
      await makeTopics({
        pubsub,
        incoming: env['TOPIC_INCOMING'] || 'incoming',
        incomingDead: env['TOPIC_INCOMING_DEAD'] || 'incoming-dead',
        stored: env['TOPIC_STORED'] || 'stored',
        storeUrl: `http://127.0.0.1:${ports.store}/`,
        fetch: env['TOPIC_FETCH'] || 'fetch',
        fetchUrl: `http://127.0.0.1:${ports.fetch}/`,
        // No service names this one: what upkeep gets of it is pushed.
        budget: 'budget',
        upkeepUrl: `http://127.0.0.1:${ports.upkeep}/`,
      });
    } finally {
      await pubsub.close();
    }
  }

  /** The built-in Cloud Monitoring with its page, unless the environment names another. */
  async #startMonitoring(env: CommonEnvironment, ports: InnerPorts): Promise<void> {
    if (isSet(this.#given.env['MONITORING_EMULATOR_HOST'])) return;
    await this.#start(monitoringPart(env, ports.monitoring, ports.dashboards));
    this.#dashboards = `http://localhost:${ports.dashboards}`;
  }

  async #start(spec: PartSpec): Promise<void> {
    this.#signal.throwIfAborted();
    const part = new Part(spec, this);
    this.#parts.set(part.name, part);
    await part.start();
  }

  async #stop(names: readonly string[], steps: readonly StopStep[]): Promise<void> {
    await Promise.all(names.map((name) => this.#parts.get(name)?.stop(steps)));
  }

  #watch(name: string, pid: number | undefined): void {
    if (name === 'guard' || pid === undefined) return;
    const facts = inspectProcess(pid);
    if (facts !== undefined) this.#tellGuard({ watch: name, pid, started: facts.started });
  }

  #tellGuard(message: GuardMessage): void {
    this.#parts.get('guard')?.send(message);
  }
}

const INNER_PORTS = [
  'postgres',
  'pubsub',
  'store',
  'upkeep',
  'fetch',
  'probe',
  'monitoring',
  'dashboards',
] as const satisfies readonly (keyof InnerPorts)[];

async function findInnerPorts(): Promise<InnerPorts> {
  const found = await findPorts(INNER_PORTS.length);
  const named = INNER_PORTS.map((name, index) => [name, found[index]] as const);
  return Object.fromEntries(named) as unknown as InnerPorts;
}

interface CommonEnvironment extends NodeJS.ProcessEnv {
  readonly GOOGLE_CLOUD_PROJECT: string;
  readonly PUBSUB_EMULATOR_HOST: string;
  readonly MONITORING_EMULATOR_HOST: string;
}

/** What every part gets. Whatever the user has set wins, but for the format that is read here. */
function commonEnvironment(
  env: NodeJS.ProcessEnv,
  verbose: boolean,
  ports: InnerPorts,
): CommonEnvironment {
  return {
    METADATA_SERVER_DETECTION: 'none',
    RELAY_RATE_LIMITS: 'off',
    // Series cost nothing here, and whoever looks wants to see what happens.
    METRICS_INTERVAL_SECONDS: '15',
    ...(verbose ? { LOG_LEVEL: 'debug' } : {}),
    ...env,
    GOOGLE_CLOUD_PROJECT: env['GOOGLE_CLOUD_PROJECT'] || 'distrise-local',
    PUBSUB_EMULATOR_HOST: env['PUBSUB_EMULATOR_HOST'] || `127.0.0.1:${ports.pubsub}`,
    MONITORING_EMULATOR_HOST: env['MONITORING_EMULATOR_HOST'] || `127.0.0.1:${ports.monitoring}`,
    LOG_FORMAT: 'json',
  };
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '';
}
