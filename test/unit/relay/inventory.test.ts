import type { ListedId } from '../../../functions/database/ids.ts';
import type { Filter } from '../../../functions/nostr/filter.ts';
import { Inventory } from '../../../functions/relay/inventory.ts';
import { Pending } from '../../../functions/relay/pending.ts';
import { unsignedEntry } from '../../support/unsigned.ts';

const ORIGIN = { trace: 't', source: 'client', keys: [] };
const OPTIONS = { idsMax: 100, signal: new AbortController().signal };
const STORED: ListedId = { createdAt: 1, id: 'a'.repeat(64) };

function pendingWith(...templates: Parameters<typeof unsignedEntry>[0][]): Pending {
  const pending = new Pending(1_000_000);
  for (const template of templates) {
    const entry = unsignedEntry(template);
    pending.begin(
      entry,
      ORIGIN,
      Promise.resolve({ accepted: true, message: '', outcome: 'accepted' }),
      0,
    );
    pending.markDurable(entry.id);
  }
  return pending;
}

async function listed(inventory: Inventory, filter: Filter): Promise<ListedId[]> {
  const all: ListedId[] = [];
  for await (const page of inventory.list(filter, OPTIONS)) all.push(...page);
  return all;
}

describe('the inventory', () => {
  it('has what was accepted and is in no table yet, beside what is stored', async () => {
    const entry = unsignedEntry({ created_at: 50 });
    const inventory = new Inventory(
      pendingWith({ created_at: 50 }, { created_at: 60, kind: 7 }),
      async function* () {
        yield [STORED];
      },
    );
    expect(await listed(inventory, { kinds: [1] })).toEqual([
      { createdAt: 50, id: entry.id },
      STORED,
    ]);
  });

  it('leaves out a pending version that a pending one supersedes', async () => {
    const newer = unsignedEntry({ kind: 0, created_at: 9 });
    const pending = pendingWith({ kind: 0, created_at: 8 }, { kind: 0, created_at: 9 });
    const inventory = new Inventory(pending, async function* () {});
    expect((await listed(inventory, {})).map(({ id }) => id)).toEqual([newer.id]);
  });

  it('asks memory first, so that nothing slips through between the two', async () => {
    const pending = pendingWith({ created_at: 50 });
    const entry = unsignedEntry({ created_at: 50 });
    const inventory = new Inventory(pending, async function* () {
      // The database gets it before it is asked.
      pending.settle(entry.id);
      yield [{ createdAt: 50, id: entry.id }];
    });
    expect((await listed(inventory, {})).map(({ id }) => id)).toEqual([entry.id, entry.id]);
  });

  it('asks nobody where nothing can match', async () => {
    const inventory = new Inventory(pendingWith({}), () => {
      throw new Error('asked');
    });
    expect(await listed(inventory, { kinds: [] })).toEqual([]);
  });
});
