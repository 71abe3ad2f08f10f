-- 叫应 and 转移: who is called out for a warning, an incident or a drawn area, each call
-- that was made, and how many people of each village have moved.
--
-- Calls and entries are only ever added. What a call list or a board shows is folded from
-- them by their own times, so that it is the same in whatever order they came and however
-- often they were sent.

-- 叫应 -------------------------------------------------------------------------------------------

create table callouts (
  id          uuid primary key,
  dataset     uuid references dataset,
  kind        text not null check (kind in ('call_out', 'evacuate_now')),
  title       text not null check (length(btrim(title)) between 1 and 200),
  reason      text not null check (length(reason) <= 2000),
  alert       uuid,
  incident    uuid,
  areas       text[] not null default '{}' check (cardinality(areas) <= 500),   -- codes it was asked for
  level       smallint check (level between 1 and 4),
  exercise    boolean not null default false,
  state       text not null default 'active' check (state in ('active', 'ended')),
  decision    uuid,                                    -- the order, where one person gave it alone
  consulted   text check (length(consulted) <= 100),
  started_at  timestamptz not null default clock_timestamp(),
  ended_at    timestamptz,
  ended_by    text,
  end_reason  text check (end_reason in ('done', 'cancelled', 'mistake')),
  end_note    text check (length(end_note) <= 2000),
  geom        geometry(Geometry,4490) check (geom_ok(geom)),
  scope       int8range not null check (not isempty(scope)),
  scopes      int8multirange not null check (not isempty(scopes)),
  account     uuid,
  actor       text not null default feed_actor(),
  name        text not null default '',
  version     bigint not null default 1,
  created_at  timestamptz not null default clock_timestamp(),
  updated_at  timestamptz not null default clock_timestamp(),
  updated_by  text not null default feed_actor(),
  check ((state = 'ended') = (ended_at is not null) and (ended_at is null) = (ended_by is null) and (ended_at is null) = (end_reason is null))
);
comment on table callouts is '叫应:一次预警、事件或区域的叫应与转移';
create index callouts_active on callouts (started_at) where state = 'active';
create index callouts_alert on callouts (alert) where alert is not null;
create index callouts_incident on callouts (incident) where incident is not null;
select field_install('callouts');
select field_policies('callouts', 'coalesce(scopes && current_setting(''app.read'')::int8multirange, false)',
  'current_setting(''app.role'') in (''duty_officer'', ''commander'', ''system'') and coalesce(scopes <@ current_setting(''app.write'')::int8multirange, false)',
  'current_setting(''app.role'') in (''duty_officer'', ''commander'', ''system'') and coalesce(scopes <@ current_setting(''app.write'')::int8multirange, false)');

-- What was ordered stays as it was ordered; it ends once.
create function callout_stays() returns trigger
language plpgsql as $$
begin
  if (new.kind, new.title, new.reason, new.areas, new.exercise, new.started_at, new.scopes) is distinct from (old.kind, old.title, old.reason, old.areas, old.exercise, old.started_at, old.scopes)
     or new.alert is distinct from old.alert or new.incident is distinct from old.incident or new.decision is distinct from old.decision
     or old.state = 'ended' then
    raise exception using errcode = '55000', message = 'a call-out stays as it was ordered: end it and order another';
  end if;
  return new;
end
$$;
create trigger stays before update on callouts for each row execute function callout_stays();

-- The villages of a call-out, worst first, with who is to move as the registers had it
-- when it was ordered: null where nobody knows, which is not 0.
create table callout_villages (
  callout        uuid not null references callouts on delete cascade,
  dataset        uuid references dataset,
  code           text not null check (code_scope(code) is not null),
  name           text not null,
  place          integer not null,
  level          smallint check (level between 1 and 4),
  threatened     integer check (threatened >= 0),
  elderly        integer check (elderly >= 0),
  households     integer not null default 0,
  to_move        integer check (to_move >= 0),
  to_move_source text check (to_move_source in ('households', 'hazards')),
  whole          boolean not null default true,
  scopes         int8multirange not null generated always as (int8multirange(code_scope(code))) stored,
  primary key (callout, code),
  check ((to_move is null) = (to_move_source is null))
);
comment on table callout_villages is '一次叫应的村(社区)与应转人数';
alter table callout_villages enable row level security;
alter table callout_villages force row level security;
select field_policies('callout_villages', 'coalesce(scopes && current_setting(''app.read'')::int8multirange, false)',
  'current_setting(''app.role'') in (''duty_officer'', ''commander'', ''system'') and coalesce(scopes <@ current_setting(''app.write'')::int8multirange, false)', 'false');

-- Somebody to be called. A target that does not answer opens its deputy, the deputy the
-- duty desk of the township; root is the one it began with. Numbers are here in masks
-- only; contact is where they can be revealed.
create table call_targets (
  id             uuid primary key default uuid_v7(),
  dataset        uuid references dataset,
  callout        uuid not null references callouts on delete cascade,
  village        text not null,
  village_name   text not null,
  phase          text not null default 'call' check (phase in ('call', 'all_clear')),
  role           text not null check (role in ('village_head', 'grid_worker', 'household_keeper')),
  place          integer not null,
  level          smallint check (level between 1 and 4),
  name           text not null default '' check (length(name) <= 100),
  post           text not null default '' check (length(post) <= 200),
  contact        uuid,
  phone_masked   text,
  grid           text,
  household      uuid,
  persons        integer,
  elderly        integer,
  deputy_name    text,
  deputy_post    text,
  deputy_contact uuid,
  deputy_masked  text,
  escalation     smallint not null default 0 check (escalation between 0 and 2),
  parent         uuid references call_targets on delete cascade,
  root           uuid not null,
  state          text not null default 'waiting' check (state in ('waiting', 'answered', 'repeated', 'refused', 'no_answer', 'escalated', 'closed')),
  opened_at      timestamptz not null default clock_timestamp(),
  due_at         timestamptz not null,
  answered_at    timestamptz,
  passed_on_at   timestamptz,                         -- when the next in line was opened
  calls          integer not null default 0,
  geom           geometry(Geometry,4490),
  scope          int8range not null check (not isempty(scope)),
  scopes         int8multirange not null generated always as (int8multirange(scope)) stored,
  account        uuid,
  actor          text not null default feed_actor(),
  name_by        text not null default '',
  version        bigint not null default 1,
  created_at     timestamptz not null default clock_timestamp(),
  updated_at     timestamptz not null default clock_timestamp(),
  updated_by     text not null default feed_actor(),
  check ((escalation = 0) = (parent is null)),
  check (strpos(coalesce(phone_masked, '*') || coalesce(deputy_masked, '*'), '*') > 0)
);
comment on table call_targets is '叫应对象:责任人、网格员、包户人及其递补';
create index call_targets_callout on call_targets (callout, phase, place, escalation);
create index call_targets_waiting on call_targets (due_at) where state = 'waiting' and phase = 'call';
create index call_targets_root on call_targets (root);
create unique index call_targets_next on call_targets (parent) where escalation = 1;
create unique index call_targets_township on call_targets (callout, village) where escalation = 2;

create function call_target_before() returns trigger
language plpgsql as $$
begin
  if tg_op = 'UPDATE' then
    if (new.id, new.callout, new.village, new.role, new.escalation, new.root, new.phase) is distinct from (old.id, old.callout, old.village, old.role, old.escalation, old.root, old.phase) then
      raise exception using errcode = '55000', message = 'whom a target stands for never changes';
    end if;
    new.version := old.version + 1;
  end if;
  new.updated_at := clock_timestamp();
  new.updated_by := feed_actor();
  return new;
end
$$;
create index call_targets_scopes on call_targets using gist (scopes);
create trigger before_row before insert or update on call_targets for each row execute function call_target_before();
create trigger feed after insert or update or delete on call_targets for each row execute function field_feed();
create trigger no_truncate before truncate on call_targets for each statement execute function layer_no_truncate();
alter table call_targets enable row level security;
alter table call_targets force row level security;
select field_policies('call_targets', 'coalesce(scopes && current_setting(''app.sensitive'')::int8multirange, false)',
  'current_setting(''app.role'') in (''duty_officer'', ''commander'', ''system'') and coalesce(scopes <@ current_setting(''app.write'')::int8multirange, false)',
  'current_setting(''app.role'') in (''duty_officer'', ''commander'', ''system'') and coalesce(scopes <@ current_setting(''app.write'')::int8multirange, false)');

-- Each call that was made. The id is the operation's, so that a call sent twice is one.
create table calls (
  id          uuid primary key,
  dataset     uuid references dataset,
  target      uuid not null references call_targets on delete cascade,
  callout     uuid not null references callouts on delete cascade,
  village     text not null,
  outcome     text not null check (outcome in ('answered', 'repeated', 'refused', 'no_answer')),
  channel     text not null check (channel in ('phone', 'app', 'radio', 'in_person')),
  at          timestamptz not null,
  note        text check (length(note) <= 2000),
  received_at timestamptz not null default clock_timestamp(),
  geom        geometry(Point,4490),
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
comment on table calls is '叫应记录:只增不改';
create index calls_target on calls (target, at, id);
create index calls_callout on calls (callout, village, at);
select field_install('calls');
select field_policies('calls', 'coalesce(scopes && current_setting(''app.sensitive'')::int8multirange, false)',
  'current_setting(''app.role'') in (''duty_officer'', ''commander'', ''system'') and coalesce(scopes <@ current_setting(''app.write'')::int8multirange, false)', 'false');

-- 转移 -------------------------------------------------------------------------------------------

-- What somebody reports of a village: so many more people (add), or so many in all up to
-- now (total). moved counts everybody who was taken away, returned those of them who went
-- back by themselves. A column that is null says nothing of it.
create table evacuation_entries (
  id           uuid primary key,
  dataset      uuid references dataset,
  callout      uuid not null references callouts on delete cascade,
  village      text not null check (code_scope(village) is not null),
  mode         text not null default 'add' check (mode in ('add', 'total')),
  to_move      integer check (abs(to_move) <= 1000000),
  moved        integer check (abs(moved) <= 1000000),
  refused      integer check (abs(refused) <= 1000000),
  returned     integer check (abs(returned) <= 1000000),
  missing      integer check (abs(missing) <= 1000000),   -- 下落不明
  shelter      uuid,
  shelter_name text check (length(shelter_name) <= 200),
  persons      integer check (abs(persons) <= 1000000),   -- at the shelter
  road_cut     boolean,
  power_cut    boolean,
  network_cut  boolean,
  at           timestamptz not null,
  channel      text not null check (channel in ('phone', 'app', 'radio', 'in_person', 'desk')),
  note         text check (length(note) <= 2000),
  device       text check (length(device) <= 200),
  received_at  timestamptz not null default clock_timestamp(),
  geom         geometry(Point,4490) check (geom_ok(geom)),
  scope        int8range not null check (not isempty(scope)),     -- of who reports
  scopes       int8multirange not null generated always as (int8multirange(scope, code_scope(village))) stored,
  account      uuid,
  actor        text not null default feed_actor(),
  name         text not null default '',
  version      bigint not null default 1,
  created_at   timestamptz not null default clock_timestamp(),
  updated_at   timestamptz not null default clock_timestamp(),
  updated_by   text not null default feed_actor(),
  check (mode = 'add' or least(to_move, moved, refused, returned, missing, persons) >= 0 or num_nonnulls(to_move, moved, refused, returned, missing, persons) = 0),
  check (num_nonnulls(to_move, moved, refused, returned, missing, persons, road_cut, power_cut, network_cut, note) > 0),
  check (persons is null or shelter is not null or shelter_name is not null)
);
comment on table evacuation_entries is '转移进度:只增不改';
create index evacuation_entries_board on evacuation_entries (callout, village, at, id);
create index evacuation_entries_actor on evacuation_entries (actor, received_at);
select field_install('evacuation_entries');
select field_policies('evacuation_entries', 'actor = current_setting(''app.actor'') or coalesce(scopes && current_setting(''app.sensitive'')::int8multirange, false)',
  'coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)', 'false');

-- Whom to call ----------------------------------------------------------------------------------

-- numbers shows which telephone belongs to a contact or a household, in masks, where the
-- caller acts. Heads of households are told by their family name.
create function restricted.numbers(p_ids uuid[])
returns table (id uuid, phone text, deputy_phone text, head text)
language sql stable security definer set search_path = public, pg_temp as $$
  select c.id, nullif(restricted.mask(c.phone), ''), nullif(restricted.mask(c.deputy_phone), ''), null
  from restricted.contact c left join public.responsibility r on r.id = c.responsibility left join public.duty_roster d on d.id = c.duty
  where c.id = any (p_ids) and coalesce(r.scope, d.scope) && current_setting('app.read')::int8multirange
    and coalesce(r.scope, d.scope) <@ current_setting('app.write')::int8multirange
  union all
  select h.id, nullif(restricted.mask(h.phone), ''), null, left(btrim(h.head), 1) || '**'
  from restricted.household h
  where h.id = any (p_ids) and h.scope && current_setting('app.read')::int8multirange and h.scope <@ current_setting('app.write')::int8multirange
$$;
revoke all on function restricted.numbers(uuid[]) from public;
grant execute on function restricted.numbers(uuid[]) to onemap_app;

-- Codes and rules --------------------------------------------------------------------------------

insert into code_list (list, title_zh, title_en, standard) values
 ('call_outcome', '叫应结果', 'Outcome of a call', null),
 ('call_role', '叫应对象', 'Whom is called', null),
 ('call_channel', '叫应方式', 'How somebody is called', null),
 ('evacuation_mode', '转移数字口径', 'What a figure of an evacuation says', null);

insert into code_item (list, code, title_zh, title_en, sort)
select list, code, zh, en, row_number() over (partition by list order by ord) from (
 select split_part(line, '|', 1) list, split_part(line, '|', 2) code, split_part(line, '|', 3) zh, split_part(line, '|', 4) en, ord
 from regexp_split_to_table($codes$
call_outcome|answered|已接听|Answered
call_outcome|repeated|已复述|Repeated back
call_outcome|refused|拒接或拒绝|Refused
call_outcome|no_answer|无人接听|No answer
call_role|village_head|村责任人|Head of the village
call_role|grid_worker|网格员|Grid worker
call_role|household_keeper|包户人|Keeper of the household
call_channel|phone|电话|Telephone
call_channel|app|手机应用|Phone app
call_channel|radio|对讲机|Radio
call_channel|in_person|当面|In person
evacuation_mode|add|新增人数|People more
evacuation_mode|total|累计人数|People in all
$codes$, '\n') with ordinality as t(line, ord) where line <> '') d;

insert into rule_set (rule, version, title_zh, title_en, standard, responsible, body) values
 ('call_out_rules', 1, '叫应规则', 'Rules of calling out', '经验规则:按本地预警叫应制度修改', '应急管理局 应急指挥科',
  '{"due_s": {"village_head": 300, "grid_worker": 600, "household_keeper": 1200, "deputy": 180, "township": 300}, "level_factor": {"1": 0.5, "2": 0.75, "3": 1, "4": 1}, "lost_after_s": 1800, "households_max": 500, "incident_radius_m": 500}');
