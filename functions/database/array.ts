/** A list as PostgreSQL's array literal. Only for values that need no quoting: numbers, keys, hex. */
export const plainArray = (values: Iterable<string | number>): string =>
  `{${[...values].join(',')}}`;
