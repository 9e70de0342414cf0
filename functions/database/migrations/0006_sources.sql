-- Up Migration

-- Relays that a probe of ours found are candidates, too.
alter table sources drop constraint sources_origin_check;
alter table sources add constraint sources_origin_check
  check (origin in ('configured', 'outbox', 'monitor', 'probe'));

alter table sources
  -- How far into the changes log events were sent there: this row of it and all before, for these
  -- filters (by their keys). Null where nothing was sent yet.
  add column sent_transaction bigint,
  add column sent_seq bigint,
  add column sent_filters text[],
  -- Visits in a row that ended at the same event.
  add column sent_stalled integer not null default 0,
  -- Sums of which a quarantine is judged; older visits count ever less.
  add column recent_events double precision not null default 0,
  add column recent_invalid double precision not null default 0,
  -- Ids that it announced and did not give, and seconds that could not be proved whole: over all
  -- visits, and of the last one.
  add column withheld bigint not null default 0,
  add column suspect bigint not null default 0,
  add column last_withheld integer not null default 0,
  add column last_suspect integer not null default 0,
  -- What a probe found, and when.
  add column probe jsonb,
  add column probed_at timestamptz;

create index sources_unprobed on sources (id) where state = 'paused' and probed_at is null;

-- When a range was made or looked at last, to the day: those that no filter asks for any more leave.
alter table fetch_ranges add column touched_at timestamptz not null default now();

-- What was sent until now was found by its created_at, which left out what was stored late: with
-- the way of the changes log beside it, the past is offered once more.
delete from fetch_ranges where filter_key like 'up:%';
