-- Up Migration

-- What the month has cost by the newest notification of Cloud Billing, and what is taken back to
-- stay near its budget. One row, which every instance of the relay and fetch reads.
create table budget (
  only_row boolean primary key default true check (only_row),
  -- All five are null until the first notification.
  cost double precision,
  amount double precision,
  currency text,
  -- When the budget's period began; a later one begins at zero again.
  interval_start timestamptz,
  -- When Cloud Billing published it: they come doubled and out of order.
  published_at timestamptz,
  -- The steps that follow from it by the configuration.
  reckoned text[] not null default '{}',
  -- Those that an operator wants instead; null: none does.
  chosen text[],
  -- What holds.
  steps text[] generated always as (coalesce(chosen, reckoned)) stored
);

insert into budget default values;

-- Every change of what holds, and every word of an operator. Rows are never deleted.
create table budget_changes (
  id integer generated always as identity primary key,
  changed_at timestamptz not null default now(),
  steps text[] not null,
  cause text not null check (cause in ('notification', 'configuration', 'operator')),
  cost double precision,
  amount double precision,
  currency text,
  -- As operators call themselves, and as the database knows who it was.
  by_whom text,
  login text not null default session_user,
  why text not null default ''
);
