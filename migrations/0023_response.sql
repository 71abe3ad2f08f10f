-- 应急响应, 预案, 文书: the response as an object of its own beside the level of an incident
-- and the colour of a warning; clauses of contingency plans as data and the tasks they
-- become; papers that are drafted, reviewed and signed; who sits at the desk.
--
-- Records and no layers, as of the field (0017): scopes, a trigger of their own to the
-- change feed, row-level security. They have no shape: a response is for an area.
--
-- Errors as of dangers: OM011 it does not change any more, OM012 out of order, OM013 four
-- eyes, OM014 not his to do.

create function response_feed() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if tg_op = 'INSERT' then
    insert into change_log (layer, id, op, new_scope, actor) values (tg_table_name, new.id, 'I', new.scopes, feed_actor());
  elsif tg_op = 'UPDATE' then
    insert into change_log (layer, id, op, old_scope, new_scope, actor) values (tg_table_name, new.id, 'U', old.scopes, new.scopes, feed_actor());
  else
    insert into change_log (layer, id, op, old_scope, actor) values (tg_table_name, old.id, 'D', old.scopes, feed_actor());
  end if;
  return null;
end
$$;
revoke all on function response_feed() from public;

-- response_install is field_install for records without a shape.
create function response_install(tab text) returns void
language plpgsql set search_path = public, pg_temp as $fn$
begin
  execute format('create index %I on %I using gist (scopes)', tab || '_scopes', tab);
  execute format('create trigger before_row before insert or update on %I for each row execute function field_before_row()', tab);
  execute format('create trigger feed after insert or update or delete on %I for each row execute function response_feed()', tab);
  execute format('create trigger no_truncate before truncate on %I for each statement execute function layer_no_truncate()', tab);
  execute format('alter table %I enable row level security', tab);
  execute format('alter table %I force row level security', tab);
end
$fn$;
revoke all on function response_install(text) from public;

-- 预案 -----------------------------------------------------------------------------------------

create table contingencies (
  id              uuid primary key default uuid_v7(),
  dataset         uuid references dataset,
  title           text not null check (length(btrim(title)) between 1 and 200),
  kind            text not null check (kind in ('overall', 'special', 'department', 'grassroots', 'enterprise')),
  hazard          text check (length(hazard) <= 64),      -- null: of any
  area            text not null check (code_scope(area) is not null),
  unit            text not null check (length(btrim(unit)) between 1 and 200),   -- who issued it
  document_number text check (length(document_number) <= 100),
  version_text    text check (length(version_text) <= 50),
  issued_on       date,
  review_due      date,
  lead            text check (length(lead) <= 200),       -- 专项指挥部
  state           text not null default 'valid' check (state in ('valid', 'withdrawn')),
  scope           int8range not null generated always as (code_scope(area)) stored,
  scopes          int8multirange not null generated always as (int8multirange(code_scope(area))) stored,
  account         uuid,
  actor           text not null default feed_actor(),
  name            text not null default '',
  version         bigint not null default 1,
  created_at      timestamptz not null default clock_timestamp(),
  updated_at      timestamptz not null default clock_timestamp(),
  updated_by      text not null default feed_actor(),
  check (review_due is null or issued_on is null or review_due >= issued_on)
);
comment on table contingencies is '应急预案:总体、专项、部门、基层、企业';
select response_install('contingencies');
select field_policies('contingencies', 'coalesce(scope && current_setting(''app.read'')::int8multirange, false)',
  'current_setting(''app.role'') in (''duty_officer'', ''commander'', ''system'') and coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)',
  'current_setting(''app.role'') in (''duty_officer'', ''commander'', ''system'') and coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)');

-- A clause says who does what within how many minutes. Its level is the mildest response
-- at which it applies: what Ⅳ asks for, Ⅲ to Ⅰ ask for too; null is every level. A clause
-- a task was made of stays as it was: a new wording is a new clause.
create table contingency_clauses (
  id          uuid primary key default uuid_v7(),
  contingency uuid not null references contingencies on delete cascade,
  seq         integer not null check (seq between 1 and 10000),
  hazard      text check (length(hazard) <= 64),          -- null: as its plan
  level       smallint check (level between 1 and 4),
  action      text not null check (length(btrim(action)) between 1 and 200),
  unit        text not null check (length(btrim(unit)) between 1 and 200),
  minutes     integer check (minutes between 1 and 525600),
  text        text not null default '' check (length(text) <= 4000),
  retired_at  timestamptz,
  created_at  timestamptz not null default clock_timestamp()
);
comment on table contingency_clauses is '预案条款:灾种、响应级别、动作、责任单位、时限';
create unique index contingency_clauses_seq on contingency_clauses (contingency, seq) where retired_at is null;
alter table contingency_clauses enable row level security;
alter table contingency_clauses force row level security;
create policy reading on contingency_clauses for select using (exists (select from public.contingencies c where c.id = contingency));
create policy adding on contingency_clauses for insert with check (current_setting('app.role') in ('duty_officer', 'commander', 'system')
  and exists (select from public.contingencies c where c.id = contingency and coalesce(c.scope <@ current_setting('app.write')::int8multirange, false)));
create policy changing on contingency_clauses for update using (current_setting('app.role') in ('duty_officer', 'commander', 'system')
  and exists (select from public.contingencies c where c.id = contingency and coalesce(c.scope <@ current_setting('app.write')::int8multirange, false)));
create policy removing on contingency_clauses for delete using (current_setting('app.role') = 'system');

create function contingency_clause_stays() returns trigger
language plpgsql as $$
begin
  if (new.id, new.contingency, new.seq, new.action, new.unit, new.text, new.created_at) is distinct from (old.id, old.contingency, old.seq, old.action, old.unit, old.text, old.created_at)
     or (new.hazard, new.level, new.minutes) is distinct from (old.hazard, old.level, old.minutes)
     or old.retired_at is not null then
    raise exception 'clause %: a new wording is a new clause', old.id using errcode = 'OM011';
  end if;
  return new;
end
$$;
create trigger stays before update on contingency_clauses for each row execute function contingency_clause_stays();

-- 应急响应 -------------------------------------------------------------------------------------

create table response (
  id              uuid primary key,
  dataset         uuid references dataset,
  title           text not null check (length(btrim(title)) between 1 and 200),
  kind            text not null check (length(kind) between 1 and 64),   -- of the list hazard
  level           smallint not null check (level between 1 and 4),
  state           text not null default 'drafted' check (state in ('drafted', 'active', 'ended')),
  area            text not null check (code_scope(area) is not null),
  incident        uuid,
  alert           uuid,
  contingency     uuid references contingencies on delete set null,
  condition       text not null default '' check (length(condition) <= 2000),   -- 启动条件
  lead            text not null default '' check (length(lead) <= 200),         -- 专项指挥部
  signed_by       text check (length(signed_by) <= 100),                        -- 签发人
  document_number text check (length(document_number) <= 100),
  started_at      timestamptz,
  adjusted_at     timestamptz,
  ended_at        timestamptz,
  exercise        boolean not null default false,
  scope           int8range not null generated always as (code_scope(area)) stored,
  scopes          int8multirange not null generated always as (int8multirange(code_scope(area))) stored,
  account         uuid,
  actor           text not null default feed_actor(),
  name            text not null default '',
  version         bigint not null default 1,
  created_at      timestamptz not null default clock_timestamp(),
  updated_at      timestamptz not null default clock_timestamp(),
  updated_by      text not null default feed_actor(),
  check ((state = 'drafted') = (started_at is null)),
  check ((state = 'ended') = (ended_at is not null)),
  check (state = 'drafted' or btrim(coalesce(signed_by, '')) <> ''),
  check (ended_at is null or ended_at >= started_at)
);
comment on table response is '应急响应:类型、级别、启动调整终止、签发人、文号';
create index response_active on response (started_at) where state = 'active';
create index response_incident on response (incident) where incident is not null;
select response_install('response');
select field_policies('response', 'coalesce(scope && current_setting(''app.read'')::int8multirange, false)',
  'current_setting(''app.role'') in (''duty_officer'', ''commander'', ''system'') and coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)',
  'current_setting(''app.role'') in (''duty_officer'', ''commander'', ''system'') and coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)');

create function response_life() returns trigger
language plpgsql as $$
begin
  if coalesce(current_setting('app.role', true), '') = 'system' then
    return new; -- the program itself takes data sets out
  end if;
  if old.state = 'ended' then
    raise exception 'response %: it has ended', old.id using errcode = 'OM011';
  end if;
  if new.state <> old.state and not (old.state || '>' || new.state) = any (array['drafted>active', 'active>ended']) then
    raise exception 'response %: % cannot follow %', old.id, new.state, old.state using errcode = 'OM012';
  end if;
  if old.state = 'active' and ((new.area, new.kind, new.exercise, new.started_at) is distinct from (old.area, old.kind, old.exercise, old.started_at)
     or new.incident is distinct from old.incident or new.alert is distinct from old.alert
     or new.level <> old.level and new.adjusted_at is not distinct from old.adjusted_at) then
    raise exception 'response %: an order is adjusted, not edited', old.id using errcode = 'OM011';
  end if;
  return new;
end
$$;
create trigger life before update on response for each row execute function response_life();

-- 启动、调整、终止: what was ordered, by whom it was signed, under which number. For ever.
create table response_act (
  id              bigint generated always as identity primary key,
  response        uuid not null references response on delete cascade,
  act             text not null check (act in ('start', 'adjust', 'end')),
  at              timestamptz not null,                    -- of the order
  recorded_at     timestamptz not null default clock_timestamp(),
  level           smallint not null check (level between 1 and 4),
  from_level      smallint check (from_level between 1 and 4),
  condition       text not null default '' check (length(condition) <= 2000),
  signed_by       text not null check (length(btrim(signed_by)) between 1 and 100),
  document_number text check (length(document_number) <= 100),
  note            text not null default '' check (length(note) <= 2000),
  account         uuid,
  actor           text not null default feed_actor(),
  name            text not null default ''
);
comment on table response_act is '响应的启动、调整、终止记录,只增';
create index response_act_response on response_act (response, id);
create index response_act_at on response_act (at);
revoke update, truncate on response_act from onemap_app;
alter table response_act enable row level security;
alter table response_act force row level security;
create policy reading on response_act for select using (exists (select from public.response r where r.id = response));
create policy adding on response_act for insert with check (current_setting('app.role') in ('duty_officer', 'commander', 'system')
  and exists (select from public.response r where r.id = response and coalesce(r.scope <@ current_setting('app.write')::int8multirange, false)));
create policy removing on response_act for delete using (current_setting('app.role') = 'system');

-- Tasks of clauses ------------------------------------------------------------------------------

create table response_tasks (
  id              uuid primary key default uuid_v7(),
  dataset         uuid references dataset,
  response        uuid references response on delete cascade,
  incident        uuid,
  clause          uuid references contingency_clauses on delete set null,
  contingency     text not null default '' check (length(contingency) <= 200),  -- its title when the task was made
  seq             integer not null default 0,
  action          text not null check (length(btrim(action)) between 1 and 200),
  unit            text not null check (length(btrim(unit)) between 1 and 200),
  text            text not null default '' check (length(text) <= 4000),
  level           smallint check (level between 1 and 4),
  minutes         integer check (minutes between 1 and 525600),
  area            text not null check (code_scope(area) is not null),
  exercise        boolean not null default false,
  state           text not null default 'waiting' check (state in ('waiting', 'acknowledged', 'done', 'refused')),
  sent_at         timestamptz not null default clock_timestamp(),
  due_at          timestamptz,
  acknowledged_at timestamptz,
  acknowledged_by text,                                    -- who of the unit said so
  done_at         timestamptz,
  done_by         text,
  refused_at      timestamptz,
  note            text check (length(note) <= 2000),
  logged_by       text,                                    -- who at the desk wrote it down
  scope           int8range not null generated always as (code_scope(area)) stored,
  scopes          int8multirange not null generated always as (int8multirange(code_scope(area))) stored,
  account         uuid,
  actor           text not null default feed_actor(),
  name            text not null default '',
  version         bigint not null default 1,
  created_at      timestamptz not null default clock_timestamp(),
  updated_at      timestamptz not null default clock_timestamp(),
  updated_by      text not null default feed_actor(),
  check (num_nonnulls(response, incident) > 0),
  check (state not in ('acknowledged', 'done') or acknowledged_at is not null),
  check ((state = 'done') = (done_at is not null)),
  check ((state = 'refused') = (refused_at is not null) and (state <> 'refused' or length(btrim(coalesce(note, ''))) > 0))
);
comment on table response_tasks is '响应任务:由预案条款生成,确认、完成、无法执行';
create unique index response_tasks_once on response_tasks (coalesce(response, incident), clause) where clause is not null;
create index response_tasks_response on response_tasks (response, seq);
create index response_tasks_open on response_tasks (due_at) where state in ('waiting', 'acknowledged');
select response_install('response_tasks');
select field_policies('response_tasks', 'coalesce(scope && current_setting(''app.read'')::int8multirange, false)',
  'current_setting(''app.role'') in (''duty_officer'', ''commander'', ''system'') and coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)',
  'current_setting(''app.role'') in (''duty_officer'', ''commander'', ''system'') and coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)');

-- What was asked for stays; when it was acknowledged and done is written once.
create function response_task_steps() returns trigger
language plpgsql as $$
begin
  if (new.action, new.unit, new.text, new.area, new.sent_at, new.seq) is distinct from (old.action, old.unit, old.text, old.area, old.sent_at, old.seq)
     or new.due_at is distinct from old.due_at or new.minutes is distinct from old.minutes or new.incident is distinct from old.incident
     or old.acknowledged_at is not null and (new.acknowledged_at, new.acknowledged_by) is distinct from (old.acknowledged_at, old.acknowledged_by)
     or old.done_at is not null then
    raise exception 'task %: what was asked and answered stays', old.id using errcode = 'OM011';
  end if;
  if new.state <> old.state and not (old.state || '>' || new.state) = any (array[
    'waiting>acknowledged', 'waiting>done', 'waiting>refused', 'acknowledged>done', 'acknowledged>refused', 'refused>acknowledged']) then
    raise exception 'task %: % cannot follow %', old.id, new.state, old.state using errcode = 'OM012';
  end if;
  return new;
end
$$;
create trigger steps before update on response_tasks for each row execute function response_task_steps();

-- Who sits at the desk ----------------------------------------------------------------------------

create table duty_sitting (
  id         uuid primary key default uuid_v7(),
  dataset    uuid references dataset,
  area       text not null default '' check (area = '' or code_scope(area) is not null),   -- '': of everywhere
  since      timestamptz not null,
  until      timestamptz check (until >= since),
  relieved_by text,                                        -- who sat down after him, null where he left
  scope      int8range not null generated always as (coalesce(code_scope(nullif(area, '')), every_scope())) stored,
  scopes     int8multirange not null generated always as (int8multirange(coalesce(code_scope(nullif(area, '')), every_scope()))) stored,
  account    uuid not null,
  actor      text not null default feed_actor(),
  name       text not null default '',
  version    bigint not null default 1,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  updated_by text not null default feed_actor()
);
comment on table duty_sitting is '值班坐席:谁从何时坐在值班台';
create unique index duty_sitting_now on duty_sitting (area) where until is null;
create index duty_sitting_since on duty_sitting (since);
select response_install('duty_sitting');
select field_policies('duty_sitting', 'coalesce(scope && current_setting(''app.read'')::int8multirange, false)',
  'current_setting(''app.role'') in (''duty_officer'', ''commander'', ''system'') and coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)',
  'current_setting(''app.role'') in (''duty_officer'', ''commander'', ''system'') and coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)');

create function duty_sitting_stays() returns trigger
language plpgsql as $$
begin
  if old.until is not null or (new.area, new.since) is distinct from (old.area, old.since) then
    raise exception 'sitting %: the log of the desk does not change', old.id using errcode = 'OM011';
  end if;
  return new;
end
$$;
create trigger stays before update on duty_sitting for each row execute function duty_sitting_stays();

-- 文书 -----------------------------------------------------------------------------------------

-- A paper is drafted, reviewed and signed. One that could not wait (先报后签) is reported
-- first: from then on it is what was reported, and the signature follows. Figures are kept
-- as they were then, each with how it was counted, as of when and whence.
create table papers (
  id             uuid primary key default uuid_v7(),
  dataset        uuid references dataset,
  kind           text not null check (kind in ('flash', 'special', 'handover')),   -- 快报 专报 交接班
  number         text check (length(number) <= 100),
  title          text not null check (length(btrim(title)) between 1 and 200),
  area           text not null check (code_scope(area) is not null),
  incident       uuid,
  response       uuid,
  period_from    timestamptz,
  period_to      timestamptz,
  exercise       boolean not null default false,
  addressee      text not null default '' check (length(addressee) <= 200),        -- 主送
  state          text not null default 'draft' check (state in ('draft', 'reviewed', 'reported', 'signed')),
  blocks         jsonb not null default '[]' check (jsonb_typeof(blocks) = 'array'),
  figures        jsonb not null default '[]' check (jsonb_typeof(figures) = 'array'),
  frozen_at      timestamptz,                                -- when the figures were
  sha256         text,                                       -- of what was frozen
  reviewed_at    timestamptz,
  reviewed_by    text,
  reviewed_account uuid,
  reported_at    timestamptz,
  reported_by    text,
  reported_account uuid,
  consulted      text check (length(consulted) <= 200),      -- 先报: whom he asked
  consulted_on_duty boolean,
  sign_due_at    timestamptz,
  signed_at      timestamptz,
  signed_by      text,
  signed_actor   text,
  signed_account uuid,
  late           boolean not null default false,             -- 补签 after its time
  editors        text[] not null default '{}',               -- who worded it; none of them signs it
  note           text check (length(note) <= 2000),
  scope          int8range not null generated always as (code_scope(area)) stored,
  scopes         int8multirange not null generated always as (int8multirange(code_scope(area))) stored,
  account        uuid,
  actor          text not null default feed_actor(),
  name           text not null default '',
  version        bigint not null default 1,
  created_at     timestamptz not null default clock_timestamp(),
  updated_at     timestamptz not null default clock_timestamp(),
  updated_by     text not null default feed_actor(),
  check ((state in ('reported', 'signed')) = (frozen_at is not null)),
  check ((state = 'signed') = (signed_at is not null)),
  check ((signed_at is null) = (signed_by is null)),
  check (state <> 'reported' or reported_at is not null and consulted is not null and sign_due_at is not null),
  check (frozen_at is null or sha256 is not null and number is not null),
  check (period_to is null or period_to > period_from)
);
comment on table papers is '快报、专报、交接班:起草、审核、签发;先报后签';
create index papers_created on papers (created_at desc, id);
create index papers_unsigned on papers (sign_due_at) where state = 'reported';
create index papers_response on papers (response) where response is not null;
create index papers_incident on papers (incident) where incident is not null;
select response_install('papers');
select field_policies('papers', 'coalesce(scope && current_setting(''app.sensitive'')::int8multirange, false)',
  'current_setting(''app.role'') in (''duty_officer'', ''commander'', ''system'') and coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)',
  'current_setting(''app.role'') in (''duty_officer'', ''commander'', ''approver'', ''system'') and coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)');

-- What was reported or signed never changes: only the signature is still to come. Who
-- drafted it, or reported it, does not sign it, whatever grant he does it under.
create function paper_life() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  who  text := coalesce(current_setting('app.role', true), '');
  me   text := coalesce(current_setting('app.actor', true), '');
  kept papers;
begin
  if tg_op = 'INSERT' then
    if new.state <> 'draft' and who <> 'system' then
      raise exception 'paper %: it begins as a draft', new.id using errcode = 'OM012';
    end if;
    new.editors := array[me];
    return new;
  end if;
  if tg_op = 'DELETE' then
    if old.frozen_at is not null and old.dataset is null then
      raise exception 'paper %: what was signed stays', old.id using errcode = 'OM011';
    end if;
    return old;
  end if;
  if old.state = 'signed' then
    raise exception 'paper %: what was signed stays', old.id using errcode = 'OM011';
  end if;
  if old.state = 'reported' then
    kept := new;
    kept.state := old.state; kept.signed_at := old.signed_at; kept.signed_by := old.signed_by; kept.signed_actor := old.signed_actor;
    kept.signed_account := old.signed_account; kept.late := old.late; kept.note := old.note;
    kept.version := old.version; kept.updated_at := old.updated_at; kept.updated_by := old.updated_by;
    -- Generated columns are made after this.
    kept.scope := old.scope; kept.scopes := old.scopes;
    if kept is distinct from old or new.state not in ('reported', 'signed') then
      raise exception 'paper %: what was reported stays', old.id using errcode = 'OM011';
    end if;
  end if;
  if new.state <> old.state and not (old.state || '>' || new.state) = any (array[
    'draft>reviewed', 'draft>reported', 'reviewed>draft', 'reviewed>reported', 'reviewed>signed', 'reported>signed']) then
    raise exception 'paper %: % cannot follow %', old.id, new.state, old.state using errcode = 'OM012';
  end if;
  if (new.kind, new.area) is distinct from (old.kind, old.area) or old.number is not null and new.number is distinct from old.number then
    raise exception 'paper %: its kind, area and number stay', old.id using errcode = 'OM011';
  end if;
  new.editors := old.editors;
  if (new.blocks, new.title, new.addressee) is distinct from (old.blocks, old.title, old.addressee) and me <> all (old.editors) then
    new.editors := old.editors || me;
  end if;
  -- A new wording is reviewed anew.
  if new.state = 'reviewed' and old.state = 'reviewed' and (new.blocks, new.title, new.addressee) is distinct from (old.blocks, old.title, old.addressee) then
    raise exception 'paper %: a new wording is reviewed anew', old.id using errcode = 'OM012';
  end if;
  if who <> 'system' then
    if new.state = 'reviewed' and old.state <> 'reviewed' and me = any (old.editors) then
      raise exception 'paper %: who drafted it does not review it', old.id using errcode = 'OM013';
    end if;
    if new.state = 'signed' and old.state <> 'signed' then
      if who not in ('approver', 'commander') or new.signed_actor is distinct from me then
        raise exception 'paper %: not his to sign', old.id using errcode = 'OM014';
      end if;
      if me = any (new.editors) or old.reported_account is not null and old.reported_account = new.signed_account then
        raise exception 'paper %: who drafted it does not sign it', old.id using errcode = 'OM013';
      end if;
    end if;
  end if;
  return new;
end
$$;
create trigger life before insert or update or delete on papers for each row execute function paper_life();

-- paper_number gives the next number of a kind, a county and a year, when a paper leaves.
create function paper_number(p_kind text, s int8range, y integer) returns text
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
  insert into number_counter (kind, county_code, year, last) values ('paper_' || p_kind, county, y, 1)
  on conflict (kind, county_code, year) do update set last = number_counter.last + 1
  returning last into n;
  return format('%s-%s-%s-%s', case p_kind when 'flash' then 'KB' when 'special' then 'ZB' else 'JB' end, county, y, lpad(n::text, greatest(3, length(n::text)), '0'));
end
$$;

-- Code lists and rules -----------------------------------------------------------------------------

insert into code_list (list, title_zh, title_en, standard) values
 ('response_state', '应急响应状态', 'State of a response', null),
 ('response_act', '应急响应动作', 'Act of a response', null),
 ('contingency_kind', '预案类别', 'Kind of contingency plan', null),
 ('response_task_state', '响应任务状态', 'State of a response task', null),
 ('paper_kind', '文书类别', 'Kind of paper', null),
 ('paper_state', '文书状态', 'State of a paper', null);

insert into code_item (list, code, title_zh, title_en, sort)
select list, code, zh, en, row_number() over (partition by list order by ord) from (
 select split_part(line, '|', 1) list, split_part(line, '|', 2) code, split_part(line, '|', 3) zh, split_part(line, '|', 4) en, ord
 from regexp_split_to_table($codes$
response_state|drafted|拟稿|Drafted
response_state|active|响应中|Active
response_state|ended|已终止|Ended
response_act|start|启动|Start
response_act|adjust|调整|Adjust
response_act|end|终止|End
contingency_kind|overall|总体预案|Overall
contingency_kind|special|专项预案|Special
contingency_kind|department|部门预案|Department
contingency_kind|grassroots|基层预案|Grassroots
contingency_kind|enterprise|企业预案|Enterprise
response_task_state|waiting|待确认|Waiting
response_task_state|acknowledged|已确认|Acknowledged
response_task_state|done|已完成|Done
response_task_state|refused|无法执行|Cannot be done
paper_kind|flash|快报|Flash report
paper_kind|special|专报|Special report
paper_kind|handover|交接班|Handover
paper_state|draft|起草|Draft
paper_state|reviewed|已审核|Reviewed
paper_state|reported|先报待签|Reported, to be signed
paper_state|signed|已签发|Signed
$codes$, '\n') with ordinality as t(line, ord) where line <> '') d;

-- The profile: from which level on it is 战时, what each shows and how often it asks; how
-- often is reported at which level; within how many hours what was reported first is signed.
insert into rule_set (rule, version, title_zh, title_en, standard, responsible, body) values
 ('response_profile', 1, '应急响应运行规则', 'Rules of a response', '经验规则:按本地应急预案修改', '应急管理局 应急指挥科',
  '{"war_from_level": 4,
    "peace": {"refresh_s": 60, "layers": ["admin", "hazards", "shelters", "sensors", "alerts", "incidents"]},
    "war": {"refresh_s": 10, "layers": ["admin", "hazards", "hazard_areas", "shelters", "teams", "warehouses", "road_blocks", "sensors", "alerts", "incidents", "incident_sketches"]},
    "report_every_min": {"1": 60, "2": 120, "3": 240, "4": 720},
    "sign_after_h": 24,
    "kind_hazard": {"waterlogging": "waterlogging", "house_collapse": "multi", "road_damage": "multi", "gas": "hazchem", "building_collapse": "multi", "fire": "multi"}}');
