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

-- At most one version of a series is in force on a day, one that was repealed included:
-- it held until its last day. effective_to is the first day it no longer holds.
create extension if not exists btree_gist;
alter table plan add constraint plan_one_in_force exclude using gist
  (series with =, daterange(effective_from, effective_to) with &&)
  where (effective_from is not null);
-- At most one version of a series is being worked on.
create unique index plan_open_version on plan (series)
  where state in ('draft', 'consultation', 'expert_review', 'submitted', 'in_review', 'returned', 'approved');

-- A series is the plans of one hazard and kind of one area: whoever would begin another
-- continues the one there is by its next version, so that one answer holds on a day.
alter table plan add constraint plan_one_series exclude using gist
  (hazard with =, kind with =, admin_code with =, series with <>)
  where (state <> 'withdrawn');

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
  made_before jsonb,                                 -- only of a computation: how the plan came to be before it
  made_after  jsonb,                                 -- {"method", "unit"}, and since; taken back with it
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
  plan        uuid not null references plan on delete cascade,
  edit_id     uuid not null,
  zone        uuid not null,
  before      jsonb,                                 -- null: the edit made the zone
  before_geom geometry(Geometry,4490),
  after       jsonb,                                 -- null: the edit removed it
  after_geom  geometry(Geometry,4490),
  primary key (plan, edit_id, zone),
  foreign key (plan, edit_id) references plan_edit on delete cascade
);
create index plan_edit_zone_zone on plan_edit_zone (plan, zone);

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
  check (verdict = 'accepted' or length(btrim(coalesce(reason, ''))) >= 2)
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
  check (answer is null or answer = 'adopted' or length(btrim(coalesce(reason, ''))) >= 2)
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
-- Edits and events are added, never changed, and go only with a draft that is thrown
-- away (the cascade asks no right of the app role). An opinion keeps its words: what is
-- added is the answer.
revoke update, delete on plan_edit, plan_edit_zone, plan_event from onemap_app;
revoke update, delete on plan_comment from onemap_app;
grant update (answer, reason, answered_by, answered_account, answered_at, version) on plan_comment to onemap_app;

-- What is published never changes ----------------------------------------------------

create function plan_is_demo(dataset uuid) returns boolean
language sql stable as $$ select coalesce((select d.demo from public.dataset d where d.id = dataset), false) $$;

-- plan_taken_out says that the program itself is at work, which alone clears the demo.
create function plan_taken_out() returns boolean
language sql stable as $$ select coalesce(current_setting('app.role', true), '') = 'system' $$;

-- plan_makers are the persons who drew or submitted a version: who made it, who edited
-- it, who had zones made by a program (a step from a state to the same one), who
-- submitted it in any round. None of them approves or publishes it.
create function plan_makers(plan_id uuid) returns uuid[]
language sql stable set search_path = public, pg_temp as $$
  select coalesce(array_agg(distinct m.account), '{}') from (
    select p.created_account as account from plan p where p.id = plan_id
    union all select p.submitted_account from plan p where p.id = plan_id
    union all select e.account from plan_edit e where e.plan = plan_id
    union all select v.account from plan_event v where v.plan = plan_id and (v.to_state = 'submitted' or v.to_state = v.from_state)) m
  where m.account is not null
$$;

-- plan_frozen holds the life cycle: which state may follow which, and what of a plan
-- may change in it. The demo county's own plans are put in as published and taken out
-- whole; versions that people make of them are held like any other, and go with it: when
-- the program takes it out, never by the hand of a person.
create function plan_frozen() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  kept plan;
begin
  if tg_op = 'INSERT' then
    if new.state <> 'draft' and not (plan_is_demo(new.dataset) and new.created_account is null) then
      raise exception 'plan %: it begins as a draft', new.id using errcode = 'OM002';
    end if;
    return new;
  end if;
  if plan_is_demo(old.dataset) and (old.created_account is null or tg_op = 'DELETE' and plan_taken_out()) then
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
  -- What it is of, and who made it.
  if (new.id, new.series, new.version_no, new.parent, new.hazard, new.kind, new.admin_code, new.scope, new.exhaustive, new.dataset, new.created_at, new.created_by, new.created_account) is distinct from
     (old.id, old.series, old.version_no, old.parent, old.hazard, old.kind, old.admin_code, old.scope, old.exhaustive, old.dataset, old.created_at, old.created_by, old.created_account) then
    raise exception 'plan %: what it is of cannot change', old.id using errcode = 'OM001';
  end if;
  -- Drawn on only while it is a draft.
  if old.state not in ('draft', 'returned') and
     (new.title, new.ladder, new.unit, new.method, new.note, new.responsible, st_asewkb(new.area)) is distinct from
     (old.title, old.ladder, old.unit, old.method, old.note, old.responsible, st_asewkb(old.area)) then
    raise exception 'plan % is %: it cannot be edited', old.id, old.state using errcode = 'OM001';
  end if;
  -- Each step says who took it, and only that step may.
  if (new.submitted_at, new.submitted_by, new.submitted_account) is distinct from (old.submitted_at, old.submitted_by, old.submitted_account)
     and not (new.state = 'submitted' and old.state <> 'submitted') then
    raise exception 'plan %: it is not being submitted', old.id using errcode = 'OM001';
  end if;
  if (new.approved_at, new.approved_by, new.approved_account) is distinct from (old.approved_at, old.approved_by, old.approved_account)
     and not (new.state = 'approved' and old.state <> 'approved')
     and not (new.state in ('returned', 'submitted') and num_nonnulls(new.approved_at, new.approved_by, new.approved_account) = 0) then
    raise exception 'plan %: it is not being approved', old.id using errcode = 'OM001';
  end if;
  if (new.published_at, new.published_by, new.published_account, new.document_no, new.effective_from) is distinct from
     (old.published_at, old.published_by, old.published_account, old.document_no, old.effective_from)
     and not (new.state = 'published' and old.state <> 'published') then
    raise exception 'plan %: it is not being published', old.id using errcode = 'OM001';
  end if;
  if new.state <> old.state then
    if new.state = 'submitted' and (new.submitted_at is null or new.submitted_account is null)
       or new.state = 'approved' and (new.approved_at is null or new.approved_account is null)
       or new.state = 'published' and (new.published_at is null or new.published_account is null or new.effective_from is null or coalesce(btrim(new.document_no), '') = '') then
      raise exception 'plan %: nobody is % by nobody', old.id, new.state using errcode = 'OM002';
    end if;
    -- 审批分离, by person: nobody approves or publishes what he drew or submitted.
    if new.state in ('approved', 'published')
       and (case new.state when 'approved' then new.approved_account else new.published_account end) = any (plan_makers(new.id)) then
      raise exception 'plan %: who drew or submitted it does not do that', old.id using errcode = 'OM003';
    end if;
  end if;
  -- Published: all of it but until when it holds, and the words about its end.
  if old.published_at is not null then
    kept := new;
    kept.state := old.state; kept.effective_to := old.effective_to; kept.version := old.version; kept.updated_at := old.updated_at;
    kept.withdrawn_at := old.withdrawn_at; kept.withdrawn_by := old.withdrawn_by;
    if kept is distinct from old then
      raise exception 'plan % is published: it never changes', old.id using errcode = 'OM001';
    end if;
    if old.effective_to is not null and (new.effective_to is null or new.effective_to > old.effective_to) then
      raise exception 'plan %: it ended, and that is not put off', old.id using errcode = 'OM001';
    end if;
  end if;
  return new;
end
$$;
create trigger plan_frozen before insert or update or delete on plan for each row execute function plan_frozen();

-- Publishing and superseding write whole plans: with room on the page no index is touched.
alter table zones set (fillfactor = 50);

-- zones_frozen holds the rows of plans. Rows without a plan are a layer like another.
-- The row of the plan is held meanwhile: no edit slips in beside a submission.
create function zones_frozen() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  p record;
  kept zones;
begin
  if tg_op = 'UPDATE' and (old.plan, old.zone) is distinct from (new.plan, new.zone) and num_nonnulls(old.plan, new.plan) > 0 then
    raise exception 'zone %: it stays in its plan', old.id using errcode = 'OM001';
  end if;
  if (case tg_op when 'DELETE' then old.plan else new.plan end) is null then
    return case tg_op when 'DELETE' then old else new end;
  end if;
  select q.id, q.state, q.dataset, q.dataset is not null and plan_is_demo(q.dataset) as demo, q.created_account is null as loaded into p
  from plan q where q.id = case tg_op when 'DELETE' then old.plan else new.plan end for share;
  if p.demo and (p.loaded or tg_op = 'DELETE' and plan_taken_out()) then
    return case tg_op when 'DELETE' then old else new end;
  end if;
  if p.state in ('draft', 'returned') then
    if tg_op = 'DELETE' then
      return old;
    end if;
    if new.published then
      raise exception 'zone %: a draft is not published', new.id using errcode = 'OM001';
    end if;
    if new.zone is null then
      raise exception 'zone %: it has no name that stays', new.id using errcode = 'OM001';
    end if;
    if new.dataset is null and p.demo then
      -- What people draw on the demo county goes with it.
      new.dataset := p.dataset;
      new.source_key := new.plan || '/' || new.zone;
    end if;
    return new;
  end if;
  -- Publishing shows the rows; a later version or a repeal says until when they hold.
  if tg_op = 'UPDATE' and p.state in ('published', 'superseded', 'withdrawn') and new.published then
    kept := new;
    kept.version := old.version; kept.recorded_at := old.recorded_at; kept.recorded_by := old.recorded_by;
    kept.valid_to := old.valid_to;
    if not old.published then
      kept.published := false;
      kept.valid_from := old.valid_from;
    end if;
    if kept is not distinct from old and (old.valid_to is null or new.valid_to <= old.valid_to) then
      return new;
    end if;
  end if;
  raise exception 'zone %: its plan is %', coalesce(new.id, old.id), coalesce(p.state, 'absent') using errcode = 'OM001';
end
$$;
create trigger zones_frozen before insert or update or delete on zones for each row execute function zones_frozen();

-- A verdict is given while the version is in review, and stays.
create function plan_review_frozen() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  at_state text;
begin
  if tg_op = 'DELETE' then
    -- By the cascade of a plan that goes, or of a zone whose verdict means nothing any more.
    select p.state into at_state from plan p where p.id = old.plan;
    if at_state is null or at_state in ('draft', 'returned', 'in_review') then
      return old;
    end if;
  else
    select p.state into at_state from plan p where p.id = new.plan for share;
    if at_state = 'in_review' then
      return new;
    end if;
  end if;
  raise exception 'review of plan %: it is %', coalesce(new.plan, old.plan), coalesce(at_state, 'absent') using errcode = 'OM001';
end
$$;
create trigger plan_review_frozen before insert or update or delete on plan_review for each row execute function plan_review_frozen();
