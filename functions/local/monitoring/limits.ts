/**
 * Every number that bounds something in the local Cloud Monitoring. The first group is Google's
 * own, so that what passes here passes there; the second is ours, for one machine.
 */
export const limits = {
  seriesPerCallMax: 200,
  /** Points of one series may not be closer than this. */
  samplePeriodMsMin: 5_000,
  pastMsMax: 25 * 3_600_000,
  futureMsMax: 5 * 60_000,
  labelsMax: 30,
  labelKeyCharactersMax: 100,
  labelValueBytesMax: 1_024,
  metricTypeCharactersMax: 200,
  filterCharactersMax: 2_048,
  alignmentPeriodMsMin: 60_000,
  /** Metric absence looks at no less than two minutes. */
  absenceMsMin: 120_000,
  bucketsMax: 200,

  /** What is kept: a day and some, so that a chart of a day is full. */
  keptMsMax: 25 * 3_600_000,
  /** Newest points are kept as they came; older ones thinned to one in so long. */
  thinning: [
    { olderThanMs: 15 * 60_000, oneInMs: 60_000 },
    { olderThanMs: 6 * 3_600_000, oneInMs: 300_000 },
  ],
  /** Points that come before a series is thinned again: often enough, and not each time. */
  thinnedEvery: 64,
  /** Some twenty processes write a few hundred series each; those of ended ones stay for a day. */
  seriesMax: 10_000,
  /** About 300 MB if all were distributions. */
  pointsMax: 1_000_000,
  descriptorsMax: 500,
  transportBytesMax: 16_777_216,
  pageSizeMax: 10_000,
  /** Values of one line: a day in steps of ten seconds and some. */
  periodsMax: 10_000,
} as const;
