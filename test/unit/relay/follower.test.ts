import type { Outcome, StoredMeta } from '../../../functions/cloud/envelope.ts';
import { openLog } from '../../../functions/cloud/log.ts';
import type { Change } from '../../../functions/database/changes.ts';
import { Follower, type FollowerSink } from '../../../functions/relay/follower.ts';

const log = openLog({ level: 'error', format: 'json', component: 'test' });

/** What was told, in order; and a changes log that a test fills by hand. */
function follow(startPosition = 100) {
  const told: string[] = [];
  let snapshots = 0;
  const sink: FollowerSink = {
    added: (id) => told.push(`added ${id}`),
    removed: (id) => told.push(`removed ${id}`),
    dropped: (from, to) => told.push(`dropped ${from}-${to}`),
    decided: (id: string, outcome: Outcome) => told.push(`decided ${id} ${outcome}`),
    ephemeral: (id) => told.push(`ephemeral ${id}`),
    held: (id) => told.push(`held ${id}`),
    gap: () => told.push('gap'),
    caughtUp: () => told.push('caught up'),
    missed: () => told.push('missed'),
    load: async () => {
      snapshots += 1;
      return Math.min(startPosition + (snapshots - 1) * 1_000, state.xmin);
    },
  };
  const rows: { transaction: number; change: Change }[] = [];
  const state = { xmin: startPosition, xmax: startPosition, trimmedBelow: 0 };
  const follower = new Follower(
    async (from) => {
      const restored = from > state.xmax;
      if (restored || from < state.trimmedBelow) return { gap: true, restored };
      const changes = rows
        .filter(({ transaction }) => transaction >= from && transaction < state.xmin)
        .map(({ change }) => change);
      return { gap: false, changes, position: state.xmin, next: state.xmax, complete: true };
    },
    sink,
    log,
  );
  return { follower, told, rows, state };
}

const added = (id: string, seq: number): Change => ({
  type: 'added',
  id,
  seq,
  transaction: 100,
  createdAt: 1,
  text: `text of ${id}`,
});
const removed = (id: string, seq: number): Change => ({
  type: 'removed',
  id,
  seq,
  transaction: 100,
});

const stored = (
  id: string,
  transaction: number,
  seq: number,
  gone: { id: string; seq: number }[] = [],
): StoredMeta => ({
  id,
  outcome: 'stored',
  acceptedAt: 0,
  trace: 't',
  change: { transaction, seq, removed: gone },
});

describe('Follower', () => {
  it('tells of an event once when the fast lane has it before the log', async () => {
    const { follower, told, rows, state } = follow();
    await follower.catchUp();
    follower.heard(stored('a', 100, 1), 'text');
    rows.push({ transaction: 100, change: added('a', 1) });
    state.xmin = state.xmax = 101;
    await follower.catchUp();
    expect(told.filter((line) => line === 'added a')).toHaveLength(1);
  });

  it('tells of an event once when the log has it before the fast lane', async () => {
    const { follower, told, rows, state } = follow();
    await follower.catchUp();
    rows.push({ transaction: 100, change: added('a', 1) });
    state.xmin = state.xmax = 101;
    await follower.catchUp();
    follower.heard(stored('a', 100, 1), 'text');
    expect(told.filter((line) => line === 'added a')).toHaveLength(1);
  });

  it('tells of what the fast lane never brought', async () => {
    const { follower, told, rows, state } = follow();
    await follower.catchUp();
    rows.push({ transaction: 100, change: added('a', 1) });
    state.xmin = state.xmax = 101;
    await follower.catchUp();
    expect(told).toContain('added a');
    expect(told).toContain('decided a stored');
  });

  it('does not revive a superseded version whose message comes late', async () => {
    const { follower, told } = follow();
    await follower.catchUp();
    follower.heard(stored('new', 101, 2, [{ id: 'old', seq: 3 }]), 'text');
    follower.heard(stored('old', 100, 1), 'text');
    expect(told).toContain('removed old');
    expect(told).not.toContain('added old');
  });

  it('does not revive it either when the message is older than the log has been read', async () => {
    const { follower, told, rows, state } = follow();
    await follower.catchUp();
    rows.push(
      { transaction: 100, change: added('old', 1) },
      { transaction: 101, change: removed('old', 3) },
    );
    state.xmin = state.xmax = 102;
    await follower.catchUp();
    follower.heard(stored('old', 100, 1), 'text');
    expect(told.filter((line) => line === 'added old')).toHaveLength(1);
    expect(told.lastIndexOf('removed old')).toBeGreaterThan(told.lastIndexOf('added old'));
  });

  it('does not revive an event whose removal the log shows before its addition', async () => {
    // Transaction 100 removes what 110 had added and committed; 105, still open, keeps 110 back.
    const { follower, told, rows, state } = follow();
    await follower.catchUp();
    rows.push(
      { transaction: 110, change: added('a', 1) },
      { transaction: 100, change: removed('a', 2) },
    );
    state.xmin = 105;
    state.xmax = 112;
    await follower.catchUp();
    state.xmin = state.xmax = 112;
    await follower.catchUp();
    expect(told).toContain('removed a');
    expect(told).not.toContain('added a');
  });

  it('tells of an event that was deleted and then stored again', async () => {
    const { follower, told } = follow();
    await follower.catchUp();
    follower.heard(stored('a', 100, 1), 'text');
    follower.heard(stored('b', 101, 2, [{ id: 'a', seq: 3 }]), 'text');
    follower.heard(stored('a', 102, 4), 'text');
    expect(told.lastIndexOf('added a')).toBeGreaterThan(told.indexOf('removed a'));
  });

  it('starts over from a snapshot when the log no longer reaches back, and keeps what came since', async () => {
    const { follower, told, state } = follow();
    await follower.catchUp();
    follower.heard(stored('a', 5_000, 9), 'text');
    state.trimmedBelow = 500;
    state.xmin = state.xmax = 1_200;
    await follower.catchUp();
    expect(told).toContain('gap');
    expect(told).toContain('held a');
    expect(told.at(-1)).toBe('caught up');
  });

  it('says that changes were missed when the log no longer reaches back, but not at the start', async () => {
    const { follower, told, state } = follow();
    await follower.catchUp();
    expect(told).not.toContain('missed');
    state.trimmedBelow = 500;
    state.xmin = state.xmax = 1_200;
    await follower.catchUp();
    expect(told).toContain('missed');
  });

  it('keeps an event that was stored again after retention had dropped its time', async () => {
    const { follower, told, rows, state } = follow();
    await follower.catchUp();
    follower.heard(stored('again', 101, 7), 'text');
    follower.heard(stored('before', 100, 3), 'text');
    const dropped: Change = {
      type: 'dropped',
      seq: 5,
      transaction: 100,
      fromSeconds: 0,
      toSeconds: 9,
    };
    rows.push({ transaction: 100, change: dropped });
    state.xmin = state.xmax = 101;
    await follower.catchUp();
    expect(told.indexOf('held again')).toBeGreaterThan(told.indexOf('dropped 0-9'));
    expect(told).not.toContain('held before');
  });

  it('waits for no transaction of a database that was restored to an earlier state', async () => {
    const { follower, told, state } = follow(5_000);
    await follower.catchUp();
    let passed = false;
    follower.whenPassed(() => {
      passed = true;
    });
    state.xmax = 5_010;
    await follower.catchUp();
    expect(passed).toBe(false);
    follower.heard(stored('lost', 9_000, 9), 'text');
    state.xmin = state.xmax = 60;
    // The snapshot of the restored database has a lower position, too.
    await follower.catchUp();
    expect(passed).toBe(true);
    expect(told).not.toContain('held lost');
  });

  it('calls a break mended only by a read that began after it', async () => {
    const { follower, told } = follow();
    await follower.catchUp();
    const reading = follower.catchUp();
    follower.broke();
    await reading;
    expect(told.at(-1)).toBe('gap');
    await follower.catchUp();
    expect(told.at(-1)).toBe('caught up');
  });

  it('calls a break mended only when the log has passed what was open at the next read', async () => {
    const { follower, told, state } = follow();
    await follower.catchUp();
    follower.broke();
    // Something slow holds the log back; 105 has committed and is not read yet.
    state.xmax = 110;
    await follower.catchUp();
    expect(told.at(-1)).toBe('gap');
    state.xmin = state.xmax = 120;
    await follower.catchUp();
    expect(told.at(-1)).toBe('caught up');
  });

  it('calls back when everything that was committed has been told, and not before', async () => {
    const { follower, state } = follow();
    await follower.catchUp();
    let passed = false;
    follower.whenPassed(() => {
      passed = true;
    });
    state.xmin = 105;
    state.xmax = 110;
    await follower.catchUp();
    expect(passed).toBe(false);
    state.xmin = state.xmax = 110;
    await follower.catchUp();
    expect(passed).toBe(true);
  });

  it('goes on from its position after a read that failed', async () => {
    const { follower, told, rows, state } = follow();
    await follower.catchUp();
    rows.push({ transaction: 100, change: added('a', 1) });
    const { xmin } = state;
    Object.defineProperty(state, 'xmin', {
      configurable: true,
      get: () => {
        throw new Error('database away');
      },
    });
    await expect(follower.catchUp()).rejects.toThrow('database away');
    Object.defineProperty(state, 'xmin', { value: xmin + 1 });
    state.xmax = xmin + 1;
    await follower.catchUp();
    expect(told).toContain('added a');
  });

  it('passes ephemeral events and refusals on', () => {
    const { follower, told } = follow();
    follower.heard({ id: 'x', outcome: 'ephemeral', acceptedAt: 0, trace: 't' }, 'text');
    follower.heard({ id: 'y', outcome: 'refused', acceptedAt: 0, trace: 't' }, undefined);
    expect(told).toEqual(['ephemeral x', 'decided y refused']);
  });
});
