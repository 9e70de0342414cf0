import { noteSpend, readBudget } from '../../../functions/database/budget.ts';
import { migrate } from '../../../functions/database/migrate.ts';
import { addSource } from '../../../functions/database/sources.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { runOperate } from '../../support/run-operator.ts';

const NOW = Date.parse('2026-11-25T12:00:00Z');

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabase();
  await migrate(database.url);
});
afterEach(() => database.drop());

const run = (...args: string[]) =>
  runOperate(args, {
    env: { DATABASE_URL: database.url, DISTRISE_OPERATOR: 'alice' },
    nowMs: NOW,
  });
const spend = () =>
  noteSpend(
    database.pool,
    {
      cost: 85.12,
      amount: 100,
      currency: 'EUR',
      intervalStart: new Date('2026-11-01T00:00:00Z'),
      publishedAt: new Date(NOW - 3_600_000),
    },
    () => ['fetch'],
  );

describe('distrise budget', () => {
  it('says that nobody has told what was spent', async () => {
    const { code, stdout } = await run('budget');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^spent +nothing was heard of Cloud Billing yet$/m);
    expect(stdout).toMatch(/^steps that hold +none$/m);
  });

  it('shows what was spent, since when, what holds because of it, and the changes', async () => {
    await spend();
    const { stdout } = await run('budget');
    expect(stdout).toMatch(/^spent +85\.12 of 100\.00 EUR, 85\.1 %$/m);
    expect(stdout).toMatch(/^since +2026-11-01 00:00:00$/m);
    expect(stdout).toMatch(/^told +1h ago$/m);
    expect(stdout).toMatch(/^steps that hold +fetch$/m);
    expect(stdout).toMatch(/^set by hand +auto$/m);
    expect(stdout).toMatch(/ fetch +notification +85\.12 of 100\.00 EUR, 85\.1 %$/m);
    expect((await run('budget', '--json')).json()).toMatchObject({
      spend: { cost: 85.12, amount: 100 },
      steps: ['fetch'],
      changes: [{ cause: 'notification', steps: ['fetch'] }],
    });
  });

  it('holds the steps that an operator sets, whatever is spent, until auto', async () => {
    await spend();
    const set = await run('budget', 'set', 'read-only', 'limits', '--why', 'a drill');
    expect(set).toMatchObject({
      code: 0,
      stdout: 'steps that hold: limits, read-only (set by an operator)\n',
    });
    expect(JSON.parse(set.stderr)).toEqual({
      budget: ['limits', 'read-only'],
      steps: ['limits', 'read-only'],
      by: 'alice',
      why: 'a drill',
    });
    expect((await run('budget')).stdout).toMatch(
      / limits, read-only +operator .* alice +a drill$/m,
    );
    expect((await run('budget', 'set', 'none')).stdout).toBe(
      'steps that hold: none (set by an operator)\n',
    );
    expect((await run('budget', 'set', 'auto', '--json')).json()).toMatchObject({
      steps: ['fetch'],
      reckoned: ['fetch'],
    });
  });

  it.each([[['sleep']], [['auto', 'fetch']], [['none', 'fetch']], [[]]])(
    'refuses to set %j',
    async (words) => {
      const { code, stdout } = await run('budget', 'set', ...words);
      expect([code, stdout]).toEqual([2, '']);
      expect((await readBudget(database.pool)).chosen).toBeUndefined();
    },
  );

  it('is why nothing is visited, as the list of sources says', async () => {
    await addSource(database.pool, { url: 'wss://relay.example/', origin: 'configured' });
    expect((await run('sources', 'list')).stdout).not.toContain('budget');
    await run('budget', 'set', 'fetch');
    expect((await run('sources', 'list')).stdout).toMatch(
      /\n\nNo relay is visited now: the budget has fetch paused \(distrise budget\)\.\n$/,
    );
  });
});
