import type { Column, Schema, Table } from './read.ts';

type Definitions = ReadonlyMap<string, string>;

/**
 * What of a newer schema code for the older one may fall over, one sentence each: what is gone, what
 * is another thing now, and what refuses rows that were taken before. Additions are none of it.
 */
export function breaking(before: Schema, after: Schema): string[] {
  const found = [...before.tables].flatMap(([name, table]) => {
    const now = after.tables.get(name);
    return now === undefined ? [`table ${name} is gone`] : inTable(name, table, now);
  });
  return [
    ...found,
    ...goneOrOther('function', before.functions, after.functions),
    ...goneOrOther('type', before.types, after.types, isLongerEnumeration),
    ...goneOrOther('extension', before.extensions, after.extensions, () => true),
  ];
}

function inTable(name: string, before: Table, after: Table): string[] {
  return [
    ...(before.form === after.form ? [] : [`table ${name} is another kind: ${after.form}`]),
    ...[...before.columns].flatMap(([column, was]) =>
      inColumn(`column ${name}.${column}`, was, after.columns.get(column)),
    ),
    ...[...after.columns]
      .filter(([column, { notNull, filled }]) => !before.columns.has(column) && notNull && !filled)
      .map(([column]) => `column ${name}.${column} is new and has to be named by every insert`),
    ...goneOrOther(`constraint of ${name}:`, arbiters(before), after.constraints),
    ...newOrOther(name, before, after),
    ...goneOrOther(`index of ${name}:`, before.indexes, after.indexes),
    ...newUnique(name, before, after),
    ...goneOrOther(`trigger, rule or policy of ${name}:`, before.others, after.others),
    ...added(`trigger, rule or policy of ${name}:`, before.others, after.others),
  ];
}

function inColumn(what: string, before: Column, after: Column | undefined): string[] {
  if (after === undefined) return [`${what} is gone`];
  const found: string[] = [];
  if (before.type !== after.type) found.push(`${what} is ${after.type}, was ${before.type}`);
  if (after.notNull && !before.notNull) found.push(`${what} takes no null any more`);
  if (before.filled && !after.filled) found.push(`${what} has no default any more`);
  if (after.generated === 'always' && before.generated !== 'always') {
    found.push(`${what} cannot be written any more`);
  }
  return found;
}

const isUnique = (definition: string): boolean =>
  /^(PRIMARY KEY|UNIQUE|EXCLUDE|CREATE UNIQUE)/.test(definition);

/** What an `on conflict` may name; a check or a foreign key that is gone refuses less. */
const arbiters = ({ constraints }: Table): Definitions =>
  new Map([...constraints].filter(([, definition]) => isUnique(definition)));

function goneOrOther(
  what: string,
  before: Definitions,
  after: Definitions,
  isFine: (was: string, is: string) => boolean = () => false,
): string[] {
  return [...before].flatMap(([name, was]) => {
    const is = after.get(name);
    if (is === undefined) return [`${what} ${name} is gone`];
    return was === is || isFine(was, is) ? [] : [`${what} ${name} is ${is}, was ${was}`];
  });
}

const added = (
  what: string,
  before: Definitions,
  after: Definitions,
  matters: (name: string) => boolean = () => true,
): string[] =>
  [...after.keys()]
    .filter((name) => !before.has(name) && matters(name))
    .map((name) => `${what} ${name} is new`);

/** Each new one may refuse rows; so may one of the same name that says something else. */
function newOrOther(name: string, before: Table, after: Table): string[] {
  const what = `constraint of ${name}:`;
  const others = [...before.constraints].filter(([constraint, was]) => {
    const is = after.constraints.get(constraint);
    return is !== undefined && is !== was && !isUnique(was);
  });
  return [
    ...added(what, before.constraints, after.constraints, touchesOld(before, after)),
    ...others.map(([constraint, was]) => {
      return `${what} ${constraint} is ${after.constraints.get(constraint)}, was ${was}`;
    }),
  ];
}

/** The index of a constraint is told with that. */
function newUnique(name: string, before: Table, after: Table): string[] {
  return [...after.indexes]
    .filter(([index, definition]) => isUnique(definition) && !before.indexes.has(index))
    .filter(([index]) => !after.constraints.has(index) && touchesOld(before, after)(index))
    .map(([index]) => `index of ${name}: ${index} is new and unique`);
}

/** What is about new columns alone refuses nothing of who does not know them. */
const touchesOld =
  (before: Table, after: Table) =>
  (constraint: string): boolean => {
    const reach = after.reach.get(constraint) ?? [];
    return reach.length === 0 || reach.some((column) => before.columns.has(column));
  };

/** Words that are added to the end or in between refuse nothing; none may be gone. */
function isLongerEnumeration(was: string, is: string): boolean {
  if (!was.startsWith('e ') || !is.startsWith('e ')) return false;
  const words = new Set(is.slice(2).split(', '));
  return was
    .slice(2)
    .split(', ')
    .every((word) => words.has(word));
}
