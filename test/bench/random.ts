/** Numbers that follow from a seed alone. */
export interface Random {
  /** 0 (inclusive) to 1 (exclusive). */
  next(): number;
  /** A whole number from 0 to `below` - 1. */
  int(below: number): number;
  pick<T>(list: readonly T[]): T;
  /** An index below `below`, low ones more often; `skew` from 0 (even) to below 1. */
  skewed(below: number, skew?: number): number;
  /** A whole number around `median`, at least 1. */
  lognormal(median: number, sigma: number, max: number): number;
  /** `count` different indexes below `below`. */
  sample(below: number, count: number): number[];
}

/** mulberry32: small, fast and the same everywhere. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const int = (below: number): number => Math.floor(next() * below);
  return {
    next,
    int,
    pick: (list) => {
      const value = list[int(list.length)];
      if (value === undefined) throw new Error('nothing to pick from');
      return value;
    },
    skewed: (below, skew = 0.8) =>
      Math.min(below - 1, Math.floor(below * next() ** (1 / (1 - skew)))),
    lognormal: (median, sigma, max) => {
      const u = Math.max(next(), 1e-9);
      const z = Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * next());
      return Math.max(1, Math.min(max, Math.round(median * Math.exp(sigma * z))));
    },
    sample: (below, count) => {
      const chosen = new Set<number>();
      while (chosen.size < Math.min(count, below)) chosen.add(int(below));
      return [...chosen];
    },
  };
}
