-- Zoning plans (区划方案): versions of a series, edits that can be undone, comments and
-- reviews, a life cycle in which the state decides what may change. The coordinates of a
-- plan lie on a grid of 1e-8 degree; whether its zones fit together is decided in Go, in
-- integers. What is published never changes: the triggers below hold that whoever writes.

-- Plans ------------------------------------------------------------------------------

alter table plan drop constraint plan_state_check;
alter table plan add constraint plan_state_check check (state in
  ('draft', 'consultation', 'expert_review', 'submitted', 'in_review', 'returned', 'approved', 'published', 'superseded', 'withdrawn'));

alter table plan
  add column ladder            text,                 -- code list of the levels; null: the usual one of the kind
  add column unit              text not null default 'free' check (unit in ('free', 'village', 'township', 'cell_1km', 'cell_30s')),
  add column area              geometry(Geometry,4490),  -- what the zones cover, on the grid, with every node of theirs; null: no boundary
  add column note              text,
  add column responsible       text,                 -- 编制单位
  add column created_account   uuid,
  add column submitted_at      timestamptz,
  add column submitted_by      text,
  add column submitted_account uuid,
  add column approved_at       timestamptz,
  add column approved_by       text,
  add column approved_account  uuid,
  add column published_at      timestamptz,
  add column published_by      text,
  add column published_account uuid,
  add column withdrawn_at      timestamptz,
  add column withdrawn_by      text,
  add column updated_at        timestamptz not null default now(),
  add constraint plan_area_ok check (area is null or geom_ok(area)),
  add constraint plan_effective check (effective_to is null or effective_from is null or effective_to >= effective_from),
  -- 审批分离: the person who submitted neither approves nor publishes.
  add constraint plan_four_eyes check (approved_account is null or submitted_account is null or approved_account <> submitted_account),
  add constraint plan_publisher check (published_account is null or submitted_account is null or published_account <> submitted_account);
create index plan_series on plan (series, version_no);
create index plan_scope on plan using gist (scope);

-- A version follows the one before: its number and parent cannot be chosen freely.
-- At most one version of a series is in force on a day.
create extension if not exists btree_gist;
alter table plan add constraint plan_one_in_force exclude using gist
  (series with =, daterange(effective_from, effective_to) with &&)
  where (state in ('published', 'superseded') and effective_from is not null);

-- Edits ------------------------------------------------------------------------------

-- One step of drawing. The client makes edit_id, so a repeated request is recognised.
create table plan_edit (
  plan        uuid not null references plan on delete cascade,
  edit_id     uuid not null,
  seq         bigint generated always as identity,
  title_zh    text not null,
  title_en    text not null,
  ops         jsonb not null check (jsonb_typeof(ops) = 'array'),
  undoes      uuid,                                  -- the edit whose effect this one takes back
  area_before geometry(Geometry,4490),               -- only where nodes were added to the boundary
  area_after  geometry(Geometry,4490),
  account     uuid,
  actor       text not null default feed_actor(),
  at          timestamptz not null default now(),
  primary key (plan, edit_id),
  foreign key (plan, undoes) references plan_edit (plan, edit_id)
);
create unique index plan_edit_seq on plan_edit (plan, seq);
create index plan_edit_undoes on plan_edit (plan, undoes) where undoes is not null;

-- What an edit did to one zone, whole: geometry and attributes before and after.
create table plan_edit_zone (
  plan        uuid not null,
  edit_id     uuid not null,
  zone        uuid not null,
  before      jsonb,                                 -- null: the edit made the zone
  before_geom geometry(Geometry,4490),
  after       jsonb,                                 -- null: the edit removed it
  after_geom  geometry(Geometry,4490),
  primary key (plan, edit_id, zone),
  foreign key (plan, edit_id) references plan_edit on delete cascade
);

-- Life cycle -------------------------------------------------------------------------

create table plan_event (
  plan       uuid not null references plan on delete cascade,
  seq        bigint generated always as identity,
  from_state text,
  to_state   text not null,
  note       text,
  account    uuid,
  actor      text not null default feed_actor(),
  name       text,
  at         timestamptz not null default now(),
  primary key (plan, seq)
);

-- 逐单元审查: the last word on each zone in this round.
create table plan_review (
  plan     uuid not null references plan on delete cascade,
  zone     uuid not null,
  verdict  text not null check (verdict in ('accepted', 'returned')),
  reason   text,
  zone_version bigint not null,                      -- of the zone that was looked at
  account  uuid,
  actor    text not null default feed_actor(),
  name     text,
  at       timestamptz not null default now(),
  primary key (plan, zone),
  check (verdict = 'accepted' or length(btrim(reason)) >= 2)
);

-- 意见: pinned to a place or a zone or to the whole; answered one by one.
create table plan_comment (
  id          uuid primary key default uuid_v7(),
  plan        uuid not null references plan on delete cascade,
  round       text not null check (round in ('drafting', 'consultation', 'expert_review', 'review')),
  zone        uuid,
  geom        geometry(Geometry,4490) check (geom is null or geom_ok(geom)),
  unit        text,                                  -- whose opinion: office, expert
  body        text not null check (length(btrim(body)) between 1 and 4000),
  answer      text check (answer in ('adopted', 'partly', 'not_adopted')),
  reason      text,
  answered_by text,
  answered_account uuid,
  answered_at timestamptz,
  account     uuid,
  actor       text not null default feed_actor(),
  name        text,
  at          timestamptz not null default now(),
  version     bigint not null default 1,
  check ((answer is null) = (answered_at is null)),
  check (answer is null or answer = 'adopted' or length(btrim(reason)) >= 2)
);
create index plan_comment_plan on plan_comment (plan, at);

-- The floor --------------------------------------------------------------------------

-- What belongs to a plan is seen by whoever sees the plan and written by whoever may
-- write in its area. A comment is the exception: who sees a plan may say something.
create function plan_part_guard(tab text) returns void
language plpgsql set search_path = public, pg_temp as $fn$
declare
  mine text := $p$exists (select from public.plan p where p.id = plan and p.scope <@ current_setting('app.write')::int8multirange)$p$;
  seen text := 'exists (select from public.plan p where p.id = plan)';
begin
  execute format('alter table %I enable row level security', tab);
  execute format('alter table %I force row level security', tab);
  execute format('create policy reading on %I for select using (%s)', tab, seen);
  execute format('create policy adding on %I for insert with check (%s)', tab, case when tab = 'plan_comment' then seen else mine end);
  execute format('create policy changing on %I for update using (%s) with check (%s)', tab, mine, mine);
  execute format('create policy removing on %I for delete using (%s)', tab, mine);
end
$fn$;
do $$
declare t text;
begin
  foreach t in array array['plan_edit', 'plan_edit_zone', 'plan_event', 'plan_review', 'plan_comment'] loop
    perform plan_part_guard(t);
  end loop;
end
$$;
-- Edits and events are added, never changed. A draft that is thrown away takes its edits along.
revoke update on plan_edit, plan_edit_zone, plan_event from onemap_app;
revoke delete on plan_event from onemap_app;

-- What is published never changes ----------------------------------------------------

create function plan_is_demo(dataset uuid) returns boolean
language sql stable as $$ select coalesce((select d.demo from public.dataset d where d.id = dataset), false) $$;

-- plan_frozen holds the life cycle: which state may follow which, and what of a plan
-- may change in it. Demo rows are exempt: they are put in whole and taken out whole.
create function plan_frozen() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  if plan_is_demo(old.dataset) then
    return case tg_op when 'DELETE' then old else new end;
  end if;
  if tg_op = 'DELETE' then
    if old.state not in ('draft', 'returned') or old.submitted_at is not null then
      raise exception 'plan % is not a draft: it is withdrawn, not deleted', old.id using errcode = 'OM001';
    end if;
    return old;
  end if;
  if new.state <> old.state and not (old.state || '>' || new.state) = any (array[
    'draft>consultation', 'draft>expert_review', 'draft>submitted', 'draft>withdrawn',
    'returned>consultation', 'returned>expert_review', 'returned>submitted', 'returned>withdrawn',
    'consultation>draft', 'consultation>withdrawn', 'expert_review>draft', 'expert_review>withdrawn',
    'submitted>in_review', 'submitted>draft', 'submitted>withdrawn',
    'in_review>returned', 'in_review>approved', 'in_review>withdrawn',
    'approved>published', 'approved>returned', 'approved>withdrawn',
    'published>superseded', 'published>withdrawn', 'superseded>withdrawn']) then
    raise exception 'plan %: % cannot follow %', old.id, new.state, old.state using errcode = 'OM002';
  end if;
  if (new.series, new.version_no, new.hazard, new.kind, new.admin_code, new.exhaustive) is distinct from
     (old.series, old.version_no, old.hazard, old.kind, old.admin_code, old.exhaustive) then
    raise exception 'plan %: what it is of cannot change', old.id using errcode = 'OM001';
  end if;
  if old.state not in ('draft', 'returned') and
     (new.title, new.ladder, new.unit, new.method, st_asewkb(new.area)) is distinct from
     (old.title, old.ladder, old.unit, old.method, st_asewkb(old.area)) then
    raise exception 'plan % is %: it cannot be edited', old.id, old.state using errcode = 'OM001';
  end if;
  if old.published_at is not null and
     (new.document_no, new.effective_from, new.scope, new.published_at, new.published_by, new.published_account, new.approved_at, new.approved_by, new.approved_account, new.submitted_at, new.submitted_by, new.submitted_account) is distinct from
     (old.document_no, old.effective_from, old.scope, old.published_at, old.published_by, old.published_account, old.approved_at, old.approved_by, old.approved_account, old.submitted_at, old.submitted_by, old.submitted_account) then
    raise exception 'plan % is published: it never changes', old.id using errcode = 'OM001';
  end if;
  -- 审批分离, by person: nobody approves what he drew.
  if new.state in ('approved', 'published') and new.state <> old.state and exists (
    select from plan_edit e where e.plan = new.id and e.account = case new.state when 'approved' then new.approved_account else new.published_account end) then
    raise exception 'plan %: who drew it does not approve or publish it', old.id using errcode = 'OM003';
  end if;
  return new;
end
$$;
create trigger plan_frozen before update or delete on plan for each row execute function plan_frozen();

-- zones_frozen holds the rows of plans. Rows without a plan are a layer like another.
create function zones_frozen() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  at_state text;
  r zones := case tg_op when 'DELETE' then old else new end;
begin
  if r.plan is null or plan_is_demo(r.dataset) then
    return r;
  end if;
  if tg_op = 'UPDATE' and (old.plan is distinct from new.plan or old.zone is distinct from new.zone) then
    raise exception 'zone %: it stays in its plan', old.id using errcode = 'OM001';
  end if;
  select p.state into at_state from plan p where p.id = r.plan;
  if at_state in ('draft', 'returned') then
    if r.published then
      raise exception 'zone %: a draft is not published', r.id using errcode = 'OM001';
    end if;
    return r;
  end if;
  -- Publishing shows the rows; a later version or a repeal says until when they hold.
  if tg_op = 'UPDATE' and at_state in ('published', 'superseded', 'withdrawn') and new.published and
     (not old.published or new.valid_from is not distinct from old.valid_from) and
     (new.level, new.kind, new.hazard, new.name, new.code, new.reason, new.countermeasure, new.responsible, new.population, new.area_km2, new.attrs, new.scope, new.admin_code, new.dataset, new.source_key, st_asewkb(new.geom)) is not distinct from
     (old.level, old.kind, old.hazard, old.name, old.code, old.reason, old.countermeasure, old.responsible, old.population, old.area_km2, old.attrs, old.scope, old.admin_code, old.dataset, old.source_key, st_asewkb(old.geom)) then
    return new;
  end if;
  raise exception 'zone %: its plan is %', r.id, coalesce(at_state, 'absent') using errcode = 'OM001';
end
$$;
create trigger zones_frozen before insert or update or delete on zones for each row execute function zones_frozen();
