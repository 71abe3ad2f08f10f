-- Relief as the command centre needs it: who has a place in a shelter and who is there,
-- where the teams are and where they were sent, what the stores hold.
--
-- shelter_reservations, shelter_checkins, dispatches, stock and stock_moves are records as
-- those of the field are: scopes, a feed of their own, the floor of 0017. The shelter, the
-- team and the road block themselves stay layer rows, so that the map moves with them.

-- 避难场所 -----------------------------------------------------------------------------------

-- What is promised and has not arrived. It never rises beyond what is free: two desks that
-- promise the last bed at once are one promise and one refusal. People who are there are
-- counted however many they are.
alter table shelters add column reserved integer not null default 0 check (reserved >= 0);
select layer_install('shelters');
insert into layer_field (layer, name, type, title_zh, title_en, unit, in_tile, in_filter, sort)
select 'shelters', 'reserved', 'integer', '已预留人数', 'Reserved', '人', true, true, max(sort) + 1 from layer_field where layer = 'shelters';

create function shelter_room() returns trigger
language plpgsql as $$
begin
  if new.reserved > old.reserved and coalesce(new.capacity, 0) < coalesce(new.occupancy, 0) + new.reserved then
    raise exception using errcode = 'OM027', message = format('shelter %s: no more than it holds', new.id);
  end if;
  return new;
end
$$;
create trigger room before update on shelters for each row execute function shelter_room();

create table shelter_reservations (
  id          uuid primary key,
  dataset     uuid references dataset,
  shelter     uuid not null,
  n           integer not null check (n between 1 and 100000),
  arrived     integer not null default 0 check (arrived >= 0),
  party       text not null check (length(btrim(party)) between 1 and 200),  -- whom for: a village, a group; no names of people
  state       text not null default 'held' check (state in ('held', 'released', 'expired', 'filled')),
  until       timestamptz not null,
  ended_at    timestamptz,
  ended_by    text,
  geom        geometry(Geometry,4490) check (geom_ok(geom)),
  scope       int8range not null check (not isempty(scope)),
  scopes      int8multirange not null generated always as (int8multirange(scope)) stored,
  account     uuid,
  actor       text not null default feed_actor(),
  name        text not null default '',
  version     bigint not null default 1,
  created_at  timestamptz not null default clock_timestamp(),
  updated_at  timestamptz not null default clock_timestamp(),
  updated_by  text not null default feed_actor(),
  check (arrived <= n),
  check ((state = 'held') = (ended_at is null))
);
comment on table shelter_reservations is '避难场所床位预留';
create index shelter_reservations_shelter on shelter_reservations (shelter) where state = 'held';
select field_install('shelter_reservations');
select field_policies('shelter_reservations', 'coalesce(scope && current_setting(''app.read'')::int8multirange, false)',
  'coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)', 'coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)');

-- Nothing of what was written down once is changed: a mistake is put right by another line.
create function append_only() returns trigger
language plpgsql as $$
begin
  raise exception using errcode = '55000', message = format('%s: what was written stays', tg_table_name);
end
$$;

create table shelter_checkins (
  id          uuid primary key,                      -- the op_id: sent twice, counted once
  dataset     uuid references dataset,
  shelter     uuid not null,
  reservation uuid,
  in_n        integer not null default 0 check (in_n between 0 and 100000),
  out_n       integer not null default 0 check (out_n between 0 and 100000),
  party       text check (length(party) <= 200),
  at          timestamptz not null,                  -- as its writer says
  after       integer not null check (after >= 0),   -- how many were there then
  geom        geometry(Geometry,4490) check (geom_ok(geom)),
  scope       int8range not null check (not isempty(scope)),
  scopes      int8multirange not null generated always as (int8multirange(scope)) stored,
  account     uuid,
  actor       text not null default feed_actor(),
  name        text not null default '',
  version     bigint not null default 1,
  created_at  timestamptz not null default clock_timestamp(),
  updated_at  timestamptz not null default clock_timestamp(),
  updated_by  text not null default feed_actor(),
  check (in_n + out_n > 0)
);
comment on table shelter_checkins is '避难场所入住与离开登记';
create index shelter_checkins_shelter on shelter_checkins (shelter, created_at desc);
select field_install('shelter_checkins');
select field_policies('shelter_checkins', 'coalesce(scope && current_setting(''app.read'')::int8multirange, false)',
  'coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)', 'false');
create trigger append_only before update on shelter_checkins for each row execute function append_only();

-- 队伍 ---------------------------------------------------------------------------------------

-- Where a team was. The team's own row moves with the newest; what arrives late is kept
-- here and moves nothing. It does not go to the feed: the team does.
create table team_positions (
  team        uuid not null,
  at          timestamptz not null,
  dataset     uuid references dataset,
  geom        geometry(Point,4490) not null check (geom_ok(geom)),
  accuracy_m  float8 check (accuracy_m >= 0 and accuracy_m < 'infinity'),
  state       text check (length(state) <= 32),
  scope       int8range not null check (not isempty(scope)),
  actor       text not null default feed_actor(),
  received_at timestamptz not null default clock_timestamp(),
  primary key (team, at)
);
comment on table team_positions is '队伍位置轨迹';
alter table team_positions enable row level security;
alter table team_positions force row level security;
select field_policies('team_positions', 'coalesce(scope && current_setting(''app.read'')::int8multirange, false)',
  'coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)', 'false');

create table dispatches (
  id              uuid primary key,
  dataset         uuid references dataset,
  team            uuid,
  warehouse       uuid,
  source          text not null check (length(source) between 1 and 200),   -- the name of whom or what is sent
  incident        uuid,
  task            text not null check (length(btrim(task)) between 1 and 500),
  place           text check (length(place) <= 500),
  items           jsonb not null default '[]' check (jsonb_typeof(items) = 'array'),
  state           text not null default 'sent' check (state in ('sent', 'acknowledged', 'departed', 'arrived', 'returned', 'cancelled')),
  exercise        boolean not null default false,
  sent_at         timestamptz not null default clock_timestamp(),
  due_at          timestamptz not null,              -- acknowledged by then
  acknowledged_at timestamptz,
  acknowledged_by text,
  departed_at     timestamptz,
  arrived_at      timestamptz,
  ended_at        timestamptz,
  note            text check (length(note) <= 2000),
  geom            geometry(Geometry,4490) check (geom_ok(geom)),            -- where to
  scope           int8range not null check (not isempty(scope)),            -- of the team or store
  target          int8range check (not isempty(target)),
  scopes          int8multirange not null generated always as (int8multirange(scope, coalesce(target, scope))) stored,
  account         uuid,
  actor           text not null default feed_actor(),
  name            text not null default '',
  version         bigint not null default 1,
  created_at      timestamptz not null default clock_timestamp(),
  updated_at      timestamptz not null default clock_timestamp(),
  updated_by      text not null default feed_actor(),
  check ((team is null) <> (warehouse is null)),
  check (state not in ('acknowledged', 'departed', 'arrived') or acknowledged_at is not null),
  check ((state in ('returned', 'cancelled')) = (ended_at is not null))
);
comment on table dispatches is '调度:队伍与物资';
-- A team is in one place.
create unique index dispatches_team on dispatches (team) where state in ('sent', 'acknowledged', 'departed', 'arrived');
create index dispatches_incident on dispatches (incident);
create index dispatches_sent on dispatches (sent_at desc, id);
select field_install('dispatches');
select field_policies('dispatches', 'coalesce(scopes && current_setting(''app.read'')::int8multirange, false)',
  'coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)', 'coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)');

-- A step is taken once and not gone back.
create function dispatch_steps() returns trigger
language plpgsql as $$
begin
  if new.state <> old.state and not (old.state || '>' || new.state) = any (array['sent>acknowledged', 'sent>cancelled', 'acknowledged>departed', 'acknowledged>cancelled',
     'departed>arrived', 'departed>returned', 'departed>cancelled', 'arrived>returned']) then
    raise exception using errcode = '55000', message = format('dispatch: %s cannot follow %s', new.state, old.state);
  end if;
  if (new.team, new.warehouse, new.incident, new.items, new.exercise, new.scope) is distinct from (old.team, old.warehouse, old.incident, old.items, old.exercise, old.scope) then
    raise exception using errcode = '55000', message = 'dispatch: what was sent stays';
  end if;
  return new;
end
$$;
create trigger steps before update on dispatches for each row execute function dispatch_steps();

-- 物资 ---------------------------------------------------------------------------------------

-- What lies in a store now. It is never below zero, and it changes by moves alone.
create table stock (
  id          uuid primary key default uuid_v7(),
  dataset     uuid references dataset,
  warehouse   uuid not null,
  item        text not null check (length(btrim(item)) between 1 and 100),
  unit        text not null check (length(btrim(unit)) between 1 and 20),
  qty         numeric(14,3) not null check (qty >= 0),
  rotate_on   date,                                  -- 轮换日期
  geom        geometry(Geometry,4490) check (geom_ok(geom)),
  scope       int8range not null check (not isempty(scope)),
  scopes      int8multirange not null generated always as (int8multirange(scope)) stored,
  account     uuid,
  actor       text not null default feed_actor(),
  name        text not null default '',
  version     bigint not null default 1,
  created_at  timestamptz not null default clock_timestamp(),
  updated_at  timestamptz not null default clock_timestamp(),
  updated_by  text not null default feed_actor(),
  unique (warehouse, item, unit)
);
comment on table stock is '物资库存';
select field_install('stock');
select field_policies('stock', 'coalesce(scope && current_setting(''app.read'')::int8multirange, false)',
  'coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)', 'coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)');

create table stock_moves (
  id          uuid primary key,                      -- the op_id
  dataset     uuid references dataset,
  warehouse   uuid not null,
  item        text not null,
  unit        text not null,
  qty         numeric(14,3) not null check (qty <> 0),
  after       numeric(14,3) not null check (after >= 0),
  reason      text not null check (length(btrim(reason)) between 1 and 500),
  dispatch    uuid,
  geom        geometry(Geometry,4490) check (geom_ok(geom)),
  scope       int8range not null check (not isempty(scope)),
  scopes      int8multirange not null generated always as (int8multirange(scope)) stored,
  account     uuid,
  actor       text not null default feed_actor(),
  name        text not null default '',
  version     bigint not null default 1,
  created_at  timestamptz not null default clock_timestamp(),
  updated_at  timestamptz not null default clock_timestamp(),
  updated_by  text not null default feed_actor()
);
comment on table stock_moves is '物资出入库流水';
create index stock_moves_warehouse on stock_moves (warehouse, created_at desc);
select field_install('stock_moves');
select field_policies('stock_moves', 'coalesce(scope && current_setting(''app.read'')::int8multirange, false)',
  'coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)', 'false');
create trigger append_only before update on stock_moves for each row execute function append_only();

-- 兜底包 -------------------------------------------------------------------------------------

-- Each package that was written, and each attempt that failed. The passphrase is kept
-- nowhere: a key derived from it is, in a file beside the private cluster's.
create table fallback_package (
  id          uuid primary key,
  area        text not null default '' check (area = '' or code_scope(area) is not null),
  file        text,
  bytes       bigint check (bytes > 0),
  sha256      text check (sha256 ~ '^[0-9a-f]{64}$'),
  counts      jsonb not null default '{}',
  automatic   boolean not null,
  actor       text not null,
  reason      text not null check (length(btrim(reason)) >= 4),
  as_of       timestamptz not null,
  made_at     timestamptz not null default clock_timestamp(),
  failed      text check (length(failed) <= 1000),
  check ((failed is null) = (file is not null))
);
comment on table fallback_package is '兜底包登记';
alter table fallback_package enable row level security;
alter table fallback_package force row level security;
create policy system on fallback_package using (current_setting('app.role') = 'system') with check (current_setting('app.role') = 'system');

-- Rules --------------------------------------------------------------------------------------

insert into rule_set (rule, version, title_zh, title_en, standard, responsible, body) values
 ('shelter_rules', 1, '避难场所与力量时效规则', 'Ages of shelters and forces', '经验取值:按本地值守制度修改', '应急管理局 救灾科',
  '{"open_stale_min": 120, "full_stale_min": 120, "reservation_min": 360, "team_stale_min": 15, "acknowledge_min": 10}'),
 ('road_block_rules', 1, '公路抢通时限', 'Clock of blocked roads', '一般灾害情况下,干线公路路段抢通平均时间快于8小时', '交通运输局 公路科',
  '{"trunk_hours": 8, "classes": ["expressway", "national", "provincial"], "within_m": 60}'),
 ('fallback_package', 1, '兜底包', 'Fallback package', '经验规则:按本地值守制度修改', '应急管理局 应急指挥科',
  '{"at": "02:30", "keep": 7, "warn_age_h": 26}');

-- 兜底包 holds every number of its area in clear: one look, one entry of the audit with the
-- reason and the counts, committed before anything is shown. As [ask] and [reveal], for a
-- whole area: rows must lie inside the area the grant reads.
create function restricted.everybody(p_area text)
returns table (id uuid, kind text, scope int8range, admin_code text, layer text, feature uuid, role text, unit text, post text, person text,
               deputy_post text, deputy text, starts_at timestamptz, ends_at timestamptz, fields jsonb)
language sql stable as $$
  select p.* from restricted.people(null, null, null) p
  where p.scope && current_setting('app.read')::int8multirange and p.scope <@ current_setting('app.write')::int8multirange
    and (p_area = '' or p.scope <@ code_scope(p_area)) and (p.ends_at is null or p.ends_at > now())
$$;

create function restricted.must_move(p_area text) returns setof restricted.household
language sql stable as $$
  select h.* from restricted.household h
  where h.must_move and h.scope && current_setting('app.read')::int8multirange and h.scope <@ current_setting('app.write')::int8multirange
    and (p_area = '' or h.scope <@ code_scope(p_area))
$$;

create function restricted.ask_all(
  p_area text, p_reason text, p_request text, p_account text, p_actor text, p_role text, p_grant text, p_kind text, p_session text, p_peer text) returns uuid
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_seq bigint;
  v_permit uuid;
begin
  if length(btrim(coalesce(p_reason, ''), E' \t\r\n\u00a0\u3000')) < 4 then
    raise exception using errcode = '22023', message = 'a reason of at least four characters is needed';
  end if;
  v_seq := audit.record(p_request, p_account, p_actor, p_role, p_grant, p_kind, p_session, p_peer,
    'restricted.reveal', 'fallback_package', p_area, p_reason, 'done', null,
    jsonb_build_object('contacts', (select count(*) from restricted.everybody(p_area)), 'households', (select count(*) from restricted.must_move(p_area))));
  delete from restricted.permit where at < clock_timestamp() - interval '1 hour';
  insert into restricted.permit (subject, seq) values (md5('all:' || p_area)::uuid, v_seq) returning id into v_permit;
  return v_permit;
end
$$;

-- permitted_all says whether a permit of another transaction, a minute old at most, is for
-- everybody of the area.
create function restricted.permitted_all(p_permit uuid, p_area text) returns boolean
language sql stable as $$
  select exists (select from restricted.permit where id = p_permit and subject = md5('all:' || p_area)::uuid
    and at > clock_timestamp() - interval '1 minute' and xid is distinct from pg_current_xact_id_if_assigned())
$$;

create function restricted.contacts_in_clear(p_permit uuid, p_area text)
returns table (id uuid, kind text, admin_code text, layer text, feature uuid, role text, unit text, post text, person text, deputy_post text, deputy text,
               starts_at timestamptz, ends_at timestamptz, fields jsonb)
language sql stable security definer set search_path = public, pg_temp as $$
  select p.id, p.kind, p.admin_code, p.layer, p.feature, p.role, p.unit, p.post, p.person, p.deputy_post, p.deputy, p.starts_at, p.ends_at, p.fields
  from restricted.everybody(p_area) p where restricted.permitted_all(p_permit, p_area)
  order by p.admin_code nulls first, p.kind, p.role, p.person, p.id
$$;

create function restricted.households_in_clear(p_permit uuid, p_area text)
returns table (id uuid, admin_code text, head text, address text, persons integer, elderly integer, children integer, disabled integer, phone text, move text)
language sql stable security definer set search_path = public, pg_temp as $$
  select h.id, h.admin_code, h.head, h.address, h.persons, h.elderly, h.children, h.disabled, h.phone, h.move
  from restricted.must_move(p_area) h where restricted.permitted_all(p_permit, p_area)
  order by h.admin_code, h.address, h.head, h.id
$$;

revoke all on function restricted.everybody(text), restricted.must_move(text), restricted.permitted_all(uuid, text),
  restricted.ask_all(text, text, text, text, text, text, text, text, text, text), restricted.contacts_in_clear(uuid, text), restricted.households_in_clear(uuid, text) from public;
grant execute on function restricted.ask_all(text, text, text, text, text, text, text, text, text, text), restricted.contacts_in_clear(uuid, text),
  restricted.households_in_clear(uuid, text) to onemap_app;
