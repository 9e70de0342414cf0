import type { Source } from '../../../functions/database/sources.ts';
import { withSourceLimits } from '../../../functions/fetch/piece.ts';

const GIVEN = {
  pieceMs: 45_000,
  eventsMax: 1_000,
  bytesMax: 5_000_000,
  requestsMax: 100,
  overlapSeconds: 600,
  sinceSeconds: 0,
};
const bounded = (limits: Source['limits']) => withSourceLimits(GIVEN, { limits } as Source);

describe('a visit', () => {
  it('is bounded as the configuration says where its source has no limits', () => {
    expect(bounded({})).toEqual(GIVEN);
  });

  it("is bounded by its source's limits where those are lower", () => {
    const own = { secondsMax: 20, eventsMax: 500, bytesMax: 1_000_000, requestsMax: 10 };
    expect(bounded(own)).toEqual({
      ...GIVEN,
      pieceMs: 20_000,
      eventsMax: 500,
      bytesMax: 1_000_000,
      requestsMax: 10,
    });
    const higher = { secondsMax: 200, eventsMax: 5_000, bytesMax: 9_000_000, requestsMax: 900 };
    expect(bounded(higher)).toEqual(GIVEN);
  });
});
