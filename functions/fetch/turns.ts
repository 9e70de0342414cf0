import { UpstreamFailure } from '../upstream/failure.ts';
import type { FilterPart } from './filter-parts.ts';
import { FILTER_MS_MIN, NEWS_SECONDS, REFUSALS_IN_ROW_MAX, REFUSALS_MAX } from './limits.ts';
import type { RangePorts, RangeWork } from './range-work.ts';
import { missingRanges, type Range } from './ranges.ts';

export interface TurnLimits {
  /** The newest covered seconds are looked at again: some events arrive late. */
  readonly overlapSeconds: number;
  /** Events before this second are not fetched. */
  readonly sinceSeconds: number;
}

export interface TurnPorts extends RangePorts {
  /** From 0 to 1. */
  chance(): number;
}

/** The parts of one source, and how they are fetched. */
export interface Turns {
  readonly sourceId: number;
  readonly parts: readonly FilterPart[];
  readonly ports: TurnPorts;
  readonly limits: TurnLimits;
  readonly work: Pick<RangeWork, 'fetch'>;
  /** On the clock of the ports. */
  readonly endsAtMs: number;
}

/** A part, and what of it is to be fetched now, newest first. */
interface Turn {
  readonly part: FilterPart;
  readonly covered: readonly Range[];
}

/**
 * Fetches every part of a source: first what is new of all of them, then their past. Who has waited
 * longest comes first, by what is covered, so that a visit goes on with the parts that the last one
 * did not reach, and all of them get on together.
 * @returns false where time or another bound ended it before the last part.
 * @throws UpstreamFailure; one that only refuses a part lets the others have their turn before.
 */
export async function takeTurns(turns: Turns): Promise<boolean> {
  const refusals = new Refusals();
  const window = windowOf(turns);
  const [only, ...others] = turns.parts;
  if (only === undefined) return true;
  if (others.length === 0) {
    return fetchPart(turns, only, await missing(turns, only, window), turns.endsAtMs);
  }
  const news = newsFirst(await turnsOf(turns), turns.ports.chance);
  await eachInTurn(turns, news, refusals, ({ part }) => newsOf(turns, part, window));
  const past = pastFirst(await turnsOf(turns), window);
  const willing = past.filter(({ part }) => !refusals.parts.has(part));
  const finished = await eachInTurn(turns, willing, refusals, async ({ covered }) =>
    missingRanges(covered, window),
  );
  refusals.rethrow();
  return finished;
}

async function turnsOf({ parts, ports, sourceId }: Turns): Promise<Turn[]> {
  const keys = parts.map(({ key }) => key);
  const covered = await ports.coveredOf(sourceId, keys);
  return parts.map((part) => ({ part, covered: covered.get(part.key) ?? [] }));
}

const newestOf = ({ covered }: Turn): number => covered.at(-1)?.until ?? -1;

/**
 * Whose newest event could be oldest comes first; those that have nothing yet before all, and in an
 * order by chance, since which of them are refused is not known.
 */
function newsFirst(turns: readonly Turn[], chance: () => number): Turn[] {
  return shuffled(turns, chance).sort((a, b) => newestOf(a) - newestOf(b));
}

/**
 * What to go on with where many were refused: the part that was taken last, then by chance all that
 * ever were, then the others.
 */
function willingFirst(turns: readonly Turn[], chance: () => number): Turn[] {
  const last = turns.reduce((a, b) => (newestOf(b) > newestOf(a) ? b : a));
  const others = shuffled(turns, chance).filter((turn) => turn !== last);
  const wasTaken = ({ covered }: Turn): boolean => covered.length > 0;
  return [last, ...others.filter(wasTaken), ...others.filter((turn) => !wasTaken(turn))];
}

const shuffled = (turns: readonly Turn[], chance: () => number): Turn[] =>
  turns
    .map((turn) => ({ turn, place: chance() }))
    .sort((a, b) => a.place - b.place)
    .map(({ turn }) => turn);

/** Only those that lack something of their past; who has come back least comes first. */
function pastFirst(turns: readonly Turn[], window: Range): Turn[] {
  return turns
    .map((turn) => ({ turn, until: missingRanges(turn.covered, window)[0]?.until }))
    .filter((each): each is { turn: Turn; until: number } => each.until !== undefined)
    .sort((a, b) => b.until - a.until)
    .map(({ turn }) => turn);
}

/** Gives each its share of the time that is left; false where one was not finished. */
async function eachInTurn(
  turns: Turns,
  given: readonly Turn[],
  refusals: Refusals,
  gapsOf: (turn: Turn) => Promise<readonly Range[]>,
): Promise<boolean> {
  let finished = true;
  let waiting = given;
  for (let [turn] = waiting; turn !== undefined; [turn] = waiting) {
    const leftMs = turns.endsAtMs - turns.ports.nowMs();
    if (leftMs <= 0) return false;
    const shareMs = Math.max(FILTER_MS_MIN, leftMs / waiting.length);
    const untilMs = turns.ports.nowMs() + Math.min(leftMs, shareMs);
    waiting = waiting.slice(1);
    try {
      const gaps = await gapsOf(turn);
      const done = await fetchPart(turns, turn.part, gaps, untilMs);
      if (gaps.length > 0) refusals.noteTaken();
      finished &&= done;
    } catch (error) {
      finished = false;
      const many = refusals.note(error, turn.part);
      if (many && waiting.length > 0) waiting = willingFirst(waiting, turns.ports.chance);
    }
  }
  return finished;
}

const fetchPart = (
  { work, ports, sourceId }: Turns,
  { filter, key }: FilterPart,
  gaps: readonly Range[],
  untilMs: number,
): Promise<boolean> =>
  work.fetch(filter, gaps, untilMs, (range) =>
    ports.cover({ source: sourceId, filterKey: key, ...range }),
  );

/** The second that runs is left for the next visit. */
function windowOf({ ports, limits }: Turns): Range {
  return { since: limits.sinceSeconds, until: Math.floor(ports.nowMs() / 1_000) - 1 };
}

/**
 * What is not covered yet, newest first. The newest covered seconds are taken back first: some
 * events arrive late, and a clock that was ahead may have covered what was still to come.
 */
async function missing(
  { ports, limits, sourceId }: Turns,
  { key }: FilterPart,
  window: Range,
): Promise<Range[]> {
  const newest = (await ports.covered(sourceId, key)).at(-1);
  if (newest !== undefined) {
    const since = Math.min(newest.until - limits.overlapSeconds, window.until) + 1;
    const again = { since: Math.max(0, since), until: Number.MAX_SAFE_INTEGER };
    await ports.uncover({ source: sourceId, filterKey: key, ...again });
  }
  return missingRanges(await ports.covered(sourceId, key), window);
}

/** What is newer than all that is covered; of a part that has nothing yet, the newest week. */
async function newsOf(turns: Turns, part: FilterPart, window: Range): Promise<Range[]> {
  const [first] = await missing(turns, part, window);
  // Without a gap up to now there is nothing new.
  if (first === undefined || first.until < window.until) return [];
  if (first.since > window.since) return [first];
  return [{ ...first, since: Math.max(first.since, window.until - NEWS_SECONDS + 1) }];
}

/**
 * A part that is refused must not keep the others from their turns, however many are. But where
 * many are, and then the one that is taken most likely, the relay takes nothing from us.
 */
class Refusals {
  readonly parts = new Set<FilterPart>();
  #first: UpstreamFailure | undefined;
  #taken = false;
  #inRow = 0;

  noteTaken(): void {
    this.#taken = true;
    this.#inRow = 0;
  }

  /** @returns true where it is time to try the one that is taken most likely. */
  note(error: unknown, part: FilterPart): boolean {
    if (!(error instanceof UpstreamFailure) || error.code !== 'refused') throw error;
    this.#first ??= error;
    this.parts.add(part);
    this.#inRow += 1;
    if (this.#inRow > (this.#taken ? REFUSALS_IN_ROW_MAX : REFUSALS_MAX)) throw this.#first;
    return this.parts.size === REFUSALS_MAX;
  }

  rethrow(): void {
    if (this.#first !== undefined) throw this.#first;
  }
}
