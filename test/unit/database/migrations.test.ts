import { readdirSync } from 'node:fs';

const DIRECTORY = new URL('../../../functions/database/migrations/', import.meta.url);

describe('migrations', () => {
  it('are numbered without a gap: one that came into it later would not run', () => {
    const numbers = readdirSync(DIRECTORY)
      .map((name) => Number(/^(\d{4})_[a-z-]+\.sql$/.exec(name)?.[1]))
      .sort((a, b) => a - b);
    expect(numbers).toEqual(numbers.map((_, n) => n + 1));
  });
});
