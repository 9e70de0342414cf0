import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tool } from './commands.ts';

export interface Entry {
  readonly tag?: string;
  readonly percent?: number;
  readonly revision: string;
  /** Not tied to the revision: goes on to each newer one that is ready. */
  readonly latest?: true;
}

/** Revisions with their image, in the order in which they were made, and who has what share. */
export interface Revisions {
  revisions: Record<string, string>;
  traffic: Entry[];
}

/** A call that goes wrong, and what the tool says. */
export interface Fault {
  readonly tool: Tool | 'npm';
  /** A regular expression on the arguments, joined by spaces. */
  readonly call: string;
  readonly says: string;
  /** In this step only. */
  readonly step?: string;
  /** The tool does what it is asked for, and says all the same that it failed. */
  readonly done?: true;
  /** How many such calls go well before. */
  readonly after?: number;
  /** How often; always where it is left out. */
  readonly times?: number;
}

/** One project of Google Cloud, as far as the scripts touch it. */
export interface World {
  readonly project: string;
  readonly region: string;
  alive: boolean;
  apis: string[];
  /** Of the deployer, on the whole project. */
  roles: string[];
  /** Permissions of the roles that bootstrap makes. */
  customRoles: Record<string, string>;
  accounts: string[];
  buckets: string[];
  repositories: string[];
  services: Record<string, Revisions>;
  /** The worker `follow`, where there is one; instances instead of traffic. */
  follow?: Revisions;
  /** Objects that are written only where nobody else has meanwhile, by their URL. */
  locks: Record<string, { readonly generation: number; readonly text: string }>;
  /** Builds with their status. */
  builds: Record<string, string>;
  /** Revisions that a client has spoken to since traffic moved last: these write metrics. */
  heard: string[];
  /** Jobs with their image. */
  jobs: Record<string, string>;
  /** Those that Terraform applied alerts to are told apart. */
  alerts: boolean;
  billing: boolean;
  /** Where each product is. */
  regions: Record<'run' | 'sql' | 'scheduler' | 'artifacts', string[]>;
  /** Of the project: how many there may be, and are. */
  quotas: Record<string, [limit: number, usage: number]>;
  networks: string[];
  schedules: string[];
  /** Texts of the other objects by their URL. */
  objects: Record<string, string>;
  databases: Record<string, { readonly from?: string; readonly at?: string; runs: boolean }>;
  /** Which database the newest revision of each service knows. */
  pointed: Record<string, string>;
  /** When the queue was turned back, and which database store then wrote to. */
  replays: { readonly since: string; readonly into: string }[];
  /** What Terraform was told last. */
  profile: string;
  domain: string;
  /** What Terraform's state has: the database of its outputs, and addresses. */
  state: { bucket: string; database?: string; addresses: string[] };
  faults: Fault[];
}

/** What a tool was called with, and what came of it. */
export interface Recorded {
  readonly tool: Tool | 'npm';
  readonly args: readonly string[];
  readonly step: string;
  /** Why the real tool would not take these arguments. */
  readonly refused?: string;
  readonly failed?: boolean;
  /** Whether the project is another one after it. */
  readonly changed?: boolean;
  /** Who had the relay's traffic after it. */
  readonly relay?: readonly string[];
}

export const emptyWorld = (project: string, region: string): World => ({
  project,
  region,
  alive: true,
  apis: [],
  roles: [],
  customRoles: {},
  accounts: [],
  buckets: [],
  repositories: [],
  services: {},
  locks: {},
  builds: {},
  heard: [],
  jobs: {},
  alerts: false,
  billing: true,
  regions: {
    ...{ run: ['europe-west1', region], sql: ['europe-west1', region] },
    ...{ scheduler: ['europe-west1', region], artifacts: ['europe-west1', region] },
  },
  quotas: { NETWORKS: [5, 1], SUBNETWORKS: [100, 1], SECURITY_POLICIES: [10, 0] },
  networks: [],
  schedules: [],
  objects: {},
  databases: {},
  pointed: {},
  replays: [],
  profile: '',
  domain: '',
  state: { bucket: '', addresses: [] },
  faults: [],
});

export const readWorld = (folder: string): World =>
  JSON.parse(readFileSync(join(folder, 'world.json'), 'utf8')) as World;

export const writeWorld = (folder: string, world: World): void =>
  writeFileSync(join(folder, 'world.json'), JSON.stringify(world, null, 1));
