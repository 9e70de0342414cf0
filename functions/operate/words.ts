/** Numbers and times as people read them. */

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const;

/** A length of time in its largest unit: `3d`, `20m`, `0s`. */
export function duration(ms: number): string {
  const [unit, size] = UNITS.find(([, least]) => ms >= least) ?? UNITS[3];
  return `${Math.floor(ms / size)}${unit}`;
}

/** How long ago or ahead a moment is; a dash where there is none. */
export function distance(moment: Date | undefined, nowMs: number): string {
  if (moment === undefined) return '–';
  const ahead = moment.getTime() - nowMs;
  if (ahead > 0) return `in ${duration(ahead)}`;
  return `${duration(-ahead)} ago`;
}

/** A share in percent, rounded down, so that 100 % means all; a dash where there is nothing. */
export function percent(part: number, whole: number): string {
  if (whole === 0) return '–';
  return `${(Math.floor((part / whole) * 1_000) / 10).toFixed(1)} %`;
}

/** Unix seconds as a day and time of day in UTC; as the number where no calendar reaches. */
export function moment(seconds: number): string {
  const date = new Date(seconds * 1_000);
  if (Number.isNaN(date.getTime())) return String(seconds);
  return date.toISOString().replace('T', ' ').slice(0, -5);
}

/** A whole number with spaces between thousands. */
export const grouped = (value: number): string =>
  String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ' ');
