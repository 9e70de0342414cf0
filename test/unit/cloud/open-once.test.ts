import { openOnce } from '../../../functions/cloud/open-once.ts';

describe('openOnce', () => {
  it('opens at the first call and shares what was opened', async () => {
    let opened = 0;
    const get = openOnce(async () => {
      opened += 1;
      return opened;
    });
    expect(opened).toBe(0);
    expect(await Promise.all([get(), get()])).toEqual([1, 1]);
    expect(await get()).toBe(1);
  });

  it('tries again after a failure', async () => {
    let tries = 0;
    const get = openOnce(async () => {
      tries += 1;
      if (tries === 1) throw new Error('away');
      return tries;
    });
    await expect(get()).rejects.toThrow('away');
    expect(await get()).toBe(2);
  });
});
