-- Up Migration

-- What happened to the set of stored events, for the relay instances' windows. A sequence of its
-- own, since identity columns of partitioned tables are too young for every PostgreSQL we run on.
create sequence changes_seq as bigint;

create table changes (
  -- Of two changes to one event the higher one holds: rows are written by the last statement of a
  -- transaction, when it has all its row locks.
  seq bigint not null default nextval('changes_seq'),
  -- Readers go by this, below the oldest transaction that still runs: seq has gaps that fill late.
  transaction xid8 not null default pg_current_xact_id(),
  written_at timestamptz not null default now(),
  -- a: added, r: removed, d: retention dropped a range of time
  what "char" not null,
  -- The event's whole id; null for d.
  id text,
  -- Of the event; the first second of the range for d.
  created_at bigint,
  -- Last second of the range for d.
  until bigint,
  -- Of the event; null for d.
  kind integer
) partition by range (written_at);

create index changes_transaction on changes (transaction, seq);

-- Catch-all until upkeep has made days; rows of a catch-all are trimmed with it.
create table changes_before partition of changes for values from (minvalue) to ('2026-01-01');
create table changes_after partition of changes for values from ('2026-01-01') to (maxvalue);

-- One row: transactions below `below` are no longer in the log.
create table changes_trimmed (
  only_row boolean primary key default true check (only_row),
  below xid8 not null
);
insert into changes_trimmed (below) values ('0');
