-- Up Migration

-- Who may do a piece of scheduled work until when: schedulers call at least once, and two calls
-- must not do the same work side by side.
create table leases (
  name text primary key,
  holder text not null,
  until timestamptz not null
);

-- Subscriptions of relay instances to `stored`, and when the instance was last heard of. What
-- falls silent is swept, since an orphan gathers (and costs) what nobody reads.
create table relay_instances (
  subscription text primary key,
  seen_at timestamptz not null default now()
);

-- Messages that can never be stored, as they came, for people to look at.
create table dead_letters (
  message_id text primary key,
  buried_at timestamptz not null default now(),
  reason text not null,
  sqlstate text,
  attributes jsonb not null,
  data bytea not null
);

create index dead_letters_buried_at on dead_letters (buried_at desc);
