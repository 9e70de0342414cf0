-- Up Migration

-- Other relays that events are fetched from or sent to, and how they have done so far. A row is
-- never deleted, since events name it as where they were first seen.
create table sources (
  id integer generated always as identity primary key,
  -- As URL writes it, so that one relay is one row.
  url text not null unique,
  origin text not null check (origin in ('configured', 'outbox', 'monitor')),
  direction text not null default 'down' check (direction in ('down', 'up', 'both')),
  state text not null default 'active'
    check (state in ('active', 'paused', 'quarantined', 'removed')),
  -- Why it is paused or quarantined.
  reason text,
  -- NIP-01 filters without since, until and limit.
  filters jsonb not null default '[{}]',
  limits jsonb not null default '{}',
  -- Whether we log in there (NIP-42) where it asks.
  auth boolean not null default false,
  requests bigint not null default 0,
  new_events bigint not null default 0,
  events bigint not null default 0,
  bytes bigint not null default 0,
  invalid bigint not null default 0,
  successes bigint not null default 0,
  failures bigint not null default 0,
  failures_in_row integer not null default 0,
  -- Moving averages, of which the next visit is reckoned: new events a request, share of successes.
  new_per_request double precision not null default 0,
  uptime double precision not null default 1,
  last_success_at timestamptz,
  last_failure_at timestamptz,
  last_failure text,
  next_at timestamptz not null default now(),
  -- When an operator asked for a figure of its coverage.
  measure_asked_at timestamptz,
  -- Whether it speaks NIP-77; null where that is not known.
  nip77 boolean,
  -- Its NIP-11 document, as far as we use it.
  information jsonb,
  created_at timestamptz not null default now()
);

create index sources_due on sources (next_at, id) where state = 'active';

-- Which seconds of an upstream's events we have, for a filter: ranges with both ends in, disjoint
-- and merged where they touch.
create table fetch_ranges (
  source integer not null references sources (id),
  -- SHA-256 of the filter's canonical JSON.
  filter_key text not null,
  since bigint not null,
  until bigint not null,
  primary key (source, filter_key, since),
  check (since <= until)
);

-- How many of an upstream's events we hold, each time it was measured.
create table fetch_coverage (
  source integer not null references sources (id),
  filter_key text not null,
  measured_at timestamptz not null default now(),
  theirs bigint not null,
  held bigint not null,
  method text not null check (method in ('negentropy', 'sampled')),
  -- First and last second of what was measured.
  since bigint not null,
  until bigint not null
);

create index fetch_coverage_series on fetch_coverage (source, filter_key, measured_at desc);

-- Where an event was first seen (a source; null for a client) and when we took it (Unix time in
-- milliseconds; null for what an earlier version wrote). Null columns cost a bit each, and adding
-- them rewrites nothing.
alter table events add column seen_from integer, add column seen_at bigint;
alter table kept add column seen_from integer, add column seen_at bigint;
