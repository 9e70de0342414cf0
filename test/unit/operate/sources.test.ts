import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { npubEncode } from 'nostr-tools/nip19';
import { appendCoverage } from '../../../functions/database/coverage.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import { quarantineSource, recordRun, sourceByUrl } from '../../../functions/database/sources.ts';
import { filterKey } from '../../../functions/nostr/filter-key.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { runOperate } from '../../support/run-operator.ts';
import { authorOf } from '../../support/unsigned.ts';

const URL_A = 'wss://relay.example/';

let keeper: TestDatabase;
let database: TestDatabase;
let folder: string;
beforeAll(async () => {
  keeper = await createDatabase();
  await migrate(keeper.url);
});
afterAll(() => keeper.drop());
beforeEach(async () => {
  database = await createDatabase();
  await migrate(database.url);
  folder = mkdtempSync(join(tmpdir(), 'distrise-operate-'));
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  await database.drop();
});

const run = (...args: string[]) => runOperate(args, { env: { DATABASE_URL: database.url } });
const json = async (...args: string[]) => (await run(...args, '--json')).json();
const fileOf = (text: string): string => {
  const file = join(folder, 'authors.txt');
  writeFileSync(file, text);
  return file;
};
async function found() {
  const source = await sourceByUrl(database.pool, URL_A);
  if (source === undefined) throw new Error('the source is not there');
  return source;
}

describe('distrise sources', () => {
  it('adds a source in its one form, and lists it as a table and as JSON', async () => {
    expect((await run('sources', 'list')).stdout).toContain('There are no sources.');
    const filter = '{"kinds":[1],"#t":["x"]}';
    const added = await run('sources', 'add', 'WSS://Relay.Example:443', '--filter', filter);
    expect(added).toMatchObject({ code: 0, stdout: `source 1 ${URL_A} is active\n`, stderr: '' });
    const [titles, row] = (await run('sources', 'list')).stdout.split('\n');
    expect(titles).toMatch(/^ID +URL +STATE +WAY +ORIGIN/);
    expect(row).toMatch(/^ 1 +wss:\/\/relay\.example\/ +active +down +configured.* due/);
    expect(await json('sources', 'list')).toMatchObject([
      { id: 1, url: URL_A, state: 'active', filters: [{ kinds: [1], '#t': ['x'] }] },
    ]);
  });

  it('takes authors from a file, for the filters that name none', async () => {
    const file = fileOf(
      `# friends\n${authorOf(1)}\n\n${npubEncode(authorOf(2))} Bob # b\r\n${authorOf(1)}\n`,
    );
    const own = `{"authors":["${authorOf(3)}"]}`;
    const filters = ['--filter', '{"kinds":[1]}', '--filter', own, '--authors-file', file];
    const added = await json('sources', 'add', URL_A, ...filters, '--direction', 'both', '--auth');
    expect(added).toMatchObject({
      direction: 'both',
      auth: true,
      filters: [{ kinds: [1], authors: [authorOf(1), authorOf(2)] }, { authors: [authorOf(3)] }],
    });
  });

  it.each([
    [['http://relay.example'], "not a relay's address"],
    [[URL_A, '--filter', '{'], 'not JSON'],
    [[URL_A, '--filter', '{"near":"me"}'], 'near'],
    [[URL_A, '--filter', '{"kinds":[]}'], 'matches nothing'],
    [[URL_A, '--filter', '{"since":1}'], 'since is not for sources'],
    [[URL_A, '--direction', 'sideways'], 'sideways'],
  ])('refuses %j', async (args, words) => {
    const { code, stdout, stderr } = await run('sources', 'add', ...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(words);
    expect(await sourceByUrl(database.pool, URL_A)).toBeUndefined();
  });

  it('takes limits of a visit, and shows them', async () => {
    const limits = ['--visit-events', '5000', '--visit-bytes', '2000000'];
    const more = ['--visit-requests', '50', '--visit-seconds', '20'];
    expect(await json('sources', 'add', URL_A, ...limits, ...more)).toMatchObject({
      limits: { eventsMax: 5_000, bytesMax: 2_000_000, requestsMax: 50, secondsMax: 20 },
    });
    expect((await run('sources', 'list')).stdout).toMatch(
      / a visit: 5 000 events, 2 000 000 bytes, 50 requests, 20 s\n/,
    );
    await run('sources', 'add', URL_A, '--visit-seconds', '30');
    expect(await json('sources', 'list')).toMatchObject([{ limits: { secondsMax: 30 } }]);
  });

  it.each([
    ['--visit-events', '99', 'from 100 to 10000000'],
    ['--visit-bytes', '1e6', 'from 1000000 to 10000000000'],
    ['--visit-requests', 'many', 'from 10 to 100000'],
    ['--visit-seconds', '241', 'from 5 to 240'],
  ])('refuses %s %s and says what is allowed', async (option, value, allowed) => {
    const { code, stderr } = await run('sources', 'add', URL_A, option, value);
    expect(code).toBe(2);
    expect(stderr).toContain(option);
    expect(stderr).toContain(`Wanted: a whole number ${allowed}.`);
    expect(await sourceByUrl(database.pool, URL_A)).toBeUndefined();
  });

  it('refuses a file of authors that cannot be meant', async () => {
    const add = (file: string) => run('sources', 'add', URL_A, '--authors-file', file);
    expect(await add(fileOf(`${authorOf(1)}\nBob\n`))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('line 2: no public key: Bob'),
    });
    expect(await add(fileOf('# nobody\n'))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('names no author'),
    });
    expect(await add(join(folder, 'none'))).toMatchObject({ code: 4 });
  });

  it('pauses, resumes and removes by address or number, and says what is not possible', async () => {
    await run('sources', 'add', URL_A);
    const paused = await run('sources', 'pause', '1', '--reason', 'moves house');
    expect(paused).toMatchObject({ code: 0, stdout: `source 1 ${URL_A} is paused\n` });
    expect((await run('sources', 'list')).stdout).toMatch(/paused.*–.* moves house\n/);
    expect(await run('sources', 'pause', '1')).toMatchObject({
      code: 1,
      stderr: `distrise: source ${URL_A} is not active\n`,
    });
    expect(await run('sources', 'resume', 'wss://relay.example')).toMatchObject({ code: 0 });
    expect(await run('sources', 'resume', '1')).toMatchObject({ code: 1 });
    expect(await run('sources', 'remove', '1')).toMatchObject({ code: 0 });
    expect(await run('sources', 'remove', '1')).toMatchObject({ code: 1 });
    expect(await run('sources', 'pause', 'wss://other.example')).toMatchObject({
      code: 1,
      stderr: 'distrise: there is no source wss://other.example\n',
    });
    expect(await json('sources', 'list')).toEqual([]);
  });

  it('shows why a source fails or is quarantined', async () => {
    await run('sources', 'add', URL_A);
    const { id } = await found();
    await recordRun(database.pool, id, {
      requests: 1,
      events: 0,
      newEvents: 0,
      bytes: 0,
      invalid: 3,
      withheld: 1_200,
      suspect: 2,
      failure: 'no WebSocket\nwithin 10 s',
      standing: { newPerRequest: 0, uptime: 0.8, failuresInRow: 2 },
      nextInSeconds: 120,
    });
    const list = async () => (await run('sources', 'list')).stdout;
    expect(await list()).toMatch(
      / 80\.0 % .* in 1m +failed 2×: no WebSocket within 10 s; withheld 1 200 events; /,
    );
    expect(await list()).toMatch(/; 2 s in doubt\n/);
    expect(await json('sources', 'list')).toMatchObject([
      { counts: { withheld: 1_200, suspect: 2 }, lastRun: { withheld: 1_200, suspect: 2 } },
    ]);
    await quarantineSource(database.pool, id, '3 forged events');
    expect(await list()).toMatch(/quarantined.* 3 forged events; /);
  });

  it('shows the coverage that was measured, newest first', async () => {
    await run('sources', 'add', URL_A, '--filter', '{"kinds":[1]}');
    expect((await run('sources', 'coverage', URL_A)).stdout).toContain('Nothing has been measured');
    const { id } = await found();
    const measured = { source: id, theirs: 1_000, since: 0, until: 1_700_000_000 };
    const key = filterKey({ kinds: [1] });
    await appendCoverage(database.pool, {
      ...measured,
      filterKey: 'former',
      held: 0,
      method: 'sampled',
    });
    await appendCoverage(database.pool, {
      ...measured,
      filterKey: key,
      held: 992,
      method: 'negentropy',
    });
    const lines = (await run('sources', 'coverage', '1')).stdout.split('\n');
    expect(lines[1]).toMatch(
      / 99\.2 % +992 +1 000 +negentropy +1970-01-01 00:00:00 +2023-11-14 22:13:20 +\{"kinds":\[1\]\}$/,
    );
    expect(lines[2]).toMatch(/ 0\.0 % .*\(former\) former$/);
    expect(await json('sources', 'coverage', URL_A, '--limit', '1')).toMatchObject([
      { url: URL_A, held: 992, theirs: 1_000, filter: { kinds: [1] } },
    ]);
  });

  it('says that a measurement was asked for until there is one', async () => {
    await run('sources', 'add', URL_A);
    const wish = 'A new measurement was asked for';
    expect((await run('sources', 'coverage', URL_A)).stdout).not.toContain(wish);
    expect((await run('sources', 'coverage', URL_A, '--measure')).stdout).toContain(wish);
    const { id } = await found();
    const filter = { filterKey: filterKey({}), method: 'sampled', since: 0, until: 9 } as const;
    await appendCoverage(database.pool, { source: id, theirs: 10, held: 10, ...filter });
    expect((await run('sources', 'coverage', URL_A)).stdout).not.toContain(wish);
    expect((await run('sources', 'coverage', URL_A, '--measure')).stdout).toContain(wish);
  });

  it.each(['list', 'add', 'pause', 'resume', 'remove', 'probe', 'coverage'])(
    '%s explains itself',
    async (verb) => {
      const { code, stdout } = await run('sources', verb, '--help');
      expect(code).toBe(0);
      expect(stdout).toContain('--json');
    },
  );
});

describe('the database of a command', () => {
  const list = (args: string[], env: Record<string, string> = {}) =>
    runOperate(['sources', 'list', ...args], { env });

  it('is the one of the option, else of the data folder, else of the environment', async () => {
    await run('sources', 'add', URL_A);
    mkdirSync(join(folder, 'run'));
    const here = `DATABASE_URL=${database.url}`;
    writeFileSync(join(folder, 'run', 'environment'), `${here}\nPUBSUB_EMULATOR_HOST=x:1\n`);
    const elsewhere = { DATABASE_URL: keeper.url };
    expect((await list(['--database', database.url], elsewhere)).stdout).toContain(URL_A);
    expect((await list(['--data', folder], elsewhere)).stdout).toContain(URL_A);
    expect((await list([], { DATA_DIR: folder })).stdout).toContain(URL_A);
    expect((await list([], { ...elsewhere, DATA_DIR: folder })).stdout).not.toContain(URL_A);
    expect(await list(['--data', folder, '--database', keeper.url])).toMatchObject({ code: 2 });
  });

  it('is asked for where there is none, and said to be away where it is', async () => {
    expect(await list(['--data', folder])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`no system runs on the data folder ${folder}`),
    });
    expect(await list([], { DATA_DIR: folder })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no database: give --database or set DATABASE_URL'),
    });
    const away = await list(['--database', 'postgres://postgres@127.0.0.1:1/none']);
    expect(away).toMatchObject({ code: 3, stdout: '' });
    expect(away.stderr).toMatch(/^distrise: cannot reach the database: .*ECONNREFUSED.*\n$/);
    expect((await list(['--database', 'mysql://secret@x/y'])).stderr).not.toContain('secret');
  });

  it('is not touched where it is of another version', async () => {
    const empty = await createDatabase();
    const { code, stderr } = await list(['--database', empty.url]);
    await empty.drop();
    expect(code).toBe(1);
    expect(stderr).toContain('migrate it first');
  });
});
