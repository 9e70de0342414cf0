import { Hiders } from '../../../functions/relay/hiders.ts';
import { unsignedEntry } from '../../support/unsigned.ts';

describe('Hiders', () => {
  it('hold nothing that can hide nothing', () => {
    const hiders = new Hiders();
    hiders.add(unsignedEntry({ kind: 1 }));
    hiders.add(unsignedEntry({ kind: 5 }));
    expect(hiders.size).toBe(0);
  });

  it('let go of what left once no view is open that began before', () => {
    const hiders = new Hiders();
    const entries = [1, 2, 3].map((author) => unsignedEntry({ kind: 0, author }));
    for (const entry of entries) hiders.add(entry);
    const first = hiders.view();
    hiders.remove(entries[0]!.id);
    const second = hiders.view();
    hiders.remove(entries[1]!.id);
    expect(hiders.size).toBe(3);
    first.close();
    expect(hiders.size).toBe(2);
    second.close();
    expect(hiders.size).toBe(1);
  });

  it('parse no event that nothing can hide', () => {
    const hiders = new Hiders();
    hiders.add(unsignedEntry({ kind: 0 }));
    const note = unsignedEntry({ kind: 1, author: 2 });
    const entry = (): never => {
      throw new Error('parsed');
    };
    expect(hiders.hides({ id: note.id, kind: 1, entry })).toBe(false);
  });
});
