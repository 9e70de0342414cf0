const UNIT_SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 } as const;

/**
 * Reads a point in time as people write it: Unix seconds (`1700000000`), ISO 8601
 * (`2024-05-01`, `2024-05-01T12:00:00Z`; UTC where no zone is given), or how long ago (`90s`,
 * `15m`, `2h`, `3d`, `1w`). Gives Unix seconds; undefined where it is none of these.
 */
export function parseTime(text: string, nowSeconds: number): number | undefined {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const ago = /^(\d{1,9})([smhdw])$/.exec(text);
  if (ago !== null) {
    const unit = ago[2] as keyof typeof UNIT_SECONDS;
    return Math.max(0, nowSeconds - Number(ago[1]) * UNIT_SECONDS[unit]);
  }
  const iso = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:?\d\d)?)?$/.exec(
    text,
  );
  if (iso === null) return undefined;
  const milliseconds = Date.parse(`${iso[1]}T${iso[2] ?? '00:00:00'}${iso[3] ?? 'Z'}`);
  return Number.isNaN(milliseconds) || milliseconds < 0
    ? undefined
    : Math.floor(milliseconds / 1_000);
}
