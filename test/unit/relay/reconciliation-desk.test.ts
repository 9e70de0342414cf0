import { ReconciliationDesk } from '../../../functions/relay/reconciliation-desk.ts';

/** Work that lasts until it is told to end. */
function held() {
  let end = () => {};
  const over = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { end, work: () => over };
}

const never = new AbortController().signal;

describe('the desk that all sessions share', () => {
  it('gives room until there is none, and again what was given back', () => {
    const desk = new ReconciliationDesk(10);
    expect([desk.take(6), desk.take(5), desk.take(4)]).toEqual([true, false, true]);
    desk.give(6);
    expect(desk.items).toBe(4);
    expect(desk.take(6)).toBe(true);
  });

  it('lets two gather at once and the others in the order of asking', async () => {
    const desk = new ReconciliationDesk(1);
    const begun: number[] = [];
    const works = [0, 1, 2, 3].map(() => held());
    const done = works.map(({ work }, n) =>
      desk.gather(() => {
        begun.push(n);
        return work();
      }, never),
    );
    await desk.turn();
    expect(begun).toEqual([0, 1]);
    works[1]!.end();
    await done[1];
    await desk.turn();
    expect(begun).toEqual([0, 1, 2]);
    for (const { end } of works) end();
    await Promise.all(done);
    expect(begun).toEqual([0, 1, 2, 3]);
  });

  it('forgets who gives up, and goes on after work that fails', async () => {
    const desk = new ReconciliationDesk(1);
    const works = [held(), held()];
    const done = works.map(({ work }) => desk.gather(work, never));
    const abort = new AbortController();
    const impatient = desk.gather(() => Promise.resolve('done'), abort.signal);
    const patient = desk.gather(() => Promise.reject(new Error('failed')), never);
    const last = desk.gather(() => Promise.resolve('last'), never);
    abort.abort(new Error('enough'));
    await expect(impatient).rejects.toThrow('enough');
    const failed = expect(patient).rejects.toThrow('failed');
    for (const { end } of works) end();
    await failed;
    expect(await last).toBe('last');
    await Promise.all(done);
    expect(await desk.gather(() => Promise.resolve('next'), never)).toBe('next');
  });

  it('gives one who asks its turn in each turn of the event loop', async () => {
    const desk = new ReconciliationDesk(1);
    const turns: string[] = [];
    const mine = [1, 2, 3].map((n) => desk.turn().then(() => turns.push(`turn ${n}`)));
    const tick = () => new Promise<void>((resolve) => setImmediate(resolve));
    for (let n = 0; n < 6; n += 1) {
      turns.push('other');
      await tick();
    }
    await Promise.all(mine);
    const last = turns.lastIndexOf('turn 3');
    expect(turns.slice(0, last).filter((one) => one === 'other').length).toBeGreaterThanOrEqual(3);
  });
});
