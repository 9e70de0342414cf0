-- Up Migration

-- When an event was written: Unix time in milliseconds by the database's clock, shortly before the
-- commit; null for what an earlier version wrote. The default is set apart, since a column that is
-- added with a volatile one has every table written anew.
alter table events add column stored_at bigint;
alter table kept add column stored_at bigint;
alter table events
  alter column stored_at set default (extract(epoch from clock_timestamp()) * 1000)::bigint;
alter table kept
  alter column stored_at set default (extract(epoch from clock_timestamp()) * 1000)::bigint;

-- A partition that is being written anew stands outside of its table until it is done.
do $$
declare
  made text;
begin
  for made in select 'events_' || (plan -> 'target' ->> 'name') || '_new' from rewrites loop
    if to_regclass(quote_ident(made)) is not null then
      execute format('alter table %I add column stored_at bigint', made);
    end if;
  end loop;
end
$$;

-- What an operator decided about dead letters: who, when and why. Rows are never deleted.
create table dead_letter_decisions (
  id integer generated always as identity primary key,
  decided_at timestamptz not null default now(),
  action text not null check (action in ('replayed', 'discarded')),
  -- As they call themselves, and as the database knows them.
  by_whom text not null,
  login text not null default session_user,
  why text not null,
  -- What was asked for, and how many letters that were.
  filter jsonb not null,
  letters integer not null default 0
);

-- The event that a letter holds, where it holds a single one that can be read.
alter table dead_letters
  add column event_id text,
  add column kind integer,
  add column author text,
  -- Null while nobody has decided.
  add column decision integer references dead_letter_decisions (id);

create index dead_letters_event on dead_letters (event_id) where event_id is not null;
