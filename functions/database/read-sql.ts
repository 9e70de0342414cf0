import { type Filter, matchesNothing } from '../nostr/filter.ts';
import { plainArray } from './array.ts';
import { eventKey } from './keys.ts';
import { type Driver, probesOf, type Shape, shapeOf, type Tables } from './read-shape.ts';

/** A prepared statement with its values; the name stands for the text. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly (string | number)[];
}

const SECONDS_MAX = '9223372036854775807';
/** Rows that the first look takes of each walk at least: one answers most, a few cost no more. */
const SAMPLE_MIN = 4;
/** More conditions than this get no name, so that the number of named statements is bounded. */
const NAMED_TAGS_MAX = 3;

/** Numbers the values of a statement in the order in which its text mentions them first. */
class Values {
  readonly list: (string | number)[] = [];

  add(value: string | number, type: string): string {
    this.list.push(value);
    return `$${this.list.length}::${type}`;
  }
}

/** What a statement is to give of each event. */
type Wanted = 'text' | 'id';

/** The expression for it. An id stands at a fixed place of the text, see `eventText`. */
const EXPRESSIONS: Readonly<Record<Wanted, (text: string) => string>> = {
  text: (text) => text,
  id: (text) => `substr(${text}, 8, 64)`,
};

interface Context {
  readonly shape: Shape;
  readonly wanted: Wanted;
  /** Only keys above this one are wanted. */
  readonly above: string | undefined;
  readonly since: string;
  readonly until: string;
  readonly kinds: string | undefined;
  readonly authors: string | undefined;
  readonly tags: readonly string[];
}

/**
 * The statement that answers a filter: the texts of the newest `limit` events, in order (with ids:
 * of all events with these ids, unordered and without the filter's other conditions).
 * Undefined where nothing can match.
 *
 * Each value that the filter asks for is one walk along an index that is in the answer's order, so
 * that a walk stops when it has enough. Where there are several walks, a first look takes a few
 * rows of each. The `limit`th newest of these tells how old an event may be at most; only walks
 * that may hold more of that age are then followed to there.
 */
export function buildQuery(filter: Filter, limit: number): Statement | undefined {
  if (matchesNothing(filter) || limit === 0) return undefined;
  if (filter.ids !== undefined) return queryByIds(filter.ids);
  return build(filter, limit, 'text', undefined);
}

/**
 * The same for a filter without ids, but giving `created_at` and the whole id of each event.
 * @param above leaves out all keys up to this one, to go on within a second.
 */
export function buildIdQuery(
  filter: Filter,
  limit: number,
  above: string | undefined,
): Statement | undefined {
  if (matchesNothing(filter) || limit === 0) return undefined;
  return build(filter, limit, 'id', above);
}

function build(
  filter: Filter,
  limit: number,
  wanted: Wanted,
  aboveKey: string | undefined,
): Statement | undefined {
  const values = new Values();
  const since = values.add(filter.since ?? 0, 'bigint');
  const until = values.add(filter.until ?? SECONDS_MAX, 'bigint');
  const shape = shapeOf(filter);
  if (shape === undefined) return undefined;
  const context: Context = {
    shape,
    wanted,
    above: aboveKey === undefined ? undefined : values.add(aboveKey, 'uuid'),
    since,
    until,
    kinds: shape.kinds && values.add(plainArray(shape.kinds), 'int[]'),
    authors: shape.authors && values.add(plainArray(shape.authors), 'uuid[]'),
    tags: shape.tags.map((tags) => values.add(plainArray(tags), 'uuid[]')),
  };
  const many = probesOf(shape.driver) > 1;
  const text = many ? queryMany(context, limit, values) : queryOne(context, limit, values);
  const { tables, driver, kinds, authors, tags } = shape;
  const name = [
    wanted === 'text' ? 'read' : `list${aboveKey === undefined ? '' : '-on'}`,
    tables.join('+'),
    many ? `${driver.by}s` : driver.by,
    kinds ? 'k' : '',
    authors ? 'a' : '',
    tags.length > NAMED_TAGS_MAX ? '' : tags.length,
  ].join(':');
  return { name: tags.length > NAMED_TAGS_MAX ? '' : name, text, values: values.list };
}

/**
 * No condition on time, though it would spare partitions: a generic plan then prefers the index
 * by time, and reads all of it.
 */
function queryByIds(ids: readonly string[]): Statement {
  const values = new Values();
  const keys = values.add(plainArray(ids.map(eventKey)), 'uuid[]');
  const text = `select text from events where key = any(${keys})
    union all select text from kept where key = any(${keys})`;
  return { name: 'read:ids', text, values: values.list };
}

/** One walk: its rows are the answer. */
function queryOne(context: Context, limit: number, values: Values): string {
  const { driver } = context.shape;
  const condition = conditionOf(driver, {
    author: driver.by.startsWith('author') ? values.add(onlyOf(driver, 'authors'), 'uuid') : '',
    kind: driver.by.endsWith('kind') ? values.add(onlyOf(driver, 'kinds'), 'int') : '',
    tag: driver.by === 'tag' ? values.add(onlyOf(driver, 'tags'), 'uuid') : '',
  });
  const max = values.add(limit, 'bigint');
  const { since, wanted } = context;
  const walk = walkOf(context, condition, { since, limit: max, wanted });
  return `select ${wanted === 'text' ? 'wanted' : 'created_at, wanted'} from ${walk} as found`;
}

function onlyOf(driver: Driver, list: 'authors' | 'kinds' | 'tags'): string | number {
  const values = (driver as { [name in typeof list]?: readonly (string | number)[] })[list];
  const only = values?.[0];
  if (only === undefined) throw new Error(`a walk by ${driver.by} has no ${list}`);
  return only;
}

/** Several walks, merged. */
function queryMany(context: Context, limit: number, values: Values): string {
  const { shape, wanted } = context;
  const probes = probesOf(shape.driver);
  const sample = Math.min(limit, Math.max(SAMPLE_MIN, Math.ceil((2 * limit) / probes)));
  const source = sourceOf(shape.driver, values);
  const few = values.add(sample, 'bigint');
  const max = values.add(limit, 'bigint');
  const condition = conditionOf(shape.driver, {
    author: 'probe.author',
    kind: 'probe.kind',
    tag: 'probe.tag',
  });
  const look = walkOf(context, condition, { since: context.since, limit: few });
  const follow = walkOf(context, condition, { since: 'bound.since', limit: max });
  return `
    with probe as materialized (
      select row_number() over () as n, * from ${source}
    ), look as materialized (
      select probe.n, found.created_at, found.key
      from probe cross join lateral ${look} as found
    ), bound as materialized (
      select coalesce((
        select created_at from (select created_at, key from look group by created_at, key) as each
        order by created_at desc, key offset ${max} - 1 limit 1
      ), ${context.since}) as since
    ), busy as materialized (
      select n from look, bound group by n, since
      having count(*) >= ${few} and min(created_at) >= since
    ), newest as materialized (
      select created_at, key from (
        select created_at, key from look
        union all
        select found.created_at, found.key
        from bound cross join busy join probe using (n) cross join lateral ${follow} as found
        where ${few} < ${max}
      ) as every
      group by created_at, key
      order by created_at desc, key limit ${max}
    )
    select ${wanted === 'text' ? '' : 'newest.created_at,'} ${EXPRESSIONS[wanted]('stored.text')}
    from newest cross join lateral (${textOf(shape.tables)}) as stored
    order by newest.created_at desc, newest.key`;
}

/** The values to walk, as a table. */
function sourceOf(driver: Driver, values: Values): string {
  switch (driver.by) {
    case 'time':
      throw new Error('there is one walk by time');
    case 'kind':
      return `unnest(${values.add(plainArray(driver.kinds), 'int[]')}) as k(kind)`;
    case 'author':
      return `unnest(${values.add(plainArray(driver.authors), 'uuid[]')}) as a(author)`;
    case 'author-kind':
      return `unnest(${values.add(plainArray(driver.authors), 'uuid[]')}) as a(author)
        cross join unnest(${values.add(plainArray(driver.kinds), 'int[]')}) as k(kind)`;
    case 'tag':
      return `unnest(${values.add(plainArray(driver.tags), 'uuid[]')}) as t(tag)`;
  }
}

/** The condition of one walk; `e` is the walked table. */
function conditionOf(
  driver: Driver,
  value: { readonly author: string; readonly kind: string; readonly tag: string },
): string {
  switch (driver.by) {
    case 'time':
      return 'true';
    case 'kind':
      return `e.kind = ${value.kind}`;
    case 'author':
      return `e.author = ${value.author}`;
    case 'author-kind':
      return `e.author = ${value.author} and e.kind = ${value.kind}`;
    case 'tag':
      return `e.tag = ${value.tag}`;
  }
}

/** One walk over the tables that matter, newest first, up to `limit` rows. */
function walkOf(
  context: Context,
  condition: string,
  { since, limit, wanted }: { since: string; limit: string; wanted?: Wanted },
): string {
  const give = (text: string): string =>
    wanted === undefined ? '' : `, ${EXPRESSIONS[wanted](text)} as wanted`;
  const arms = context.shape.tables.map((table) => {
    const byTag = context.shape.driver.by === 'tag';
    const walked = byTag ? tagsOf(table) : table;
    const conditions = [
      condition,
      `e.created_at between ${since} and ${context.until}`,
      ...(context.above ? [`e.key > ${context.above}`] : []),
      ...(context.kinds ? [`e.kind = any(${context.kinds})`] : []),
      ...context.tags.map(
        (tags) => `exists (select from ${tagsOf(table)} as t where t.tag = any(${tags})
          and t.created_at = e.created_at and t.key = e.key offset 0)`,
      ),
    ];
    const ofAuthors = (alias: string): string =>
      context.authors ? `and ${alias}.author = any(${context.authors})` : '';
    if (!byTag) {
      return `(select e.created_at, e.key ${give('e.text')} from ${walked} as e
        where ${conditions.join(' and ')} ${ofAuthors('e')}
        order by e.created_at desc, e.key limit ${limit})`;
    }
    // A tag's row has no author and no text. The offset keeps the planner from turning the join
    // round and walking all events.
    const row =
      wanted !== undefined || context.authors
        ? `cross join lateral (select ${wanted === undefined ? '' : 's.text'} from ${table} as s
            where s.created_at = e.created_at and s.key = e.key ${ofAuthors('s')} offset 0) as s`
        : '';
    return `(select e.created_at, e.key ${give('s.text')} from ${walked} as e ${row}
      where ${conditions.join(' and ')}
      order by e.created_at desc, e.key limit ${limit})`;
  });
  if (arms.length === 1) return String(arms[0]);
  return `(select * from (${arms.join(' union all ')}) as arms
    order by created_at desc, key limit ${limit})`;
}

const tagsOf = (table: 'events' | 'kept'): string =>
  table === 'events' ? 'event_tags' : 'kept_tags';

const textOf = (tables: Tables): string =>
  tables
    .map(
      (table) => `select text from ${table} as s
        where s.created_at = newest.created_at and s.key = newest.key`,
    )
    .join(' union all ');
