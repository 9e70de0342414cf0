-- Up Migration

-- Compact keys. `key` is the first 16 bytes of the event's id and `author` the first 16 bytes of
-- the public key, as uuid: they sort like the hex they come from, so ties of `created_at` come out
-- in the order NIP-01 wants, and an index entry holds 16 bytes instead of 65. The whole id stands
-- in the text. `tag` is the first 16 bytes of the SHA-256 of letter and value, `d` the same of the
-- d tag, so that no value is too long for an index. infra/decisions/ has the collision argument.

-- Regular events. No DEFAULT partition: it would disable ordered scans. Two catch-all ranges
-- instead; partitions.ts splits months off them.
create table events (
  created_at bigint not null,
  key uuid not null,
  author uuid not null,
  kind integer not null,
  text text not null
) partition by range (created_at);

create table events_before partition of events for values from (minvalue) to (1577836800);
create table events_after partition of events for values from (1577836800) to (maxvalue);

-- The id commits to created_at, so uniqueness inside a partition is uniqueness.
create unique index events_time on events (created_at desc, key);
create index events_key on events (key);
create index events_author on events (author, created_at desc, key);
create index events_author_kind on events (author, kind, created_at desc, key);
create index events_kind on events (kind, created_at desc, key);

create table event_tags (
  tag uuid not null,
  created_at bigint not null,
  key uuid not null,
  kind integer not null
) partition by range (created_at);

create table event_tags_before partition of event_tags for values from (minvalue) to (1577836800);
create table event_tags_after partition of event_tags for values from (1577836800) to (maxvalue);

create index event_tags_tag on event_tags (tag, created_at desc, key) include (kind);

-- Replaceable and addressable events, and kinds 5 and 62 (their `d` is their own key): what must
-- not age out. One row an address.
create table kept (
  created_at bigint not null,
  key uuid not null,
  author uuid not null,
  kind integer not null,
  d uuid not null,
  -- Whole id of the version that this one replaced, null for a first one. An upsert cannot return
  -- the row it overwrote, and reading that row before would miss a concurrent writer's.
  replaced text,
  text text not null
);

create unique index kept_address on kept (author, kind, d);
create index kept_time on kept (created_at desc, key);
create index kept_key on kept (key);
create index kept_author on kept (author, created_at desc, key);
create index kept_author_kind on kept (author, kind, created_at desc, key);
create index kept_kind on kept (kind, created_at desc, key);

create table kept_tags (
  tag uuid not null,
  created_at bigint not null,
  key uuid not null,
  kind integer not null
);

create index kept_tags_tag on kept_tags (tag, created_at desc, key) include (kind);
-- A new version removes the tags of the old one by its key.
create index kept_tags_key on kept_tags (key);

-- Versions churn, so these two are vacuumed earlier than others.
alter table kept set (autovacuum_vacuum_scale_factor = 0.05);
alter table kept_tags set (autovacuum_vacuum_scale_factor = 0.05);

-- NIP-09. Holds also for events that come later. A stranger's row blocks nobody, since the author
-- of the request is part of the key.
create table deleted_ids (
  key uuid not null,
  author uuid not null,
  primary key (key, author)
);

-- Blocks every version at the address that is not newer than (created_at, key), where of two in
-- one second the lower key is the newer version. The zero key blocks the whole second.
create table deleted_addresses (
  author uuid not null,
  kind integer not null,
  d uuid not null,
  created_at bigint not null,
  key uuid not null,
  primary key (author, kind, d)
);

do $$
begin
  alter table events alter column text set compression lz4;
  alter table events_before alter column text set compression lz4;
  alter table events_after alter column text set compression lz4;
  alter table kept alter column text set compression lz4;
exception when feature_not_supported or invalid_parameter_value then
  raise notice 'this build has no lz4, texts are compressed with pglz';
end
$$;
