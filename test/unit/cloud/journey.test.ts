import { createHash } from 'node:crypto';
import { Journey } from '../../../functions/cloud/journey.ts';
import { openLog } from '../../../functions/cloud/log.ts';

const idOf = (n: number) => createHash('sha256').update(String(n)).digest('hex');
const ids = Array.from({ length: 10_000 }, (_, n) => idOf(n));

function journeyOf(share: number) {
  const clock = { nowMs: 0 };
  const written: Record<string, unknown>[] = [];
  const log = openLog(
    { level: 'info', format: 'json', component: 'relay', project: 'p' },
    { write: (line) => void written.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const journey = new Journey({ log, share, monotonicMs: () => clock.nowMs });
  return { journey, clock, lines: () => written.splice(0) };
}

describe('a journey', () => {
  it.each([
    [0, 0, 0],
    [1, 10_000, 10_000],
    [0.1, 850, 1_150],
  ])('follows a share of %p of the events', (share, least, most) => {
    const { journey } = journeyOf(share);
    const followed = ids.filter((id) => journey.follows(id)).length;
    expect(followed).toBeGreaterThanOrEqual(least);
    expect(followed).toBeLessThanOrEqual(most);
  });

  it('follows the same events in every part, and more of them with a larger share', () => {
    const [few, many] = [journeyOf(0.1).journey, journeyOf(0.5).journey];
    const followed = ids.filter((id) => few.follows(id));
    expect(followed.every((id) => many.follows(id))).toBe(true);
    expect(followed).toEqual(ids.filter((id) => journeyOf(0.1).journey.follows(id)));
  });

  it('follows no more events with proof of work than others', () => {
    const { journey } = journeyOf(0.1);
    const worked = ids.map((id) => '0'.repeat(16) + id.slice(16));
    expect(worked.filter((id) => journey.follows(id)).length).toBeLessThan(1_150);
  });

  it('writes a line a step, which Cloud Logging groups by the event', () => {
    const { journey, lines } = journeyOf(1);
    journey.step('published', idOf(1), { messageId: '7' });
    expect(lines()).toMatchObject([
      {
        severity: 'INFO',
        message: 'event published',
        'logging.googleapis.com/trace': `projects/p/traces/${idOf(1).slice(0, 32)}`,
        event: idOf(1),
        step: 'published',
        messageId: '7',
      },
    ]);
  });

  it('bounds what a flood writes, and says how much it left out', () => {
    const { journey, clock, lines } = journeyOf(0.001);
    for (const id of ids) journey.refusal('received', id, {});
    expect(lines()).toHaveLength(5);
    // Neither failures of ours nor the steps of followed events are drowned by refusals.
    journey.failure('answered', idOf(1), {});
    journey.step('stored', idOf(1), {});
    expect(lines()).toMatchObject([{ severity: 'WARNING' }, { step: 'stored' }]);
    clock.nowMs += 1_000;
    journey.refusal('received', idOf(2), {});
    expect(lines()).toMatchObject([{ linesLeftOut: 9_995 }, { event: idOf(2) }]);
    // That is said once a minute.
    for (const id of ids) journey.refusal('received', id, {});
    lines();
    clock.nowMs += 1_000;
    journey.step('stored', idOf(3), {});
    expect(lines()).toMatchObject([{ event: idOf(3) }]);
    clock.nowMs += 60_000;
    journey.step('stored', idOf(4), {});
    expect(lines()).toMatchObject([{ linesLeftOut: 9_996 }, { event: idOf(4) }]);
  });
});
