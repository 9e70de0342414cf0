/**
 * List prices in US dollars that `distrise cost` computes with, for us-central1 and regions that
 * cost the same. Looked up on 2026-11-25 in stored copies, since Google's pages could not be
 * fetched; `read` says how well each is documented.
 */

/** How a price is known. */
export type Reading =
  /** The figure stands in a copy of Google's own page. */
  | 'google'
  /** Others quote it from that page, which could not be read to the figure. */
  | 'quoted'
  /** No page was found that says it; the figure is a guess. */
  | 'guess';

export interface Price {
  readonly dollars: number;
  /** What one unit is. */
  readonly unit: string;
  /** Units a month that a billing account does not pay for. */
  readonly free: number;
  /** Google's page that rules on it. */
  readonly page: string;
  readonly read: Reading;
}

export const PRICES_READ_ON = '2026-11-25';

const RUN = 'https://cloud.google.com/run/pricing';
const SQL = 'https://cloud.google.com/sql/pricing';
const PUBSUB = 'https://cloud.google.com/pubsub/pricing';
const STORAGE = 'https://cloud.google.com/storage/pricing';
const OBSERVABILITY = 'https://cloud.google.com/products/observability/pricing';
const BALANCER = 'https://cloud.google.com/load-balancing/pricing';

const price = (dollars: number, unit: string, page: string, read: Reading, free = 0): Price => ({
  dollars,
  unit,
  free,
  page,
  read,
});

export const PRICES = {
  // Cloud Run, CPU for the instance's whole life (the relay, the worker).
  instanceCpu: price(0.000_018, 'vCPU-second', RUN, 'google', 240_000),
  instanceMemory: price(0.000_002, 'GiB-second', RUN, 'quoted', 450_000),
  // Cloud Run, CPU while there is a request (the functions).
  requestCpu: price(0.000_024, 'vCPU-second', RUN, 'google', 180_000),
  requestMemory: price(0.000_002_5, 'GiB-second', RUN, 'quoted', 360_000),
  requests: price(0.4, 'million requests', RUN, 'quoted', 2),
  // Cloud SQL for PostgreSQL, edition Enterprise, one zone; a standby doubles it.
  sqlCpu: price(0.0413, 'vCPU-hour', SQL, 'quoted'),
  sqlMemory: price(0.007, 'GiB-hour', SQL, 'quoted'),
  sqlSmall: price(0.035, 'hour of db-g1-small', SQL, 'quoted'),
  sqlDisk: price(0.17, 'GiB-month of SSD', SQL, 'quoted'),
  sqlBackup: price(0.08, 'GiB-month of backups', SQL, 'guess'),
  // Pub/Sub: what is published and what each subscription is sent, 1,000 bytes a request at least.
  pubsub: price(40, 'TiB', PUBSUB, 'google', 10 / 1_024),
  pubsubRetention: price(0.27, 'GiB-month', PUBSUB, 'google'),
  // What Pub/Sub itself writes into a bucket.
  pubsubExport: price(50, 'TiB', PUBSUB, 'google'),
  storage: price(0.02, 'GiB-month', STORAGE, 'google'),
  storageWrites: price(0.005, 'thousand objects', STORAGE, 'google'),
  metrics: price(0.258, 'MiB of metrics', OBSERVABILITY, 'google', 150),
  alerts: price(0, 'alert condition', OBSERVABILITY, 'guess'),
  logs: price(0.5, 'GiB of logs', OBSERVABILITY, 'google', 50),
  scheduler: price(0.1, 'job', 'https://cloud.google.com/scheduler/pricing', 'google', 3),
  secrets: price(0.06, 'version', 'https://cloud.google.com/secret-manager/pricing', 'google', 6),
  images: price(
    0.1,
    'GiB-month',
    'https://cloud.google.com/artifact-registry/pricing',
    'quoted',
    0.5,
  ),
  traffic: price(
    0.12,
    'GiB to the internet',
    'https://cloud.google.com/vpc/network-pricing',
    'quoted',
    1,
  ),
  balancer: price(0.025, 'hour', BALANCER, 'google'),
  balancerTraffic: price(0.008, 'GiB', BALANCER, 'google'),
  armor: price(7, 'policy with two rules', 'https://cloud.google.com/armor/pricing', 'guess'),
} as const satisfies Readonly<Record<string, Price>>;

export type PriceName = keyof typeof PRICES;
