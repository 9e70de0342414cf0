import { createHash } from 'node:crypto';
import { ItemsBuilder } from '../../../../functions/nostr/negentropy/builder.ts';

const COUNT = 40_000;

function gathered(): ItemsBuilder {
  const builder = new ItemsBuilder();
  for (let n = 0; n < COUNT; n += 1) {
    const id = createHash('sha256').update(String(n)).digest('hex');
    builder.add(1_700_000_000 + Number.parseInt(id.slice(0, 6), 16), id);
  }
  return builder;
}

describe('sealing a set', () => {
  it('pauses every few thousand items, so that nobody waits for the whole of it', () => {
    const steps = gathered().sealing();
    let pauses = 0;
    let last = steps.next();
    for (; last.done !== true; last = steps.next()) pauses += 1;
    // Each item is looked at more than once: when sorted, when taken over, when summed.
    expect(pauses).toBeGreaterThan((3 * COUNT) / 4_096);
    const whole = gathered().seal();
    expect(last.value.size).toBe(COUNT);
    expect(last.value.fingerprint(0, COUNT)).toEqual(whole.fingerprint(0, COUNT));
  });
});
