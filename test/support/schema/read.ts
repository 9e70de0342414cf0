import type { ClientBase, Pool } from 'pg';

/** A column as those see it who wrote their statements before it changed. */
export interface Column {
  readonly type: string;
  readonly notNull: boolean;
  /** An `insert` that does not name it gets something: a default, an identity, a computed value. */
  readonly filled: boolean;
  /** `always` where an `insert` may not name it. */
  readonly generated: 'no' | 'by default' | 'always';
}

export interface Table {
  /** What it is, and by what it is partitioned. */
  readonly form: string;
  readonly columns: ReadonlyMap<string, Column>;
  /** Definitions by name: constraints, indexes that are unique or not, triggers, rules, policies. */
  readonly constraints: ReadonlyMap<string, string>;
  readonly indexes: ReadonlyMap<string, string>;
  readonly others: ReadonlyMap<string, string>;
  /** The columns that a constraint or an index names; none of those within an expression. */
  readonly reach: ReadonlyMap<string, readonly string[]>;
}

/** A schema as the catalogue of PostgreSQL has it. */
export interface Schema {
  readonly tables: ReadonlyMap<string, Table>;
  /** By name and types of arguments: what it gives. */
  readonly functions: ReadonlyMap<string, string>;
  /** By name: what kind of type, with the words of an enumeration and the checks of a domain. */
  readonly types: ReadonlyMap<string, string>;
  readonly extensions: ReadonlyMap<string, string>;
}

const TABLES = `
  select c.oid, c.relname as name,
      c.relkind::text || coalesce(' ' || pg_get_partkeydef(c.oid), '') ||
        case when c.relkind in ('v', 'm') then ' ' || pg_get_viewdef(c.oid) else '' end ||
        case when c.relrowsecurity then ' row security' else '' end as form
    from pg_class c where c.relnamespace = 'public'::regnamespace
      and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')`;

const COLUMNS = `
  select attrelid as oid, attname as name, format_type(atttypid, atttypmod) ||
        case when collname is null or collname = 'default' then '' else ' ' || collname end as type,
      attnotnull as "notNull",
      atthasdef or attidentity <> '' or attgenerated <> '' as filled,
      case when attgenerated <> '' or attidentity = 'a' then 'always'
        when attidentity = 'd' then 'by default' else 'no' end as generated
    from pg_attribute left join pg_collation on pg_collation.oid = attcollation
    where attnum > 0 and not attisdropped and attrelid = any($1)`;

/** Those of NOT NULL stand among the columns. */
const CONSTRAINTS = `
  select conrelid as oid, conname as name, pg_get_constraintdef(oid) as definition,
      array(select attname::text from pg_attribute
        where attrelid = conrelid and attnum = any(conkey)) as reach
    from pg_constraint where contype <> 'n' and conrelid = any($1)`;

const INDEXES = `
  select indrelid as oid, relname as name, pg_get_indexdef(indexrelid) as definition,
      array(select attname::text from pg_attribute
        where attrelid = indrelid and attnum = any(indkey)) as reach
    from pg_index join pg_class on pg_class.oid = indexrelid where indrelid = any($1)`;

const OTHERS = `
  select tgrelid as oid, tgname as name, pg_get_triggerdef(oid) as definition
    from pg_trigger where not tgisinternal and tgrelid = any($1)
  union all select ev_class, rulename, pg_get_ruledef(oid)
    from pg_rewrite where rulename <> '_RETURN' and ev_class = any($1)
  union all select polrelid, polname, concat_ws(' ', polcmd, polpermissive,
      pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
    from pg_policy where polrelid = any($1)`;

const FUNCTIONS = `
  select p.oid::regprocedure::text as name,
      pg_get_function_result(p.oid) || ' ' || p.prokind::text as definition
    from pg_proc p where pronamespace = 'public'::regnamespace`;

/** Types of tables and arrays leave with what they belong to. */
const TYPES = `
  select typname as name, concat_ws(' ', typtype, case when typtype = 'd'
        then format_type(typbasetype, typtypmod) || case when typnotnull then ' not null' else '' end
      end,
      (select string_agg(quote_literal(enumlabel), ', ' order by enumsortorder)
        from pg_enum where enumtypid = t.oid),
      (select string_agg(pg_get_constraintdef(oid), ', ' order by conname)
        from pg_constraint where contypid = t.oid)) as definition
    from pg_type t where typnamespace = 'public'::regnamespace and typtype in ('e', 'd', 'r')`;

const EXTENSIONS = 'select extname as name, extversion as definition from pg_extension';

interface Named {
  readonly oid: number;
  readonly name: string;
  readonly definition: string;
  readonly reach?: readonly string[];
}

/** Reads what is in the schema `public`. */
export async function readSchema(pool: Pool | ClientBase): Promise<Schema> {
  const tables = (await pool.query<{ oid: number; name: string; form: string }>(TABLES)).rows;
  const oids = tables.map(({ oid }) => oid);
  const ofTables = async (sql: string) =>
    Map.groupBy((await pool.query<Named>(sql, [oids])).rows, ({ oid }) => oid);
  const [constraints, indexes, others] = [
    await ofTables(CONSTRAINTS),
    await ofTables(INDEXES),
    await ofTables(OTHERS),
  ];
  const { rows } = await pool.query<Column & { oid: number; name: string }>(COLUMNS, [oids]);
  const columns = Map.groupBy(rows, ({ oid }) => oid);
  const all = async (sql: string) => definitions((await pool.query<Named>(sql)).rows);
  return {
    tables: new Map(
      tables.map(({ oid, name, form }) => [
        name,
        {
          form,
          columns: new Map(
            columns.get(oid)?.map(({ oid: _, name: column, ...rest }) => [column, rest]),
          ),
          constraints: definitions(constraints.get(oid)),
          indexes: definitions(indexes.get(oid)),
          others: definitions(others.get(oid)),
          reach: new Map(
            [...(indexes.get(oid) ?? []), ...(constraints.get(oid) ?? [])].map(
              ({ name: named, reach = [] }) => [named, reach],
            ),
          ),
        },
      ]),
    ),
    functions: await all(FUNCTIONS),
    types: await all(TYPES),
    extensions: await all(EXTENSIONS),
  };
}

const definitions = (rows: readonly Named[] = []): ReadonlyMap<string, string> =>
  new Map(rows.map(({ name, definition }) => [name, definition]));
