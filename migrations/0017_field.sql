-- Field work: what grid workers send and are sent. Reports of 险情 and 灾情, checks of
-- shelters, patrols, tasks, notices and their acknowledgements, approved ways out, and
-- the households a worker answers for.
--
-- These are records and no layers: no tile and no item comes from them. Each has scopes,
-- the codes it belongs to; its rows go to the change feed by a trigger of their own under
-- the table's name, so that streams and phones hear of them under the same rules.

-- Every record ---------------------------------------------------------------------------

-- field_before_row keeps what says whose a record is and when it came out of writers' hands.
create function field_before_row() returns trigger
language plpgsql as $$
begin
  if tg_op = 'UPDATE' then
    if new.id <> old.id then
      raise exception using errcode = '55000', message = 'the id of a record never changes';
    end if;
    new.dataset := old.dataset;
    new.actor := old.actor;
    new.account := old.account;
    new.name := old.name;
    new.created_at := old.created_at;
    new.version := old.version + 1;
  end if;
  new.updated_at := clock_timestamp();
  new.updated_by := feed_actor();
  return new;
end
$$;

-- field_feed tells the change feed of one row. The app role may not touch the feed.
create function field_feed() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if tg_op = 'INSERT' then
    insert into change_log (layer, id, op, new_bbox, new_scope, actor) values (tg_table_name, new.id, 'I', geom_bbox(new.geom), new.scopes, feed_actor());
  elsif tg_op = 'UPDATE' then
    insert into change_log (layer, id, op, old_bbox, new_bbox, old_scope, new_scope, actor)
    values (tg_table_name, new.id, 'U', geom_bbox(old.geom), geom_bbox(new.geom), old.scopes, new.scopes, feed_actor());
  else
    insert into change_log (layer, id, op, old_bbox, old_scope, actor) values (tg_table_name, old.id, 'D', geom_bbox(old.geom), old.scopes, feed_actor());
  end if;
  return null;
end
$$;
revoke all on function field_feed() from public;

-- field_photos are the photos that refer to a record, in the order they came: those of an
-- operation that brought nothing else are in no column of it. Who may see one is asked
-- when it is asked for. (The table comes with the photos, in a later migration.)
create function field_photos(p_kind text, p_id uuid) returns text[]
language plpgsql stable security definer set search_path = public, pg_temp
set app.role = 'system'
as $$
begin
  return array(select encode(b.sha256, 'hex') from blob_ref b where b.kind = p_kind and b.object = p_id::text and p_kind in ('incident_reports', 'tasks') group by b.sha256 order by min(b.at), b.sha256);
end
$$;
revoke all on function field_photos(text, uuid) from public;
grant execute on function field_photos(text, uuid) to onemap_app;

create function field_install(tab text) returns void
language plpgsql set search_path = public, pg_temp as $fn$
begin
  execute format('create index %I on %I using gist (scopes)', tab || '_scopes', tab);
  execute format('create trigger before_row before insert or update on %I for each row execute function field_before_row()', tab);
  execute format('create trigger feed after insert or update or delete on %I for each row execute function field_feed()', tab);
  execute format('create trigger no_truncate before truncate on %I for each statement execute function layer_no_truncate()', tab);
  execute format('alter table %I enable row level security', tab);
  execute format('alter table %I force row level security', tab);
end
$fn$;
revoke all on function field_install(text) from public;

-- field_policies writes the floor of one table: who reads it, adds to it, changes it. The
-- demonstration shows rows of its own data set only, and the program itself takes them out.
create function field_policies(tab text, reads text, adds text, changes text) returns void
language plpgsql set search_path = public, pg_temp as $fn$
begin
  execute format('create policy reading on %I for select using ((%s) and (not current_setting(''app.demo'')::boolean or dataset = any (array(select d.id from public.dataset d where d.demo))))', tab, reads);
  execute format('create policy adding on %I for insert with check (%s)', tab, adds);
  execute format('create policy changing on %I for update using (%s) with check (%s)', tab, changes, changes);
  execute format('create policy removing on %I for delete using (current_setting(''app.role'') = ''system'')', tab);
end
$fn$;
revoke all on function field_policies(text, text, text, text) from public;

-- place_scope is the smallest unit around a shape that is not everywhere, the grid where
-- one holds it whole: of what lies across the borders of all units, the one its middle
-- lies in. Null where no unit is.
create function place_scope(g geometry) returns int8range
language sql stable as $$
  select nullif(case when s.s = every_scope() then sync_place(st_pointonsurface(g)) else s.s end, every_scope())
  from (select sync_place(g) as s) s where g is not null
$$;

-- field_grid is the code of the grid that holds a shape whole, null without one: what
-- people mark belongs to their grid. Whoever asks gets the same.
create function field_grid(g geometry) returns text
language sql stable security definer set search_path = public, pg_temp
set app.public = '{[1000000000000000,3000000000000000)}'
set app.read = '{[1000000000000000,3000000000000000)}'
set app.sensitive = '{[1000000000000000,3000000000000000)}'
set app.demo = 'off'
as $$
  select r.code from grids r
  where g is not null and r.geom && g and r.valid_to is null and length(r.code) = 15 and r.code ~ '^[0-9]+$' and st_covers(r.geom, g)
  order by r.fid limit 1
$$;
revoke all on function field_grid(geometry) from public;
grant execute on function field_grid(geometry) to onemap_app;

-- 险情与灾情 ---------------------------------------------------------------------------------

-- A report of 险情 is kept whatever is wrong with it: without a place, with a clock of
-- another century, from outside the sender's area. scope is where it lies, home whose
-- worker sent it; the duty officers of both read it, and it alarms until one takes it.
create table incident_reports (
  id           uuid primary key,
  dataset      uuid references dataset,
  kind         text not null check (length(kind) <= 64),
  urgency      text not null check (urgency in ('urgent', 'damage')),
  state        text not null default 'received' check (state in ('received', 'seen', 'taken', 'dismissed', 'closed')),
  grid         text check (length(grid) <= 32),          -- as the phone says
  description  text check (length(description) <= 4000),
  trapped      integer check (trapped >= 0),
  deaths       integer check (deaths >= 0),
  missing      integer check (missing >= 0),
  injured      integer check (injured >= 0),
  affected     integer check (affected >= 0),
  houses       integer check (houses >= 0),
  loss_wan     float8 check (loss_wan >= 0 and loss_wan < 'infinity'),
  place        text check (length(place) <= 500),
  geom         geometry(Geometry,4490) check (geom_ok(geom)),
  position     geometry(Point,4490) check (geom_ok(position)),   -- where the phone was
  accuracy_m   float8 check (accuracy_m >= 0 and accuracy_m < 'infinity'),
  doubts       text[] not null default '{}',             -- what is odd about it: no_place, outside_area, bad_geometry, clock, kind
  scope        int8range not null check (not isempty(scope)),
  home         int8range not null check (not isempty(home)),
  scopes       int8multirange not null generated always as (int8multirange(scope, home)) stored,
  captured_at  timestamptz not null,
  received_at  timestamptz not null default clock_timestamp(),
  device       text check (length(device) <= 200),
  photos       text[] not null default '{}',
  account      uuid,
  actor        text not null default feed_actor(),
  name         text not null default '',
  seen_at      timestamptz,
  seen_account uuid,
  seen_by      text,
  taken_at     timestamptz,
  taken_account uuid,
  taken_by     text,
  ended_at     timestamptz,
  ended_account uuid,
  ended_by     text,
  note         text check (length(note) <= 2000),
  version      bigint not null default 1,
  created_at   timestamptz not null default clock_timestamp(),
  updated_at   timestamptz not null default clock_timestamp(),
  updated_by   text not null default feed_actor(),
  check ((seen_at is null) = (seen_by is null)),
  check ((taken_at is null) = (taken_by is null)),
  check ((ended_at is null) = (ended_by is null)),
  check (state = 'received' or seen_at is not null),
  check (state not in ('taken', 'closed') or taken_at is not null),
  check ((state in ('dismissed', 'closed')) = (ended_at is not null))
);
comment on table incident_reports is '险情与灾情报告:险情不因位置、时钟、网格有误而被拒';
create index incident_reports_received on incident_reports (received_at desc, id);
create index incident_reports_alarm on incident_reports (received_at) where taken_at is null and ended_at is null;
create index incident_reports_actor on incident_reports (actor);
select field_install('incident_reports');
select field_policies('incident_reports',
  'actor = current_setting(''app.actor'') or coalesce(scopes && current_setting(''app.sensitive'')::int8multirange, false)',
  'coalesce(home <@ current_setting(''app.write'')::int8multirange, false) or urgency = ''urgent'' and actor = current_setting(''app.actor'')',
  'actor = current_setting(''app.actor'') or current_setting(''app.role'') in (''duty_officer'', ''commander'', ''system'') and coalesce(scopes && current_setting(''app.write'')::int8multirange, false)');

-- Who saw, took and ended it stays; it is seen, taken and ended once.
create function incident_report_steps() returns trigger
language plpgsql as $$
begin
  if old.seen_at is not null and (new.seen_at, new.seen_account, new.seen_by) is distinct from (old.seen_at, old.seen_account, old.seen_by)
     or old.taken_at is not null and (new.taken_at, new.taken_account, new.taken_by) is distinct from (old.taken_at, old.taken_account, old.taken_by)
     or old.ended_at is not null and (new.ended_at, new.ended_account, new.ended_by, new.state) is distinct from (old.ended_at, old.ended_account, old.ended_by, old.state) then
    raise exception using errcode = '55000', message = 'who saw, took or ended a report does not change';
  end if;
  if new.state <> old.state and not (old.state || '>' || new.state) = any (array[
    'received>seen', 'received>taken', 'received>dismissed', 'seen>taken', 'seen>dismissed', 'taken>dismissed', 'taken>closed']) then
    raise exception using errcode = '55000', message = format('report: %s cannot follow %s', new.state, old.state);
  end if;
  return new;
end
$$;
create trigger steps before update on incident_reports for each row execute function incident_report_steps();

-- 巡查、零报告、场所检查 ----------------------------------------------------------------------

-- Two taps within a minute are two rows and one patrol: nothing is refused, and what is
-- counted is the minute of a device, grid and kind.
create table patrols (
  id          uuid primary key,
  dataset     uuid references dataset,
  kind        text not null check (kind in ('patrol', 'zero_report')),
  result      text check (result in ('normal', 'problem')),
  grid        text check (length(grid) <= 32),
  started_at  timestamptz,
  ended_at    timestamptz,
  note        text check (length(note) <= 2000),
  geom        geometry(Geometry,4490) check (geom_ok(geom)),
  scope       int8range not null check (not isempty(scope)),
  scopes      int8multirange not null generated always as (int8multirange(scope)) stored,
  captured_at timestamptz not null,
  received_at timestamptz not null default clock_timestamp(),
  device      text not null default '' check (length(device) <= 200),
  account     uuid,
  actor       text not null default feed_actor(),
  name        text not null default '',
  version     bigint not null default 1,
  created_at  timestamptz not null default clock_timestamp(),
  updated_at  timestamptz not null default clock_timestamp(),
  updated_by  text not null default feed_actor(),
  check (ended_at is null or started_at is null or ended_at >= started_at)
);
comment on table patrols is '巡查打卡与零报告';
create index patrols_captured on patrols (captured_at);
select field_install('patrols');
select field_policies('patrols', 'coalesce(scope && current_setting(''app.read'')::int8multirange, false)',
  'coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)', 'coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)');

create table shelter_checks (
  id          uuid primary key,
  dataset     uuid references dataset,
  shelter     uuid not null,
  checked_at  timestamptz not null,
  result      text not null check (result in ('ok', 'problem')),
  sign        boolean,
  water       boolean,
  power       boolean,
  access      boolean,
  note        text check (length(note) <= 2000),
  problem     text check (length(problem) <= 2000),
  geom        geometry(Geometry,4490) check (geom_ok(geom)),
  scope       int8range not null check (not isempty(scope)),
  scopes      int8multirange not null generated always as (int8multirange(scope)) stored,
  captured_at timestamptz not null,
  received_at timestamptz not null default clock_timestamp(),
  device      text not null default '' check (length(device) <= 200),
  account     uuid,
  actor       text not null default feed_actor(),
  name        text not null default '',
  version     bigint not null default 1,
  created_at  timestamptz not null default clock_timestamp(),
  updated_at  timestamptz not null default clock_timestamp(),
  updated_by  text not null default feed_actor(),
  check (result = 'ok' or length(btrim(coalesce(problem, ''))) > 0)
);
comment on table shelter_checks is '避难场所检查';
create index shelter_checks_shelter on shelter_checks (shelter, checked_at desc);
select field_install('shelter_checks');
select field_policies('shelter_checks', 'coalesce(scope && current_setting(''app.read'')::int8multirange, false)',
  'coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)', 'coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)');

-- 任务 -----------------------------------------------------------------------------------------

-- A task goes to a person, or to a grid, where the first who accepts it has it. scope is
-- where it is to be done, grid_scope the grid it was sent to.
create table tasks (
  id             uuid primary key default uuid_v7(),
  dataset        uuid references dataset,
  title          text not null check (length(btrim(title)) between 1 and 200),
  kind           text not null check (kind in ('check_shelter', 'review_danger', 'visit', 'other')),
  object_kind    text check (object_kind ~ '^[a-z][a-z0-9_]{0,62}$'),
  object         uuid,
  state          text not null default 'sent' check (state in ('sent', 'accepted', 'done', 'handed_back', 'withdrawn')),
  due_at         timestamptz,
  note           text check (length(note) <= 2000),
  result         text check (length(result) <= 4000),
  reason         text check (length(reason) <= 2000),     -- of handing it back or withdrawing it
  photos         text[] not null default '{}',
  former         text[] not null default '{}',             -- who had it before: their phones forget it
  place          text check (length(place) <= 500),
  geom           geometry(Geometry,4490) check (geom_ok(geom)),
  grid           text check (grid is null or code_scope(grid) is not null),
  grid_scope     int8range generated always as (code_scope(grid)) stored,
  scope          int8range not null check (not isempty(scope)),
  scopes         int8multirange not null generated always as (case when grid is null then int8multirange(scope) else int8multirange(scope, code_scope(grid)) end) stored,
  assignee       uuid,
  assignee_actor text,
  assignee_name  text,
  accepted_at    timestamptz,
  done_at        timestamptz,
  handed_back_at timestamptz,
  account        uuid,                                     -- who sent it
  actor          text not null default feed_actor(),
  name           text not null default '',
  version        bigint not null default 1,
  created_at     timestamptz not null default clock_timestamp(),
  updated_at     timestamptz not null default clock_timestamp(),
  updated_by     text not null default feed_actor(),
  check ((object is null) = (object_kind is null)),
  check (num_nonnulls(assignee, assignee_actor, assignee_name) in (0, 3)),
  check (assignee is not null or grid is not null),
  check (state not in ('accepted', 'done') or assignee is not null),
  check (state <> 'done' or done_at is not null and length(btrim(coalesce(result, ''))) > 0),
  check (state <> 'handed_back' or handed_back_at is not null and length(btrim(coalesce(reason, ''))) > 0)
);
comment on table tasks is '任务:派给人或网格,接受、完成、退回';
create index tasks_assignee on tasks (assignee_actor) where assignee is not null;
create index tasks_open on tasks (due_at) where state in ('sent', 'accepted', 'handed_back');
select field_install('tasks');
select field_policies('tasks',
  'assignee_actor = current_setting(''app.actor'') or actor = current_setting(''app.actor'') or coalesce(scopes && current_setting(''app.read'')::int8multirange, false)',
  'current_setting(''app.role'') in (''duty_officer'', ''commander'', ''system'') and coalesce(scopes <@ current_setting(''app.write'')::int8multirange, false)',
  'assignee_actor = current_setting(''app.actor'') or coalesce(scopes <@ current_setting(''app.write'')::int8multirange, false) or coalesce(grid_scope <@ current_setting(''app.write'')::int8multirange, false)');

-- 通知 -----------------------------------------------------------------------------------------

-- What was issued is not edited: it is withdrawn, and another issued.
create table notices (
  id           uuid primary key default uuid_v7(),
  dataset      uuid references dataset,
  kind         text not null check (kind in ('warning', 'notice')),
  title        text not null check (length(btrim(title)) between 1 and 200),
  body         text not null check (length(btrim(body)) between 1 and 4000),
  level        smallint check (level between 1 and 4),
  hazard       text check (length(hazard) <= 64),
  areas        text[] not null check (cardinality(areas) between 1 and 200),
  scopes       int8multirange not null check (not isempty(scopes)),
  geom         geometry(Geometry,4490) check (geom_ok(geom)),
  state        text not null default 'issued' check (state in ('issued', 'withdrawn')),
  issued_at    timestamptz not null default clock_timestamp(),
  expires_at   timestamptz,
  withdrawn_at timestamptz,
  withdrawn_by text,
  reason       text check (length(reason) <= 2000),
  account      uuid,
  actor        text not null default feed_actor(),
  name         text not null default '',
  version      bigint not null default 1,
  created_at   timestamptz not null default clock_timestamp(),
  updated_at   timestamptz not null default clock_timestamp(),
  updated_by   text not null default feed_actor(),
  check (expires_at is null or expires_at > issued_at),
  check ((state = 'withdrawn') = (withdrawn_at is not null))
);
comment on table notices is '发给网格的预警与通知';
select field_install('notices');
select field_policies('notices', 'coalesce(scopes && current_setting(''app.read'')::int8multirange, false)',
  'current_setting(''app.role'') in (''duty_officer'', ''commander'', ''system'') and coalesce(scopes <@ current_setting(''app.write'')::int8multirange, false)',
  'current_setting(''app.role'') in (''duty_officer'', ''commander'', ''system'') and coalesce(scopes <@ current_setting(''app.write'')::int8multirange, false)');

create function notice_is_final() returns trigger
language plpgsql as $$
begin
  if (new.kind, new.title, new.body, new.areas, new.scopes, new.issued_at) is distinct from (old.kind, old.title, old.body, old.areas, old.scopes, old.issued_at)
     or new.level is distinct from old.level or new.hazard is distinct from old.hazard or new.expires_at is distinct from old.expires_at
     or old.state = 'withdrawn' then
    raise exception using errcode = '55000', message = 'what was issued is not changed: withdraw it and issue another';
  end if;
  return new;
end
$$;
create trigger final before update on notices for each row execute function notice_is_final();

-- One person may read it on two phones: the first counts, none is refused.
create table notice_acks (
  id          uuid primary key,
  dataset     uuid references dataset,
  notice      uuid not null references notices on delete cascade,
  read_at     timestamptz not null,
  geom        geometry(Point,4490) check (geom_ok(geom)),
  scope       int8range not null check (not isempty(scope)),   -- the reader's own area
  scopes      int8multirange not null generated always as (int8multirange(scope)) stored,
  received_at timestamptz not null default clock_timestamp(),
  device      text not null default '' check (length(device) <= 200),
  account     uuid not null,
  actor       text not null default feed_actor(),
  name        text not null default '',
  version     bigint not null default 1,
  created_at  timestamptz not null default clock_timestamp(),
  updated_at  timestamptz not null default clock_timestamp(),
  updated_by  text not null default feed_actor()
);
comment on table notice_acks is '通知的签收';
create index notice_acks_notice on notice_acks (notice, account);
select field_install('notice_acks');
select field_policies('notice_acks', 'actor = current_setting(''app.actor'') or coalesce(scope && current_setting(''app.sensitive'')::int8multirange, false)',
  'coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)', 'current_setting(''app.role'') = ''system''');

-- 转移路线 -------------------------------------------------------------------------------------

-- Approved ways out, shown as they were drawn: no program finds one across water at night.
create table evacuation_routes (
  id          uuid primary key default uuid_v7(),
  dataset     uuid references dataset,
  title       text not null check (length(btrim(title)) between 1 and 200),
  area        text not null check (code_scope(area) is not null),      -- village or grid it leads out of
  shelter     uuid,
  shelter_name text not null check (length(shelter_name) <= 200),
  assembly    text check (length(assembly) <= 200),                    -- 集合点
  persons     integer check (persons >= 0),
  note        text check (length(note) <= 2000),
  approved_by text not null check (btrim(approved_by) <> ''),
  approved_at date not null,
  valid_from  date,
  valid_to    date,
  geom        geometry(LineString,4490) not null check (geom_ok(geom)),
  scope       int8range not null generated always as (code_scope(area)) stored,
  scopes      int8multirange not null generated always as (int8multirange(code_scope(area))) stored,
  account     uuid,
  actor       text not null default feed_actor(),
  name        text not null default '',
  version     bigint not null default 1,
  created_at  timestamptz not null default clock_timestamp(),
  updated_at  timestamptz not null default clock_timestamp(),
  updated_by  text not null default feed_actor(),
  check (valid_to is null or valid_from is null or valid_to >= valid_from)
);
comment on table evacuation_routes is '批准的转移路线';
select field_install('evacuation_routes');
select field_policies('evacuation_routes', 'coalesce(scope && current_setting(''app.read'')::int8multirange, false)',
  'coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)', 'coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)');

-- 包户与值班电话 ---------------------------------------------------------------------------------

alter table restricted.household
  add column address   text,
  add column must_move boolean not null default false,   -- 应转
  add column move      text;                             -- when, to where, with whose help

-- A permit is for one row, or for the households of an area.
alter table restricted.permit alter column subject drop not null, add column area int8range,
  add check (num_nonnulls(subject, area) = 1);

-- ask_households writes down who opens his list and why, and gives a permit for it. The
-- area is the one grant's he acts under, and is read by him as a whole.
create function restricted.ask_households(
  p_area text, p_reason text, p_request text, p_account text, p_actor text, p_role text, p_grant text, p_kind text, p_session text, p_peer text) returns uuid
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_scope int8range := code_scope(p_area);
  v_seq bigint;
  v_n integer;
  v_permit uuid;
begin
  if length(btrim(coalesce(p_reason, ''), E' \t\r\n\u00a0\u3000')) < 4 then
    raise exception using errcode = '22023', message = 'a reason of at least four characters is needed';
  end if;
  if not (v_scope <@ current_setting('app.read')::int8multirange and v_scope <@ current_setting('app.write')::int8multirange) then
    return null;
  end if;
  select count(*) into v_n from restricted.household h where h.scope <@ v_scope and h.must_move;
  v_seq := audit.record(p_request, p_account, p_actor, p_role, p_grant, p_kind, p_session, p_peer,
    'restricted.households', 'households/' || p_area, p_area, p_reason, 'done', null, jsonb_build_object('households', v_n));
  delete from restricted.permit where at < clock_timestamp() - interval '1 hour';
  insert into restricted.permit (area, seq) values (v_scope, v_seq) returning id into v_permit;
  return v_permit;
end
$$;

-- households shows the list a permit is for, within a minute, in a later transaction.
create function restricted.households(p_permit uuid, p_limit integer)
returns table (id uuid, admin_code text, head text, address text, persons integer, elderly integer, children integer, disabled integer, phone text, move text)
language sql stable security definer set search_path = public, pg_temp as $$
  select h.id, h.admin_code, h.head, h.address, h.persons, h.elderly, h.children, h.disabled, h.phone, h.move
  from restricted.permit p join restricted.household h on h.scope <@ p.area and h.must_move
  where p.id = p_permit and p.at > clock_timestamp() - interval '1 minute' and p.xid is distinct from pg_current_xact_id_if_assigned()
    and p.area <@ current_setting('app.read')::int8multirange and p.area <@ current_setting('app.write')::int8multirange
  order by h.disabled desc nulls last, h.elderly desc nulls last, h.id
  limit least(greatest(p_limit, 1), 1000)
$$;

-- duty_desk is whom a worker of an area rings: the officers on duty now in the units
-- around it, the nearest first. Numbers of desks, made to be rung; leaders' are not among
-- them. The caller must belong there.
create function restricted.duty_desk(p_area text, p_at timestamptz)
returns table (name text, phone text)
language sql stable security definer set search_path = public, pg_temp as $$
  select d.unit || coalesce(' ' || d.post, ''), c.phone
  from public.duty_roster d join restricted.contact c on c.duty = d.id
  where d.role = 'officer' and d.starts_at <= p_at and d.ends_at > p_at and c.phone is not null
    and d.scope @> code_scope(p_area)
    and code_scope(p_area) <@ current_setting('app.read')::int8multirange
    and (not current_setting('app.demo')::boolean or d.dataset = any (array(select x.id from public.dataset x where x.demo)))
  order by upper(d.scope) - lower(d.scope), d.starts_at, d.id
  limit 8
$$;
revoke all on function restricted.ask_households(text, text, text, text, text, text, text, text, text, text), restricted.households(uuid, integer), restricted.duty_desk(text, timestamptz) from public;
grant execute on function restricted.ask_households(text, text, text, text, text, text, text, text, text, text), restricted.households(uuid, integer), restricted.duty_desk(text, timestamptz) to onemap_app;
grant select (must_move) on restricted.household to onemap_app;

-- Hazard points are described by whoever marks them -----------------------------------------------

alter table hazards add column description text;
select layer_install('hazards');
insert into layer_field (layer, name, type, title_zh, title_en, in_form, sort)
select 'hazards', 'description', 'text', '描述', 'Description', true, max(sort) + 1 from layer_field where layer = 'hazards';

-- Code lists and rules -------------------------------------------------------------------------------

insert into code_list (list, title_zh, title_en, standard) values
 ('report_kind', '险情灾情类型', 'Kind of report', null),
 ('report_urgency', '报告性质', 'Urgency of a report', null),
 ('report_state', '报告状态', 'State of a report', null),
 ('check_result', '检查结果', 'Result of a check', null),
 ('patrol_kind', '巡查类型', 'Kind of patrol', null),
 ('patrol_result', '巡查结果', 'Result of a patrol', null),
 ('task_kind', '任务类型', 'Kind of task', null),
 ('task_state', '任务状态', 'State of a task', null),
 ('notice_kind', '通知类型', 'Kind of notice', null);

insert into code_item (list, code, title_zh, title_en, sort)
select list, code, zh, en, row_number() over (partition by list order by ord) from (
 select split_part(line, '|', 1) list, split_part(line, '|', 2) code, split_part(line, '|', 3) zh, split_part(line, '|', 4) en, ord
 from regexp_split_to_table($codes$
report_kind|landslide|山体滑坡|Landslide
report_kind|debris_flow|泥石流|Debris flow
report_kind|flood|洪水内涝|Flood
report_kind|building_collapse|房屋倒塌|Building collapse
report_kind|road_cut|道路中断|Road cut off
report_kind|fire|火灾|Fire
report_kind|hazchem|危化泄漏|Chemical leak
report_kind|trapped|人员被困|People trapped
report_kind|other|其他|Other
report_urgency|urgent|险情|Urgent danger
report_urgency|damage|灾情|Damage
report_state|received|已到县里|Received
report_state|seen|已看到|Seen
report_state|taken|已接手|Taken
report_state|dismissed|已排除|Dismissed
report_state|closed|已办结|Closed
check_result|ok|正常|In order
check_result|problem|有问题|Problem
patrol_kind|patrol|巡查打卡|Patrol
patrol_kind|zero_report|零报告|Nothing to report
patrol_result|normal|正常|Nothing found
patrol_result|problem|有问题|Problem found
task_kind|check_shelter|检查避难场所|Check a shelter
task_kind|review_danger|复查隐患|Review a danger
task_kind|visit|走访|Visit
task_kind|other|其他|Other
task_state|sent|已派发|Sent
task_state|accepted|已接受|Accepted
task_state|done|已完成|Done
task_state|handed_back|已退回|Handed back
task_state|withdrawn|已撤销|Withdrawn
notice_kind|warning|预警|Warning
notice_kind|notice|通知|Notice
$codes$, '\n') with ordinality as t(line, ord) where line <> '') d;

insert into rule_set (rule, version, title_zh, title_en, standard, responsible, body) values
 ('field_work', 1, '外业工作规则', 'Rules of field work', '经验规则:按本地值守制度修改', '应急管理局 应急指挥科',
  '{"urgent_wait_s": 60, "take_after_s": 120, "outbox_warn_h": 24, "photos_max": 9, "accuracy_warn_m": 30, "desk_county_after_h": 4, "patrols_per_day": 1}');
