/** Numbers, units and times as people read them. */

const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti'];
const DECIMAL = ['', 'k', 'M', 'G', 'T'];

/** A number with few digits; bytes by 1,024, all else by 1,000. */
export function formatNumber(value, unit = '') {
  if (!Number.isFinite(value)) return '–';
  const base = unit.startsWith('By') ? 1024 : 1000;
  const prefixes = base === 1024 ? BINARY : DECIMAL;
  let size = Math.abs(value);
  let index = 0;
  while (size >= (base === 1000 ? 10_000 : 1024) / (index > 0 && base === 1000 ? 10 : 1)) {
    if (index === prefixes.length - 1) break;
    size /= base;
    index += 1;
  }
  return `${value < 0 ? '−' : ''}${digits(size)}${prefixes[index] ? `\u202f${prefixes[index]}` : ''}`;
}

function digits(size) {
  if (size === 0) return '0';
  if (size >= 100 || Number.isInteger(size)) return Math.round(size).toLocaleString('en-GB');
  if (size >= 0.01) return String(Number(size.toPrecision(3)));
  return size.toPrecision(2);
}

/** A unit as Cloud Monitoring writes it, for people: `{event}/s` is events a second. */
export function formatUnit(unit = '') {
  if (unit === '1') return '';
  return unit.replace(/[{}]/g, '').replace(/^By/, 'B').replace('10^2.%', '%');
}

export function formatTime(timeMs, rangeMs) {
  const date = new Date(timeMs);
  const seconds = rangeMs <= 900_000 ? { second: '2-digit' } : {};
  return date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', ...seconds });
}
