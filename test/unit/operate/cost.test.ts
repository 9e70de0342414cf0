import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from '@cdktf/hcl2json';
import { ALERT_CONDITIONS } from '../../../functions/operate/cost-lines.ts';
import { PRICES } from '../../../functions/operate/prices.ts';
import { PROFILE_NAMES, PROFILES } from '../../../functions/operate/profiles.ts';
import { runOperate } from '../../support/run-operator.ts';
import { INFRA } from '../../support/terraform/read.ts';

interface Printed {
  readonly profile: string;
  readonly lines: readonly {
    readonly what: string;
    readonly quantity: number;
    readonly price: number;
    readonly free: number;
    readonly dollars: number;
    readonly page: string;
    readonly read: string;
  }[];
  readonly dollarsAMonth: number;
  readonly undocumented: readonly string[];
  readonly assumptions: readonly string[];
}

interface Size {
  readonly cpu: string;
  readonly memory: string;
}

interface Variables {
  readonly relay: Size;
  readonly functions: Readonly<Record<string, Size>>;
  readonly watch?: boolean;
  readonly follow?: boolean;
  readonly archive?: boolean;
  readonly archive_days?: number;
  readonly database: {
    readonly tier: string;
    readonly high_available: boolean;
    readonly disk_gigabytes: number;
  };
}

const cost = async (...args: string[]): Promise<Printed> =>
  (await runOperate(['cost', '--json', ...args])).json() as Printed;

const line = ({ lines }: Printed, what: string) => lines.find((each) => each.what === what);

const instanceOf = ({ cpu, memory }: Size) => ({
  cpu: Number(cpu),
  memoryGibibytes: memory.endsWith('Mi')
    ? Number.parseInt(memory, 10) / 1_024
    : Number.parseInt(memory, 10),
});

describe('distrise cost', () => {
  it.each(PROFILE_NAMES)('computes with the sizes of infra/profiles/%s.tfvars', async (name) => {
    const file = `profiles/${name}.tfvars`;
    const text = readFileSync(join(INFRA, file), 'utf8');
    const given = (await parse(file, text)) as unknown as Variables;
    const { functions, database } = given;
    expect(PROFILES[name].sizes).toEqual({
      relay: instanceOf(given.relay),
      functions: Object.fromEntries(
        Object.entries(functions).map(([each, size]) => [each, instanceOf(size)]),
      ),
      follow: given.follow ?? false,
      watch: given.watch ?? true,
      archiveDays: given.archive === true ? (given.archive_days ?? 30) : 0,
      database: {
        tier: database.tier,
        highAvailable: database.high_available,
        diskGibibytes: database.disk_gigabytes,
      },
    });
  });

  it('counts the alert conditions that infra/ ships', () => {
    const conditions = readdirSync(join(INFRA, 'alerts')).flatMap(
      (file) =>
        (JSON.parse(readFileSync(join(INFRA, 'alerts', file), 'utf8')) as { conditions: [] })
          .conditions,
    );
    expect(ALERT_CONDITIONS).toBe(conditions.length);
  });

  it.each(PROFILE_NAMES)(
    'adds up the lines of %s, each at most quantity times price',
    async (name) => {
      const printed = await cost('--profile', name);
      const sum = printed.lines.reduce((total, { dollars }) => total + dollars, 0);
      expect(printed.dollarsAMonth).toBeCloseTo(sum, 9);
      for (const { quantity, price, dollars } of printed.lines) {
        expect(dollars).toBeGreaterThanOrEqual(0);
        expect(dollars).toBeLessThanOrEqual(quantity * price + 1e-9);
      }
    },
  );

  it('takes what is free off once, though several lines share it', async () => {
    const printed = await cost('--profile', 'community');
    const cpu = ['store', 'fetch', 'upkeep', 'probe'].map((name) => line(printed, `${name}: CPU`));
    const used = cpu.reduce((sum, each) => sum + (each?.quantity ?? 0), 0);
    const paid = cpu.reduce((sum, each) => sum + (each?.dollars ?? 0), 0);
    const { dollars, free } = PRICES.requestCpu;
    expect(paid).toBeCloseTo((used - free) * dollars, 6);
  });

  it('takes nothing off with --no-free', async () => {
    const printed = await cost('--profile', 'personal', '--no-free');
    for (const { quantity, price, dollars } of printed.lines) {
      expect(dollars).toBeCloseTo(quantity * price, 9);
    }
  });

  it('costs twice the machine and disk where the database has a standby', async () => {
    const { lines } = await cost('--profile', 'public');
    const hours = lines.find(({ what }) => what === 'database: CPU')?.quantity;
    expect(hours).toBe(8 * 730 * 2);
  });

  it('computes with the use that is given', async () => {
    const args = ['--events-per-second', '10', '--instances', '2', '--traffic', '50'];
    const printed = await cost('--profile', 'personal', ...args);
    expect(line(printed, 'relay: CPU')?.quantity).toBe(2 * 730 * 3_600);
    // Published and pushed, published again and sent to two instances: a kilobyte each time.
    expect(line(printed, 'Pub/Sub: throughput')?.quantity).toBeCloseTo(
      (10 * 730 * 3_600 * 1_000 * 5) / 2 ** 40,
      9,
    );
    expect(line(printed, 'traffic to the internet')?.quantity).toBe(50);
  });

  it('pays for an archive where the profile has one: what is written, and what is kept', async () => {
    const args = ['--events-per-second', '10'];
    const printed = await cost('--profile', 'community', ...args);
    const written = (10 * 730 * 3_600 * 1_000) / 2 ** 40;
    expect(line(printed, 'archive: written by Pub/Sub')?.dollars).toBeCloseTo(written * 50, 9);
    const kept = (10 * 86_400 * 37 * (800 + 120)) / 2 ** 30;
    expect(line(printed, 'archive: kept')?.dollars).toBeCloseTo(kept * 0.02, 9);
    expect(line(printed, 'archive: objects')?.dollars).toBeCloseTo(17.52 * 0.005, 9);
    const without = await cost('--profile', 'personal', ...args);
    expect(without.lines.filter(({ what }) => what.startsWith('archive'))).toEqual([]);
  });

  it('has a load balancer only with a domain', async () => {
    expect(line(await cost('--profile', 'public'), 'Cloud Armor')).toBeUndefined();
    const printed = await cost('--profile', 'public', '--domain');
    expect(line(printed, 'load balancer: rule')?.dollars).toBeCloseTo(730 * 0.025, 9);
  });

  it('says where each price is from, and which could not be documented', async () => {
    const printed = await cost('--profile', 'community', '--domain');
    for (const { page } of printed.lines) expect(page).toMatch(/^https:\/\/cloud\.google\.com\//);
    const guessed = printed.lines.filter(({ read }) => read === 'guess').map(({ what }) => what);
    expect(printed.undocumented).toEqual(guessed);
    expect(guessed).toContain('Cloud Armor');
  });

  it('prints a table, what is assumed and the pages for people', async () => {
    const { stdout, code } = await runOperate(['cost', '--profile', 'personal']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^WHAT +HOW MUCH/);
    expect(stdout).toMatch(/^database: machine +730 +hour of db-g1-small +0\.035 +25\.55 /m);
    expect(stdout).toMatch(/^About \d+\.\d\d US dollars a month\.$/m);
    expect(stdout).toMatch(/^Assumed:\n- /m);
    expect(stdout).toContain('https://cloud.google.com/sql/pricing');
  });

  it.each([
    ['no profile', []],
    ['an unknown profile', ['--profile', 'huge']],
    ['a number that is none', ['--profile', 'public', '--traffic', 'much']],
    ['a negative number', ['--profile', 'public', '--instances=-1']],
  ])('refuses %s', async (_, args) => {
    expect((await runOperate(['cost', ...args])).code).toBe(2);
  });
});
