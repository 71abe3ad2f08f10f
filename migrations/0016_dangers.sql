-- Hidden dangers (隐患) as a closed loop: who may take which step, deadlines that only an
-- approved extension moves, a reviewer who is another person than whoever put it right,
-- and what is closed never changes. The triggers below hold that whoever writes. Beside
-- them the measures (制度措施), linked with the dangers many to many.

-- The ledger ---------------------------------------------------------------------------

alter table dangers
  add column fixed_on_spot       boolean not null default false,   -- 立行立改
  add column rectified_at        timestamptz,
  add column first_due_at        timestamptz,        -- before extensions
  add column listed_at           timestamptz,        -- 挂牌
  add column unlisted_at         timestamptz,        -- 摘牌
  add column subject             uuid,               -- what it is found at
  add column subject_layer       text,
  add column reopens             uuid,               -- the record that was closed before; no reference: that one never changes
  -- 五落实 of a serious one
  add column plan_responsibility text check (length(plan_responsibility) <= 2000),
  add column plan_measures       text check (length(plan_measures) <= 4000),
  add column plan_funds          text check (length(plan_funds) <= 1000),
  add column plan_deadline       text check (length(plan_deadline) <= 1000),
  add column plan_contingency    text check (length(plan_contingency) <= 4000),
  add column second_review       boolean not null default false,   -- asked by the rule when it came to review
  add column first_reviewer      text,
  -- persons, for four eyes; the names beside them are for people
  add column reported_account       uuid,
  add column graded_account         uuid,
  add column plan_account           uuid,
  add column approved_account       uuid,
  add column rectifier_account      uuid,
  add column first_reviewer_account uuid,
  add column reviewer_account       uuid,
  add column listed_account         uuid,
  add constraint danger_state_known check (state in ('draft', 'reported', 'verified', 'rejected', 'graded', 'pending_approval', 'rectifying', 'reviewing', 'closed')) not valid,
  add constraint danger_subject check (subject is null or subject_layer is not null),
  add constraint danger_reviewer check (reviewer_account is null or rectifier_account is null or reviewer_account <> rectifier_account),
  add constraint danger_two_reviews check (reviewer_account is null or first_reviewer_account is null or reviewer_account <> first_reviewer_account);
create index dangers_unit on dangers (responsible_unit) where closed_at is null;
create index dangers_state on dangers (state, id);
create index dangers_reopens on dangers (reopens) where reopens is not null;

insert into layer_field (layer, name, type, title_zh, title_en, in_tile, in_filter, in_form, sort)
select 'dangers', f.name, f.type, f.zh, f.en, false, f.filter, false, 200 + f.n
from (values (1, 'fixed_on_spot', 'boolean', '立行立改', 'Fixed on the spot', true), (2, 'rectified_at', 'datetime', '报完成时间', 'Put right at', true),
             (3, 'first_due_at', 'datetime', '原定期限', 'First deadline', false), (4, 'listed_at', 'datetime', '挂牌时间', 'Listed at', true),
             (5, 'unlisted_at', 'datetime', '摘牌时间', 'Unlisted at', true), (6, 'plan_responsibility', 'text', '整改责任', 'Who answers for it', false),
             (7, 'plan_measures', 'text', '整改措施', 'Measures', false), (8, 'plan_funds', 'text', '整改资金', 'Funds', false),
             (9, 'plan_deadline', 'text', '整改时限', 'Time', false), (10, 'plan_contingency', 'text', '整改预案', 'Contingency plan', false)) f (n, name, type, zh, en, filter);
select layer_install('dangers');

-- danger_overdue is derived, never stored: work that was reported done in time waits for
-- its review and is not late.
create function danger_overdue(state text, due_at timestamptz, rectified_at timestamptz, at timestamptz) returns boolean
language sql immutable parallel safe as $$
  select case when state in ('graded', 'pending_approval', 'rectifying') then coalesce(due_at < at, false)
              when state = 'reviewing' then coalesce(rectified_at > due_at, false)
              else false end
$$;

-- danger_number gives the next number of a county and a year.
create function danger_number(s int8range, y integer) returns text
language plpgsql volatile set search_path = public, pg_temp as $$
declare
  family bigint := lower(s) / 1000000000000000;
  width  bigint := case lower(s) / 1000000000000000 when 2 then 10000000000 else 1000000000 end;
  county text;
  n      integer;
begin
  county := case when upper(s) - lower(s) > width then '000000'
                 when family = 2 then lpad(((lower(s) % 1000000000000000) / width)::text, 5, '0')
                 else lpad(((lower(s) % 1000000000000000) / width)::text, 6, '0') end;
  insert into number_counter (kind, county_code, year, last) values ('danger', county, y, 1)
  on conflict (kind, county_code, year) do update set last = number_counter.last + 1
  returning last into n;
  return format('YH-%s-%s-%s', county, y, lpad(n::text, greatest(4, length(n::text)), '0'));
end
$$;

-- Actions and extensions ------------------------------------------------------------------

create table danger_action (
  danger      uuid not null references dangers on delete cascade,
  seq         bigint generated always as identity,
  action      text not null check (action ~ '^[a-z][a-z_]{2,39}$'),
  from_state  text,
  to_state    text not null,
  note        text not null default '' check (length(note) <= 2000),
  evidence    text[] not null default '{}' check (cardinality(evidence) <= 20 and array_to_string(evidence, '') ~ '^([0-9a-f]{64})*$'),
  fields      jsonb not null default '{}' check (jsonb_typeof(fields) = 'object' and octet_length(fields::text) <= 65536),
  account     uuid,
  actor       text not null default feed_actor(),
  name        text,
  role        text not null default coalesce(current_setting('app.role', true), ''),
  captured_at timestamptz,                           -- by the device's clock, where it came from one
  at          timestamptz not null default now(),
  primary key (danger, seq),
  -- Fixed on the spot is believed with a picture only.
  check (action <> 'fix_on_spot' or cardinality(evidence) > 0)
);

create table danger_extension (
  id              uuid primary key default uuid_v7(),
  danger          uuid not null references dangers on delete cascade,
  old_due_at      timestamptz not null,
  new_due_at      timestamptz not null check (new_due_at > old_due_at),
  reason          text not null check (length(btrim(reason)) between 4 and 2000),
  asked_account   uuid,
  asked_by        text not null default feed_actor(),
  asked_name      text,
  asked_at        timestamptz not null default now(),
  decision        text check (decision in ('approved', 'refused')),
  note            text check (length(note) <= 2000),
  decided_account uuid,
  decided_by      text,
  decided_name    text,
  decided_at      timestamptz,
  check ((decision is null) = (decided_at is null)),
  constraint danger_extension_four_eyes check (decided_account is null or asked_account is null or decided_account <> asked_account)
);
create unique index danger_extension_open on danger_extension (danger) where decision is null;
create index danger_extension_danger on danger_extension (danger, asked_at);

create function danger_extension_final() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  if old.decision is not null then
    raise exception 'extension %: it is decided', old.id using errcode = 'OM011';
  end if;
  return new;
end
$$;
create trigger final before update on danger_extension for each row execute function danger_extension_final();

-- Measures ---------------------------------------------------------------------------------

create table measure (
  id              uuid primary key default uuid_v7(),
  dataset         uuid references dataset,
  source_key      text,
  code            text,
  title           text not null check (length(btrim(title)) between 2 and 200),
  kind            text not null,
  content         text not null default '' check (length(content) <= 8000),
  basis           text not null default '' check (length(basis) <= 1000),        -- 依据
  unit            text not null default '' check (length(unit) <= 200),          -- 责任单位
  person          text not null default '' check (length(person) <= 200),
  state           text not null default 'planned' check (state in ('planned', 'in_force', 'done', 'abolished')),
  due_on          date,
  done_on         date,
  note            text not null default '' check (length(note) <= 2000),
  admin_code      text not null check (code_scope(admin_code) is not null),
  scope           int8range not null,
  version         bigint not null default 1,
  created_at      timestamptz not null default now(),
  created_by      text not null default feed_actor(),
  created_account uuid,
  updated_at      timestamptz not null default now(),
  updated_by      text not null default feed_actor(),
  unique (dataset, source_key),
  check ((dataset is null) = (source_key is null))
);
create index measure_scope on measure using gist (scope);
create index measure_state on measure (state, id);

create table danger_measure (
  danger  uuid not null references dangers on delete cascade,
  measure uuid not null references measure on delete cascade,
  account uuid,
  actor   text not null default feed_actor(),
  at      timestamptz not null default now(),
  primary key (danger, measure)
);
create index danger_measure_measure on danger_measure (measure);

create function measure_before_row() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  new.scope := code_scope(new.admin_code);
  if tg_op = 'UPDATE' then
    if new.id <> old.id then
      raise exception using errcode = '55000', message = 'the id of a measure never changes';
    end if;
    new.created_at := old.created_at;
    new.created_by := old.created_by;
    new.created_account := old.created_account;
    new.version := old.version + 1;
    new.updated_at := now();
    new.updated_by := feed_actor();
  end if;
  return new;
end
$$;
create trigger before_row before insert or update on measure for each row execute function measure_before_row();

create function measure_feed() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  insert into change_log (layer, id, op, old_scope, new_scope, actor)
  values ('measures', case tg_op when 'DELETE' then old.id else new.id end, left(tg_op, 1)::"char",
          case when tg_op <> 'INSERT' then int8multirange(old.scope) end, case when tg_op <> 'DELETE' then int8multirange(new.scope) end, feed_actor());
  return null;
end
$$;
revoke all on function measure_feed() from public;
create trigger feed after insert or update or delete on measure for each row execute function measure_feed();

-- The responsible unit ------------------------------------------------------------------------

-- A unit reads public layers and beside them what is assigned to it, which no area says:
-- the danger names the unit, the person's account names his department, and his grant
-- covers the place. These functions are the floor of that; they look past row security
-- themselves and give nobody anything but his own.
create function danger_is_assigned(p_unit text, p_place int8range) returns boolean
language sql stable security definer set search_path = public, pg_temp as $$
  select exists (
    select from auth.account a join auth.role_grant g on g.account = a.id
    where a.username = nullif(current_setting('app.actor', true), '') and a.state = 'active'
      and g.role = 'unit' and g.revoked_at is null and g.valid_from <= clock_timestamp() and (g.valid_to is null or g.valid_to > clock_timestamp())
      and g.scope @> p_place and btrim(a.department) <> '' and btrim(a.department) = btrim(p_unit))
$$;

create function danger_assigned() returns setof dangers
language sql stable security definer
set search_path = public, pg_temp
set app.public = '{[1000000000000000,3000000000000000)}'
set app.read = '{[1000000000000000,3000000000000000)}'
set app.sensitive = '{[1000000000000000,3000000000000000)}'
set app.demo = 'off'
as $$
  with mine as materialized (
    select btrim(a.department) as department, g.scope from auth.account a join auth.role_grant g on g.account = a.id
    where a.username = nullif(current_setting('app.actor', true), '') and a.state = 'active' and btrim(a.department) <> ''
      and g.role = 'unit' and g.revoked_at is null and g.valid_from <= clock_timestamp() and (g.valid_to is null or g.valid_to > clock_timestamp()))
  select d.* from dangers d
  where d.state in ('graded', 'pending_approval', 'rectifying', 'reviewing', 'closed')
    and exists (select from mine m where m.department = btrim(d.responsible_unit) and m.scope @> d.scope)
$$;

-- danger_of_mine says whether one danger is assigned to whoever asks.
create function danger_of_mine(danger uuid) returns boolean
language sql stable security definer
set search_path = public, pg_temp
set app.public = '{[1000000000000000,3000000000000000)}'
set app.read = '{[1000000000000000,3000000000000000)}'
set app.sensitive = '{[1000000000000000,3000000000000000)}'
set app.demo = 'off'
as $$
  select exists (select from dangers d where d.id = danger and d.state in ('graded', 'pending_approval', 'rectifying', 'reviewing', 'closed')
                   and danger_is_assigned(d.responsible_unit, d.scope))
$$;

-- danger_seen is what the asker sees: the rows of his areas and, where he holds a grant of
-- a unit, those assigned to him. (A plain function: the planner sees through it.)
create function danger_seen(unit boolean) returns setof dangers
language sql stable as $$
  select d.* from dangers d
  union all
  select a.* from danger_assigned() a where unit and not exists (select from dangers d where d.id = a.id)
$$;

-- danger_place is the unit a place belongs to: the grid around it, where there is one; the
-- trigger of every layer finds the village or township otherwise.
create function danger_place(g geometry) returns text
language sql stable as $$
  select r.code from grids r
  where r.geom && g and r.valid_to is null and length(r.code) = 15 and r.code ~ '^[0-9]+$' and st_covers(r.geom, g)
  order by r.fid limit 1
$$;

-- The floor -----------------------------------------------------------------------------------

select row_guard('measure', 'app.read', false);

do $$
declare
  t text;
begin
  foreach t in array array['danger_action', 'danger_extension'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy reading on %I for select using (exists (select from public.dangers d where d.id = danger) or public.danger_of_mine(danger))', t);
    execute format($p$create policy adding on %I for insert with check (exists (select from public.dangers d where d.id = danger and coalesce(d.scope <@ current_setting('app.write')::int8multirange, false)))$p$, t);
    execute format($p$create policy changing on %I for update using (exists (select from public.dangers d where d.id = danger and coalesce(d.scope <@ current_setting('app.write')::int8multirange, false)))$p$, t);
    execute format($p$create policy removing on %I for delete using (current_setting('app.role') = 'system')$p$, t);
  end loop;
end
$$;
revoke update, delete on danger_action from onemap_app;
revoke update, delete on danger_extension from onemap_app;
grant update (decision, note, decided_account, decided_by, decided_name, decided_at) on danger_extension to onemap_app;

alter table danger_measure enable row level security;
alter table danger_measure force row level security;
create policy reading on danger_measure for select using (
  (exists (select from dangers d where d.id = danger) or danger_of_mine(danger)) and exists (select from measure m where m.id = measure));
create policy adding on danger_measure for insert with check (
  exists (select from dangers d where d.id = danger) and exists (select from measure m where m.id = measure and coalesce(m.scope <@ current_setting('app.write')::int8multirange, false)));
create policy removing on danger_measure for delete using (
  exists (select from measure m where m.id = measure and coalesce(m.scope <@ current_setting('app.write')::int8multirange, false)));
revoke update on danger_measure from onemap_app;

-- danger_rectifiers are the persons who put a danger right, in any round.
create function danger_rectifiers(danger_id uuid) returns uuid[]
language sql stable security definer
set search_path = public, pg_temp
set app.public = '{[1000000000000000,3000000000000000)}'
set app.read = '{[1000000000000000,3000000000000000)}'
set app.sensitive = '{[1000000000000000,3000000000000000)}'
set app.demo = 'off'
as $$
  select coalesce(array_agg(distinct x.account), '{}') from (
    select d.rectifier_account as account from dangers d where d.id = danger_id
    union all
    select a.account from danger_action a where a.danger = danger_id and a.to_state = 'reviewing' and a.from_state in ('reported', 'rectifying')) x
  where x.account is not null
$$;

revoke all on function danger_is_assigned(text, int8range), danger_assigned(), danger_of_mine(uuid), danger_rectifiers(uuid) from public;
grant execute on function danger_is_assigned(text, int8range), danger_assigned(), danger_of_mine(uuid), danger_rectifiers(uuid) to onemap_app;

-- danger_life holds the life cycle. Errors: OM011 it does not change any more, OM012 a step
-- out of order or without what it needs, OM013 four eyes, OM014 not his to do.
-- The program itself brings in ledgers kept elsewhere (imports, the demo county) in any
-- state and takes them out again; rows that were made here it may not change either.
create function danger_life() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  who   text := coalesce(current_setting('app.role', true), '');
  prog  boolean := coalesce(current_setting('app.role', true), '') = 'system';
  me    uuid;
  other uuid[];
  kept  dangers;
  step  text;
  roles text;
  steps constant jsonb := '{
    "draft>reported": "grid_worker duty_officer commander",
    "reported>verified": "duty_officer",
    "reported>rejected": "duty_officer",
    "verified>rejected": "duty_officer",
    "reported>reviewing": "grid_worker duty_officer commander",
    "verified>graded": "duty_officer",
    "rectifying>graded": "duty_officer",
    "reviewing>graded": "duty_officer",
    "graded>rectifying": "duty_officer",
    "graded>pending_approval": "duty_officer unit",
    "pending_approval>graded": "approver commander",
    "pending_approval>rectifying": "approver commander",
    "rectifying>reviewing": "duty_officer unit",
    "reviewing>rectifying": "duty_officer",
    "reviewing>closed": "duty_officer"}';
begin
  if tg_op = 'INSERT' then
    -- Whoever names no role (a DBA at the table) brings in what he likes, like the program.
    if not prog and who <> '' and (new.state not in ('draft', 'reported') or new.listed
       or num_nonnulls(new.level, new.due_at, new.rectified_at, new.closed_at, new.code, new.rectifier_account, new.reviewer_account) > 0) then
      raise exception 'danger %: it begins as a draft or a report', new.id using errcode = 'OM012';
    end if;
    return new;
  end if;
  if prog and old.dataset is not null then
    return case tg_op when 'DELETE' then old else new end;
  end if;
  select a.id into me from auth.account a where a.username = nullif(current_setting('app.actor', true), '');

  if tg_op = 'DELETE' then
    if old.state not in ('draft', 'reported') then
      raise exception 'danger % is %: it stays', old.id, old.state using errcode = 'OM011';
    end if;
    if not prog and old.reported_account is distinct from me then
      raise exception 'danger %: another person reported it', old.id using errcode = 'OM014';
    end if;
    return old;
  end if;

  if old.state in ('closed', 'rejected') then
    raise exception 'danger % is %: it never changes', old.id, old.state using errcode = 'OM011';
  end if;
  if (new.dataset, new.source_key, new.reopens, new.reported_account) is distinct from (old.dataset, old.source_key, old.reopens, old.reported_account)
     or old.code is not null and new.code is distinct from old.code then
    raise exception 'danger %: what it is cannot change', old.id using errcode = 'OM011';
  end if;

  -- Who.
  if new.state <> old.state then
    step := old.state || '>' || new.state;
    roles := steps ->> step;
    if roles is null then
      raise exception 'danger %: % cannot follow %', old.id, new.state, old.state using errcode = 'OM012';
    end if;
    if not prog and not who = any (string_to_array(roles, ' ')) then
      raise exception 'danger %: not a step of %', old.id, who using errcode = 'OM014';
    end if;
    if not prog and me is null then
      raise exception 'danger %: a step is taken by a person', old.id using errcode = 'OM014';
    end if;
  end if;
  if who = 'unit' then
    kept := new;
    kept.state := old.state; kept.version := old.version; kept.recorded_at := old.recorded_at; kept.recorded_by := old.recorded_by;
    kept.rectifier := old.rectifier; kept.rectifier_account := old.rectifier_account; kept.rectified_at := old.rectified_at; kept.second_review := old.second_review;
    kept.interim_measure := old.interim_measure; kept.plan_account := old.plan_account;
    kept.plan_responsibility := old.plan_responsibility; kept.plan_measures := old.plan_measures; kept.plan_funds := old.plan_funds;
    kept.plan_deadline := old.plan_deadline; kept.plan_contingency := old.plan_contingency;
    if kept is distinct from old or not danger_is_assigned(old.responsible_unit, old.scope) then
      raise exception 'danger %: not for a unit to change', old.id using errcode = 'OM014';
    end if;
  elsif who = 'grid_worker' and (old.state not in ('draft', 'reported') or old.reported_account is distinct from me and new.state = old.state) then
    raise exception 'danger %: not his to change', old.id using errcode = 'OM014';
  elsif who in ('approver') and new.state = old.state and (new.listed, new.listed_at, new.unlisted_at, new.due_at) is not distinct from (old.listed, old.listed_at, old.unlisted_at, old.due_at) then
    raise exception 'danger %: not for an approver to change', old.id using errcode = 'OM014';
  end if;

  -- What may change when.
  if old.state not in ('draft', 'reported', 'verified')
     and (new.name, new.kind, new.description, new.source, new.found_at, new.subject, new.subject_layer, new.admin_code, st_asewkb(new.geom))
         is distinct from (old.name, old.kind, old.description, old.source, old.found_at, old.subject, old.subject_layer, old.admin_code, st_asewkb(old.geom)) then
    raise exception 'danger % is %: what was found stays', old.id, old.state using errcode = 'OM011';
  end if;
  if (new.level, new.grade_basis, new.responsible_unit) is distinct from (old.level, old.grade_basis, old.responsible_unit)
     and not (new.state = 'graded' and old.state <> 'pending_approval' or old.state = 'reviewing' and new.state = 'rectifying' and old.level is null) then
    raise exception 'danger %: it is not being graded', old.id using errcode = 'OM012';
  end if;
  if new.due_at is distinct from old.due_at
     and not (new.state = 'graded' and old.state <> 'pending_approval' or old.state = 'reviewing' and new.state = 'rectifying' and old.level is null)
     and not exists (select from danger_extension e where e.danger = old.id and e.decision = 'approved' and e.new_due_at = new.due_at and e.old_due_at = old.due_at) then
    raise exception 'danger %: nobody approved another deadline', old.id using errcode = 'OM012';
  end if;
  if old.state <> 'graded' and new.state <> 'graded'
     and (new.plan_responsibility, new.plan_measures, new.plan_funds, new.plan_deadline, new.plan_contingency)
         is distinct from (old.plan_responsibility, old.plan_measures, old.plan_funds, old.plan_deadline, old.plan_contingency) then
    raise exception 'danger %: its plan stands', old.id using errcode = 'OM011';
  end if;
  if new.listed is distinct from old.listed then
    if new.level is distinct from 1 or new.state in ('draft', 'reported', 'verified', 'closed') then
      raise exception 'danger %: only a serious one in hand is listed', old.id using errcode = 'OM012';
    end if;
    if not prog and (who not in ('approver', 'commander') or new.listed_account is distinct from me) then
      raise exception 'danger %: not his to list', old.id using errcode = 'OM014';
    end if;
    if new.listed_account = any (danger_rectifiers(old.id)) then
      raise exception 'danger %: who put it right does not take it off the list', old.id using errcode = 'OM013';
    end if;
  end if;

  -- The first of two reviews happens inside a state.
  if new.first_reviewer_account is distinct from old.first_reviewer_account and new.first_reviewer_account is not null then
    if old.state <> 'reviewing' or new.state <> 'reviewing' then
      raise exception 'danger %: it is not in review', old.id using errcode = 'OM012';
    end if;
    if not prog and (who <> 'duty_officer' or new.first_reviewer_account is distinct from me) then
      raise exception 'danger %: not his to review', old.id using errcode = 'OM014';
    end if;
    if new.first_reviewer_account = any (danger_rectifiers(old.id)) then
      raise exception 'danger %: who put it right does not review it', old.id using errcode = 'OM013';
    end if;
  end if;
  if step is null then
    if new.state = 'graded' and (new.level is null or new.due_at is null or coalesce(btrim(new.responsible_unit), '') = '' or coalesce(btrim(new.interim_measure), '') = '') then
      raise exception 'danger %: a graded one has level, unit, deadline and interim measure', old.id using errcode = 'OM012';
    end if;
    return new;
  end if;

  -- What each step needs.
  if new.state = 'verified' and coalesce(new.code, '') = '' then
    raise exception 'danger %: what is accepted has a number', old.id using errcode = 'OM012';
  end if;
  if new.state = 'graded' and old.state <> 'pending_approval' then
    if new.level is null or new.due_at is null or coalesce(btrim(new.responsible_unit), '') = '' then
      raise exception 'danger %: level, unit and deadline are needed', old.id using errcode = 'OM012';
    end if;
    if not new.fixed_on_spot and coalesce(btrim(new.interim_measure), '') = '' then
      raise exception 'danger %: an interim measure is needed', old.id using errcode = 'OM012';
    end if;
    if not prog and new.graded_account is distinct from me then
      raise exception 'danger %: who graded it signs it', old.id using errcode = 'OM014';
    end if;
  end if;
  if step = 'graded>rectifying' and new.level is distinct from 2 then
    raise exception 'danger %: a serious one goes by its plan', old.id using errcode = 'OM012';
  end if;
  if new.state = 'pending_approval' then
    if new.level is distinct from 1 or coalesce(btrim(new.plan_responsibility), '') = '' or coalesce(btrim(new.plan_measures), '') = ''
       or coalesce(btrim(new.plan_funds), '') = '' or coalesce(btrim(new.plan_deadline), '') = '' or coalesce(btrim(new.plan_contingency), '') = '' then
      raise exception 'danger %: a serious one with a whole plan is put to approval', old.id using errcode = 'OM012';
    end if;
    if not prog and new.plan_account is distinct from me then
      raise exception 'danger %: who submits the plan signs it', old.id using errcode = 'OM014';
    end if;
  end if;
  if step = 'pending_approval>rectifying' then
    if not prog and new.approved_account is distinct from me then
      raise exception 'danger %: who approves signs it', old.id using errcode = 'OM014';
    end if;
    if new.approved_account in (new.plan_account, new.graded_account) then
      raise exception 'danger %: who graded it or made its plan does not approve it', old.id using errcode = 'OM013';
    end if;
  end if;
  if new.state = 'reviewing' then
    if new.rectified_at is null or not prog and new.rectifier_account is distinct from me then
      raise exception 'danger %: who put it right, and when', old.id using errcode = 'OM012';
    end if;
    if step = 'reported>reviewing' and not new.fixed_on_spot then
      raise exception 'danger %: it is not fixed on the spot', old.id using errcode = 'OM012';
    end if;
    if num_nonnulls(new.first_reviewer_account, new.reviewer_account) > 0 then
      raise exception 'danger %: a new round has no review yet', old.id using errcode = 'OM012';
    end if;
  end if;
  if step = 'reviewing>rectifying' and (new.level is null or new.due_at is null or new.level = 1 and new.approved_account is null) then
    raise exception 'danger %: a level and a deadline first', old.id using errcode = 'OM012';
  end if;
  if new.state = 'closed' then
    if not prog and new.reviewer_account is distinct from me or new.closed_at is null then
      raise exception 'danger %: nobody closes it as nobody', old.id using errcode = 'OM014';
    end if;
    other := danger_rectifiers(old.id);
    if new.reviewer_account = any (other) or new.first_reviewer_account = any (other) then
      raise exception 'danger %: who put it right does not review it', old.id using errcode = 'OM013';
    end if;
    if new.second_review and (new.first_reviewer_account is null or new.first_reviewer_account = new.reviewer_account) then
      raise exception 'danger %: two persons review it', old.id using errcode = 'OM013';
    end if;
    if new.listed then
      raise exception 'danger %: it is still listed', old.id using errcode = 'OM012';
    end if;
    if coalesce(new.code, '') = '' then
      raise exception 'danger %: what is closed has a number', old.id using errcode = 'OM012';
    end if;
  end if;
  return new;
end
$$;
create trigger danger_life before insert or update or delete on dangers for each row execute function danger_life();

-- Rules and lists -----------------------------------------------------------------------------

insert into rule_set (rule, version, title_zh, title_en, standard, responsible, body) values
 ('danger_deadlines', 1, '隐患整改期限与复查', 'Deadlines and reviews of hidden dangers', '经验取值:一个双重预防系统的默认期限(一般 7 日、重大 15 日),不是法规条文', '应急管理局 安全生产基础科',
  '{"levels": {"1": {"days": 15}, "2": {"days": 7}}, "remind_days": 3, "second_review": "none",
    "extension": {"max_days": 30, "times": 2}}'),
 ('post_card', 1, '岗位处置卡用语', 'Words of the post card', '地质灾害防灾避险明白卡、隐患处置要点,一般做法', '应急管理局 应急指挥科',
  '{"signal": "连续急促敲锣或口哨;高音喇叭、村村响广播喊话", "phones": "火警 119 · 报警 110 · 急救 120",
    "hazards": {
     "landslide": ["看裂缝、看渗水、看树歪:有变化立即上报并敲锣", "向滑坡两侧撤离,不顺坡跑", "清点人数,人不到齐不收队", "解除前任何人不得返回"],
     "collapse": ["听到落石声、见到掉块立即上报", "向两侧和高处撤离,远离陡崖", "封闭下方道路,两头设岗", "解除前任何人不得返回"],
     "debris_flow": ["听沟谷轰鸣、看水变浑或断流:立即发信号", "向沟谷两侧高处撤离,不顺沟跑、不过沟", "清点人数,人不到齐不收队", "解除前任何人不得返回"],
     "subsidence": ["见地面裂缝、下沉立即围挡并上报", "人员撤到裂缝以外,切断水电气", "禁止车辆通行"],
     "flood": ["水位到警戒线即巡堤,一小时一报", "先转移低洼处和老弱病残", "不下水、不过漫水桥"],
     "waterlogging": ["封闭下穿通道、地下空间入口", "切断积水处电源", "引导人员到高处"]},
    "dangers": {
     "fire": ["立即清通道、断电断气", "能处置的当场处置并拍照", "不能处置的设专人看守"],
     "hazchem": ["停止作业,撤离无关人员到上风向", "严禁明火和手机", "报企业值班室和应急局,等专业人员"],
     "geology": ["设警戒线,人员撤出危险区", "雨天每小时巡查一次", "有变化立即发信号转移"],
     "flood": ["设警示标志", "备沙袋、块石,专人巡查", "险情扩大立即转移下游人员"],
     "gas": ["关阀、开窗,不开关电器", "疏散人员到室外", "报燃气公司抢修"],
     "building": ["停止使用,人员撤出", "设警戒线,禁止靠近", "报住建部门鉴定"]},
    "usual": ["设警示标志,专人看守", "不能当场消除的先采取临时管控措施", "有险情立即上报并转移人员"]}');

insert into code_list (list, kind, title_zh, title_en, standard, verified) values
 ('measure_kind',  'list', '措施类别', 'Kind of measure', null, false),
 ('measure_state', 'list', '措施状态', 'State of a measure', null, false);
insert into code_item (list, code, title_zh, title_en, sort) values
 ('measure_kind', 'system', '制度', 'System', 1), ('measure_kind', 'engineering', '工程治理', 'Engineering', 2), ('measure_kind', 'management', '管理', 'Management', 3),
 ('measure_kind', 'technical', '技术', 'Technical', 4), ('measure_kind', 'training', '培训教育', 'Training', 5), ('measure_kind', 'emergency', '应急处置', 'Emergency', 6),
 ('measure_state', 'planned', '拟定', 'Planned', 1), ('measure_state', 'in_force', '执行中', 'In force', 2), ('measure_state', 'done', '已完成', 'Done', 3), ('measure_state', 'abolished', '已废止', 'Abolished', 4);
insert into code_item (list, code, title_zh, title_en, sort) values ('danger_source', 'reopen', '重新发现', 'Found again', 90);
