/**
 * The sizes of infra/profiles/*.tfvars that cost money (a test compares them), and how much a
 * system of that size is used. The use is an assumption, printed with the table and given by
 * options where an operator knows better.
 */

/** What one instance has. */
export interface Instance {
  readonly cpu: number;
  readonly memoryGibibytes: number;
}

export interface Sizes {
  readonly relay: Instance;
  readonly functions: Readonly<Record<'store' | 'fetch' | 'upkeep' | 'probe', Instance>>;
  readonly follow: boolean;
  /** The probe runs every minute. */
  readonly watch: boolean;
  /** Days that the archive keeps what was accepted; 0 where there is none. */
  readonly archiveDays: number;
  readonly database: {
    readonly tier: string;
    readonly highAvailable: boolean;
    readonly diskGibibytes: number;
  };
}

export interface Use {
  /** Relay instances that run on average over the month; below 1 where it sleeps. */
  readonly relayInstances: number;
  /** Events taken a second, averaged over the month, from clients and other relays. */
  readonly eventsPerSecond: number;
  readonly eventBytes: number;
  /** What goes out to clients and other relays. */
  readonly trafficGibibytes: number;
  /** Seconds a day that visits to other relays take, all together. */
  readonly fetchSeconds: number;
}

export interface Profile {
  readonly sizes: Sizes;
  readonly use: Use;
}

export const PROFILE_NAMES = ['personal', 'community', 'public'] as const;
export type ProfileName = (typeof PROFILE_NAMES)[number];

const small: Instance = { cpu: 1, memoryGibibytes: 0.5 };
const large: Instance = { cpu: 1, memoryGibibytes: 1 };
const functions = { store: small, fetch: large, upkeep: small, probe: small };

export const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  personal: {
    sizes: {
      relay: { cpu: 1, memoryGibibytes: 1 },
      functions,
      follow: false,
      watch: false,
      archiveDays: 0,
      database: { tier: 'db-g1-small', highAvailable: false, diskGibibytes: 10 },
    },
    // Someone is connected for eight hours a day.
    use: {
      relayInstances: 1 / 3,
      eventsPerSecond: 0.05,
      eventBytes: 800,
      trafficGibibytes: 3,
      fetchSeconds: 600,
    },
  },
  community: {
    sizes: {
      relay: { cpu: 1, memoryGibibytes: 2 },
      functions,
      follow: false,
      watch: true,
      archiveDays: 30,
      database: { tier: 'db-custom-2-7680', highAvailable: false, diskGibibytes: 50 },
    },
    use: {
      relayInstances: 1.2,
      eventsPerSecond: 2,
      eventBytes: 800,
      trafficGibibytes: 100,
      fetchSeconds: 7_200,
    },
  },
  public: {
    sizes: {
      relay: { cpu: 2, memoryGibibytes: 4 },
      functions: { ...functions, store: large },
      follow: true,
      watch: true,
      archiveDays: 30,
      database: { tier: 'db-custom-8-30720', highAvailable: true, diskGibibytes: 500 },
    },
    use: {
      relayInstances: 4,
      eventsPerSecond: 40,
      eventBytes: 800,
      trafficGibibytes: 2_000,
      fetchSeconds: 43_200,
    },
  },
};
