import { DEAD_FAILURES } from '../../../functions/fetch/schedule-source.ts';
import { countStandings, summarizeCoverage } from '../../../functions/fetch/standing.ts';

const source = (state: 'active' | 'paused' | 'quarantined' | 'removed', failuresInRow = 0) => ({
  state,
  standing: { newPerRequest: 0, uptime: 1, failuresInRow },
});
const measured = (theirs: number, held: number) => ({ source: 1, filterKey: 'k', theirs, held });

describe('the standing of sources', () => {
  it('tells those that fail from those that are dead, and leaves out the removed', () => {
    const sources = [
      source('active'),
      source('active', 1),
      source('active', DEAD_FAILURES - 1),
      source('active', DEAD_FAILURES),
      source('paused', 3),
      source('quarantined'),
      source('removed'),
    ];
    expect(countStandings(sources)).toEqual({
      active: 1,
      failing: 2,
      dead: 1,
      paused: 1,
      quarantined: 1,
    });
  });
});

describe('the summary of coverage', () => {
  it('is the lowest share, and the share of all events together', () => {
    const summary = summarizeCoverage([measured(100, 50), measured(900, 900)]);
    expect(summary).toEqual({ lowest: 0.5, together: 0.95 });
  });

  it('is not pulled down by a source that has nothing', () => {
    expect(summarizeCoverage([measured(0, 0), measured(10, 9)])).toEqual({
      lowest: 0.9,
      together: 0.9,
    });
  });

  it('says nothing where nothing was measured', () => {
    expect(summarizeCoverage([])).toBeUndefined();
    expect(summarizeCoverage([measured(0, 0)])).toBeUndefined();
  });
});
