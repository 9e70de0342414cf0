import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tool } from './commands.ts';

export interface Entry {
  readonly tag?: string;
  readonly percent?: number;
  readonly revision: string;
}

/** A call that goes wrong, and what the tool says. */
export interface Fault {
  readonly tool: Tool | 'npm';
  /** A regular expression on the arguments, joined by spaces. */
  readonly call: string;
  readonly says: string;
  /** In this step only. */
  readonly step?: string;
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
  services: Record<string, { revisions: Record<string, string>; traffic: Entry[] }>;
  /** Jobs with their image. */
  jobs: Record<string, string>;
  /** Those that Terraform applied alerts to are told apart. */
  alerts: boolean;
  databaseRuns: boolean;
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
  jobs: {},
  alerts: false,
  databaseRuns: false,
  faults: [],
});

export const readWorld = (folder: string): World =>
  JSON.parse(readFileSync(join(folder, 'world.json'), 'utf8')) as World;

export const writeWorld = (folder: string, world: World): void =>
  writeFileSync(join(folder, 'world.json'), JSON.stringify(world, null, 1));
