-- Up Migration

-- The partition that is being written anew, at most one at a time, and how far that has come: a big
-- one takes several runs of upkeep. Without a row there is nothing under way.
create table rewrites (
  only_row boolean primary key default true check (only_row),
  -- What is made of what: target, sources, and the kinds that stay behind.
  plan jsonb not null,
  -- What the sources were at the beginning. When they are something else now, the copy is void.
  sources_were jsonb not null,
  -- The changes log has to be brought over from here.
  position bigint not null,
  phase text not null default 'copy' check (phase in ('copy', 'follow', 'event_tags', 'events')),
  -- Which source table is being copied, and its first page that is not copied yet.
  part integer not null default 0,
  page bigint not null default 0,
  -- No transaction from this one on was seen by the copy; null while it is made.
  copied_before bigint
);
