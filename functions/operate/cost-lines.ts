import { COMPONENTS, type Component } from '../cloud/metrics/catalogue.ts';
import { PRICES, type PriceName } from './prices.ts';
import type { Sizes, Use } from './profiles.ts';

/** One line of the bill. */
export interface CostLine {
  readonly what: string;
  /** Units before the free ones are taken off. */
  readonly quantity: number;
  readonly price: PriceName;
  readonly dollars: number;
}

export interface CostQuestion {
  readonly sizes: Sizes;
  readonly use: Use;
  /** A load balancer with Cloud Armor before the relay. */
  readonly domain: boolean;
  /** False: as if a billing account had used up what is free. */
  readonly free: boolean;
  /** MiB a month that one process of a component writes at most. */
  readonly metricMebibytes: (component: Component) => number;
}

const HOURS = 730;
const SECONDS = HOURS * 3_600;
const DAYS = HOURS / 24;
const CALLS_A_MONTH = HOURS * 60;
const GIBIBYTE = 2 ** 30;

/** Assumptions that are the same for every profile; `assumptionsOf` says them in words. */
const STORE_SECONDS = 0.05;
const UPKEEP_SECONDS = 2;
const PROBE_SECONDS = 1.5;
const PLAN_SECONDS = 0.5;
const PUBSUB_BYTES_LEAST = 1_000;
const RETENTION_DAYS = 7;
/** What stands beside each event in the archive. */
const ARCHIVE_META_BYTES = 120;
/** The archive's own days, and those for which Google keeps what it deleted (infra/archive.tf). */
const ARCHIVE_UNDELETE_DAYS = 7;
/** An object each ten minutes, from each of the few places where Pub/Sub writes. */
const ARCHIVE_OBJECTS_AN_HOUR = 6 * 4;
const METRICS_SHARE = 1 / 3;
const LOG_BYTES_AN_EVENT = 100;
const LOG_GIBIBYTES = 1;
const IMAGES_GIBIBYTES = 3;
const DISK_FILLED = 0.5;
/** Of all files in infra/alerts/. */
export const ALERT_CONDITIONS = 45;

/** What a month costs, line by line. */
export function costLines(question: CostQuestion): CostLine[] {
  const { sizes, use } = question;
  const lines = [
    ...relayLines(sizes, use),
    ...functionLines(sizes, use),
    ...databaseLines(sizes),
    ...pubsubLines(use),
    ...archiveLines(sizes, use),
    ...otherLines(question),
  ];
  // What is free is counted once, though several lines use it.
  const left = new Map<PriceName, number>();
  return lines.map(({ what, quantity, price }) => {
    const free = question.free ? (left.get(price) ?? PRICES[price].free) : 0;
    left.set(price, Math.max(0, free - quantity));
    return { what, quantity, price, dollars: Math.max(0, quantity - free) * PRICES[price].dollars };
  });
}

type Quantity = Omit<CostLine, 'dollars'>;

const relayLines = ({ relay, follow }: Sizes, use: Use): Quantity[] => [
  {
    what: 'relay: CPU',
    quantity: use.relayInstances * relay.cpu * SECONDS,
    price: 'instanceCpu',
  },
  {
    what: 'relay: memory',
    quantity: use.relayInstances * relay.memoryGibibytes * SECONDS,
    price: 'instanceMemory',
  },
  ...(follow
    ? [
        { what: 'follow: CPU', quantity: SECONDS, price: 'instanceCpu' } as const,
        { what: 'follow: memory', quantity: SECONDS, price: 'instanceMemory' } as const,
      ]
    : []),
];

function functionLines({ functions, watch }: Sizes, use: Use): Quantity[] {
  const pushes = use.eventsPerSecond * SECONDS;
  const probes = watch ? CALLS_A_MONTH : 0;
  const seconds = {
    store: pushes * STORE_SECONDS,
    fetch: CALLS_A_MONTH * PLAN_SECONDS + use.fetchSeconds * DAYS,
    upkeep: CALLS_A_MONTH * UPKEEP_SECONDS,
    probe: probes * PROBE_SECONDS,
  };
  const names = ['store', 'fetch', 'upkeep', 'probe'] as const;
  return [
    ...names.map((name): Quantity => {
      const quantity = seconds[name] * functions[name].cpu;
      return { what: `${name}: CPU`, quantity, price: 'requestCpu' };
    }),
    ...names.map((name): Quantity => {
      const quantity = seconds[name] * functions[name].memoryGibibytes;
      return { what: `${name}: memory`, quantity, price: 'requestMemory' };
    }),
    {
      what: 'calls of functions',
      quantity: (pushes + 2 * CALLS_A_MONTH + probes) / 1_000_000,
      price: 'requests',
    },
  ];
}

function databaseLines({ database }: Sizes): Quantity[] {
  const copies = database.highAvailable ? 2 : 1;
  const disk: Quantity[] = [
    { what: 'database: disk', quantity: database.diskGibibytes * copies, price: 'sqlDisk' },
    {
      what: 'database: backups',
      quantity: database.diskGibibytes * DISK_FILLED,
      price: 'sqlBackup',
    },
  ];
  if (database.tier === 'db-g1-small') {
    return [{ what: 'database: machine', quantity: HOURS * copies, price: 'sqlSmall' }, ...disk];
  }
  const [, cpu, mebibytes] = /^db-custom-(\d+)-(\d+)$/.exec(database.tier) ?? [];
  if (cpu === undefined) throw new RangeError(`no price of the tier ${database.tier}`);
  return [
    { what: 'database: CPU', quantity: Number(cpu) * HOURS * copies, price: 'sqlCpu' },
    {
      what: 'database: memory',
      quantity: (Number(mebibytes) / 1_024) * HOURS * copies,
      price: 'sqlMemory',
    },
    ...disk,
  ];
}

function pubsubLines(use: Use): Quantity[] {
  const bytes = use.eventsPerSecond * SECONDS * Math.max(use.eventBytes, PUBSUB_BYTES_LEAST);
  // Published to incoming, pushed to store, published to stored, sent to each relay instance.
  const times = 3 + use.relayInstances;
  const kept = use.eventsPerSecond * use.eventBytes * RETENTION_DAYS * 86_400;
  return [
    { what: 'Pub/Sub: throughput', quantity: (bytes * times) / 2 ** 40, price: 'pubsub' },
    { what: 'Pub/Sub: a week of incoming', quantity: kept / GIBIBYTE, price: 'pubsubRetention' },
  ];
}

function archiveLines({ archiveDays }: Sizes, use: Use): Quantity[] {
  if (archiveDays === 0) return [];
  const lineBytes = use.eventBytes + ARCHIVE_META_BYTES;
  const written = use.eventsPerSecond * SECONDS * Math.max(lineBytes, PUBSUB_BYTES_LEAST);
  const days = archiveDays + ARCHIVE_UNDELETE_DAYS;
  const kept = use.eventsPerSecond * lineBytes * days * 86_400;
  return [
    { what: 'archive: written by Pub/Sub', quantity: written / 2 ** 40, price: 'pubsubExport' },
    { what: 'archive: kept', quantity: kept / GIBIBYTE, price: 'storage' },
    {
      what: 'archive: objects',
      quantity: (HOURS * ARCHIVE_OBJECTS_AN_HOUR) / 1_000,
      price: 'storageWrites',
    },
  ];
}

function otherLines({ sizes, use, domain, metricMebibytes }: CostQuestion): Quantity[] {
  const metrics = COMPONENTS.reduce((sum, component) => {
    const processes = component === 'relay' ? Math.max(1, use.relayInstances) : 1;
    return sum + metricMebibytes(component) * METRICS_SHARE * processes;
  }, 0);
  const logs = LOG_GIBIBYTES + (use.eventsPerSecond * SECONDS * LOG_BYTES_AN_EVENT) / GIBIBYTE;
  const lines: Quantity[] = [
    { what: 'traffic to the internet', quantity: use.trafficGibibytes, price: 'traffic' },
    { what: 'metrics', quantity: metrics, price: 'metrics' },
    { what: 'alerts', quantity: ALERT_CONDITIONS, price: 'alerts' },
    { what: 'logs', quantity: logs, price: 'logs' },
    { what: 'images', quantity: IMAGES_GIBIBYTES, price: 'images' },
    { what: 'schedules', quantity: sizes.watch ? 3 : 2, price: 'scheduler' },
    { what: 'secret keys', quantity: 2, price: 'secrets' },
  ];
  if (!domain) return lines;
  return [
    ...lines,
    { what: 'load balancer: rule', quantity: HOURS, price: 'balancer' },
    {
      what: 'load balancer: traffic',
      quantity: use.trafficGibibytes * 1.1,
      price: 'balancerTraffic',
    },
    { what: 'Cloud Armor', quantity: 1, price: 'armor' },
  ];
}

/** What the figures rest on, in words. */
export const assumptionsOf = ({ sizes, use, free }: CostQuestion): string[] => [
  `${round(use.relayInstances)} relay instances run on average, ${round(use.eventsPerSecond)} events of ` +
    `${use.eventBytes} bytes come in a second, ${use.trafficGibibytes} GiB a month go out`,
  `a month has ${HOURS} hours; prices are those of us-central1, without tax and discounts`,
  free
    ? 'what a billing account has free is used by this system alone'
    : 'what a billing account has free is used up by others',
  `each event is a message and a call of store of its own, which takes ${STORE_SECONDS * 1_000} ms: in a flood ` +
    'messages hold up to 500 events and it costs far less',
  `visits to other relays take ${use.fetchSeconds} s a day; upkeep takes ${UPKEEP_SECONDS} s a minute, the ` +
    `probe ${PROBE_SECONDS} s`,
  ...(sizes.archiveDays === 0
    ? []
    : [
        `the archive keeps ${sizes.archiveDays} days and Google what it deleted ${ARCHIVE_UNDELETE_DAYS} more, ` +
          `with ${ARCHIVE_META_BYTES} bytes beside each event, in ${ARCHIVE_OBJECTS_AN_HOUR} objects an hour`,
      ]),
  'a process writes a third of the series that it could, each minute',
  'the disk is as large as at the start, and backups take half of it',
  'alerts are counted as free, since no page could be read that says what a condition costs',
  `logs take ${LOG_GIBIBYTES} GiB and ${LOG_BYTES_AN_EVENT} bytes an event; ${IMAGES_GIBIBYTES} GiB of images are kept`,
];

const round = (value: number): string => String(Math.round(value * 100) / 100);
