-- Up Migration

-- A partition that was dropped or emptied of tags and not yet of events, at most one at a time:
-- what was begun is finished, whatever is asked for by then.
-- (rewrites.copied_before is no longer used.)
create table half_drops (
  only_row boolean primary key default true check (only_row),
  name text not null,
  -- First second, and the one after the last; null for the catch-all, which is emptied.
  from_seconds bigint,
  to_seconds bigint,
  -- The events are gone as well; what is left to do is to look for tags without one.
  events_too boolean not null default false
);
