import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLog } from '../../../../functions/cloud/log.ts';
import { Backlog } from '../../../../functions/local/pubsub/backlog.ts';
import { Commits } from '../../../../functions/local/pubsub/commits.ts';
import { limits } from '../../../../functions/local/pubsub/limits.ts';
import type { Message } from '../../../../functions/local/pubsub/message.ts';
import { Storage } from '../../../../functions/local/pubsub/storage.ts';

const log = openLog({ level: 'error', format: 'json', component: 'test' }, { write: () => true });

function message(id: number, size = 10): Message {
  const data = Buffer.alloc(size, id % 256);
  return { id, data, attributes: { id: `${id}` }, orderingKey: '', bytes: size };
}

const range = (first: number, count: number): Message[] =>
  Array.from({ length: count }, (_, n) => message(first + n));

describe.each(['disk', 'memory'])('a backlog on %s', (place) => {
  let folder: string;
  let storage: Storage;
  let commits: Commits | undefined;
  let backlog: Backlog;

  const open = () => {
    storage = new Storage(join(folder, 'backlog.sqlite'), { durable: place === 'disk' });
    commits = place === 'disk' ? new Commits(storage, log) : undefined;
    backlog = new Backlog({ subscription: 1, storage, commits });
  };
  const close = () => {
    commits?.flush();
    storage.close();
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'distrise-backlog-'));
    open();
  });
  afterEach(() => {
    close();
    rmSync(folder, { recursive: true });
  });

  /** Brings messages in as a publish does: first on disk, if that is the place. */
  function publish(messages: readonly Message[]): void {
    const done = () => backlog.offer(messages);
    if (commits === undefined) {
      done();
      return;
    }
    commits.append(
      messages.map((one) => ({ subscription: 1, message: one })),
      done,
    );
    commits.flush();
  }

  function take(count: number): number[] {
    const ids: number[] = [];
    while (ids.length < count) {
      const next = backlog.next();
      if (next === undefined) break;
      expect(next.message.attributes['id']).toBe(`${next.entry.id}`);
      ids.push(next.entry.id);
      backlog.finish(next.entry);
    }
    return ids;
  }

  const ids = (messages: readonly Message[]) => messages.map(({ id }) => id);

  it('gives messages in their order, each once, also far beyond the window', () => {
    const all = range(1, limits.windowMessagesMax * 3 + 7);
    publish(all.slice(0, 5_000));
    publish(all.slice(5_000));
    expect(take(all.length + 1)).toEqual(ids(all));
  });

  it('keeps the order while messages come and go around the edge of the window', () => {
    const expected: number[] = [];
    const got: number[] = [];
    let id = 1;
    for (let turn = 0; turn < 60; turn += 1) {
      const messages = range(id, 150 + ((turn * 37) % 100));
      id += messages.length;
      expected.push(...ids(messages));
      publish(messages);
      got.push(...take((turn * 53) % 200));
    }
    got.push(...take(Number.MAX_SAFE_INTEGER));
    expect(got).toEqual(expected);
  });

  it('holds no more than its window in memory', () => {
    publish(range(1, limits.windowMessagesMax * 3));
    take(1);
    expect(backlog.find(limits.windowMessagesMax)).toBeDefined();
    expect(backlog.find(limits.windowMessagesMax + 1)).toBeUndefined();
  });

  it('bounds its window in bytes too', () => {
    const all = Array.from({ length: 24 }, (_, n) => message(n + 1, 1_000_000));
    publish(all);
    take(1);
    expect(backlog.find(24)).toBeUndefined();
    expect(take(25)).toEqual(ids(all).slice(1));
  });

  it('gives an entry that was put back again, with its content', () => {
    publish(range(1, 3));
    const first = backlog.next();
    expect(first?.entry.id).toBe(1);
    if (first !== undefined) backlog.putBack(first.entry);
    expect(take(4)).toEqual([2, 3, 1]);
  });

  it('gives nothing that was finished while it was ready', () => {
    publish(range(1, 3));
    const second = backlog.next();
    if (second !== undefined) backlog.putBack(second.entry);
    const ready = backlog.find(2);
    if (ready !== undefined) backlog.finish(ready);
    expect(take(4)).toEqual([3, 1]);
  });

  it('drops what is older than asked', () => {
    publish(range(1, 10));
    backlog.dropBelow(8);
    expect(take(10)).toEqual([8, 9, 10]);
  });

  const itOnDisk = place === 'disk' ? it : it.skip;

  itOnDisk('gives after a reopening what was not finished, in order', () => {
    publish(range(1, 5_000));
    take(1_234);
    close();
    open();
    expect(take(10_000)).toEqual(ids(range(1_235, 5_000 - 1_234)));
  });

  itOnDisk('takes an acknowledgement for what it has not loaded yet', () => {
    publish(range(1, 5));
    close();
    open();
    backlog.finishUnseen(3);
    expect(take(5)).toEqual([1, 2, 4, 5]);
  });

  itOnDisk('keeps the count of attempts', () => {
    publish(range(1, 1));
    const next = backlog.next();
    if (next === undefined) throw new Error('nothing there');
    next.entry.attempts = 7;
    backlog.noteAttempts(next.entry);
    close();
    open();
    expect(backlog.next()?.entry.attempts).toBe(7);
  });

  itOnDisk('reports a commit that failed to its publisher, and goes on', () => {
    publish(range(1, 1));
    const failures: unknown[] = [];
    const append = (one: Message) =>
      commits?.append([{ subscription: 1, message: one }], (error) => failures.push(error));
    // The second message 1 breaks the unique key, and with it the whole commit.
    append(message(2));
    append(message(1));
    commits?.flush();
    const constraint = expect.objectContaining({ errstr: 'constraint failed' }) as unknown;
    expect(failures).toEqual([constraint, constraint]);
    publish(range(3, 1));
    expect(take(5)).toEqual([1, 3]);
  });
});
