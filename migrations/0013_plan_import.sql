-- Uploads of an existing zoning, on their way to a plan. Whoever brought one sees it,
-- nobody else, for a day; accepting it makes a plan and removes it.

create table plan_import (
  id         uuid primary key,
  account    uuid not null,
  actor      text not null default feed_actor(),
  name       text not null,
  read       jsonb not null check (jsonb_typeof(read) = 'object'),  -- what was found: format, encoding, fields, faults
  created_at timestamptz not null default now(),
  expires_at timestamptz not null default now() + interval '24 hours'
);
create index plan_import_expires on plan_import (expires_at);

-- Shapes are bytes: what is kept as it was read need not be valid.
create table plan_import_row (
  import   uuid not null references plan_import on delete cascade,
  row      int not null,
  props    jsonb not null,
  shape    bytea,                                    -- WKB on the grid; null: the row cannot be used
  original bytea,                                    -- WKB as read, where the shape was mended
  fault    jsonb,
  area_m2  float8 not null default 0,
  primary key (import, row)
);

alter table plan_import enable row level security;
alter table plan_import_row enable row level security;
create policy mine on plan_import using (actor = feed_actor()) with check (actor = feed_actor());
create policy mine on plan_import_row using (exists (select from plan_import i where i.id = import)) with check (exists (select from plan_import i where i.id = import));
revoke update on plan_import, plan_import_row from onemap_app;

-- What nobody accepted within its day goes, whoever brought it.
create function plan_import_sweep() returns int
language plpgsql security definer set search_path = public, pg_temp as $$
declare n int;
begin
  delete from plan_import where expires_at < now();
  get diagnostics n = row_count;
  return n;
end
$$;
revoke execute on function plan_import_sweep() from public;
grant execute on function plan_import_sweep() to onemap_app;
