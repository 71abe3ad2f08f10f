-- Live incidents (突发事件): 接报 before the map, a level that is proposed by rule and
-- confirmed by a person, reports upwards that are never changed, clocks whose lateness is
-- kept, a timeline, sketches, duplicates merged and parted again.
--
-- The rows of the layers incidents and incident_sketches stay what they are, with history
-- and feed; the records beside them belong to an incident and are seen by whoever sees it.

-- The incident ---------------------------------------------------------------------------

alter table incidents
  add column persons_reported integer check (persons_reported >= 0),   -- as the caller said
  add column figures_at       timestamptz,          -- 截至
  add column level_reason     jsonb not null default '[]' check (jsonb_typeof(level_reason) = 'array'),
  add column level_at         timestamptz,
  add column level_by         text check (length(level_by) <= 200),
  add column level_account    uuid,
  add column level_note       text check (length(level_note) <= 2000),
  add column verified_at      timestamptz,
  add column responding_at    timestamptz,
  add column archived_at      timestamptz,
  add column source_report    uuid,                 -- the 险情 of the field it came from
  add column merged_into      uuid,
  add column merged_state     text,                 -- what it was before
  add constraint incident_merged check ((merged_into is null) = (merged_state is null) and merged_into is distinct from id);
create unique index incidents_source_report on incidents (source_report) where source_report is not null;
create index incidents_open on incidents (known_at) where state in ('received', 'verified', 'responding');
create index incidents_merged on incidents (merged_into) where merged_into is not null;

insert into layer_field (layer, name, type, title_zh, title_en, unit, unit_en, in_tile, in_filter, in_form, sort)
select 'incidents', f.name, f.type, f.zh, f.en, f.unit, f.unit_en, f.tile, f.filter, f.form, 200 + f.n
from (values (1, 'persons_reported', 'integer', '接报涉及人数', 'Persons, as reported', '人', 'persons', false, true, true),
             (2, 'figures_at', 'datetime', '数据截至', 'Figures as of', null, null, false, false, false),
             (3, 'level_at', 'datetime', '定级时间', 'Level confirmed at', null, null, false, false, false),
             (4, 'merged_into', 'text', '已并入', 'Merged into', null, null, false, true, false)) f (n, name, type, zh, en, unit, unit_en, tile, filter, form);
select layer_install('incidents');

-- incident_number gives the next number of a county and a year. Exercises have numbers of
-- their own: a drill leaves no gap among what happened.
create function incident_number(s int8range, y integer, drill boolean) returns text
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
  insert into number_counter (kind, county_code, year, last) values (case when drill then 'drill' else 'incident' end, county, y, 1)
  on conflict (kind, county_code, year) do update set last = number_counter.last + 1
  returning last into n;
  return format('%s-%s-%s-%s', case when drill then 'YL' else 'SJ' end, county, y, lpad(n::text, greatest(4, length(n::text)), '0'));
end
$$;

-- incident_named finds the units a place text names, by their names and other names: the
-- deepest of those whose own surroundings are named with them comes first. Two that are
-- equally good are both returned, and nobody guesses between them.
create function incident_named(p_text text) returns table (code text, scope int8range, title text, weight integer)
language sql stable as $$
  with named as (
    select distinct on (a.code) a.code, a.scope, a.name, a.rank from admin a
    where a.valid_to is null and length(a.name) >= 2
      and (position(a.name in p_text) > 0
        or length(regexp_replace(a.name, '(街道|社区|居委会|村委会|[省市县区乡镇村])$', '')) >= 2 and position(regexp_replace(a.name, '(街道|社区|居委会|村委会|[省市县区乡镇村])$', '') in p_text) > 0
        or exists (select from admin_alias x where x.admin_code = a.code and x.kind in ('name', 'former_name', 'short_name') and length(x.alias) >= 2 and position(x.alias in p_text) > 0)))
  select n.code, n.scope, n.name,
         (10 * (select count(*) from named o where o.scope @> n.scope) + n.rank + case when position(n.name in p_text) > 0 then 1 else 0 end)::int
  from named n order by 4 desc, n.code limit 20
$$;

-- incident_life holds what a person may do to an incident. Errors: OM011 it does not change
-- any more, OM012 out of order, OM014 not his to do. The program itself brings in ledgers
-- kept elsewhere and takes them out again.
create function incident_life() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  who text := coalesce(current_setting('app.role', true), '');
  me  uuid;
begin
  if who in ('', 'system') then
    if tg_op = 'DELETE' then return old; end if;
    return new;
  end if;
  if tg_op = 'DELETE' then
    raise exception 'incident %: it is kept', old.id using errcode = 'OM011';
  end if;
  if tg_op = 'INSERT' then
    if new.state <> 'received' or new.code is null or num_nonnulls(new.level, new.level_by, new.closed_at, new.merged_into, new.verified_at, new.responding_at, new.archived_at) > 0 then
      raise exception 'incident %: it begins as received', new.id using errcode = 'OM012';
    end if;
    return new;
  end if;
  if old.state = 'archived' then
    raise exception 'incident %: it is archived', old.id using errcode = 'OM011';
  end if;
  if (new.code, new.exercise, new.source_report, new.dataset, new.source_key) is distinct from (old.code, old.exercise, old.source_report, old.dataset, old.source_key) then
    raise exception 'incident %: its number, its source and whether it is an exercise stay', old.id using errcode = 'OM011';
  end if;
  if new.state <> old.state and not (old.state || '>' || new.state) = any (array[
      'received>verified', 'received>responding', 'received>closed', 'verified>responding', 'verified>closed', 'responding>closed', 'closed>responding', 'closed>archived'])
     and not (new.state = 'merged' and new.merged_state = old.state) and not (old.state = 'merged' and new.state = old.merged_state) then
    raise exception 'incident %: % cannot follow %', old.id, new.state, old.state using errcode = 'OM012';
  end if;
  if (new.state = 'merged') <> (new.merged_into is not null) or old.state = 'merged' and new.state = 'merged' then
    raise exception 'incident %: it is merged', old.id using errcode = 'OM011';
  end if;
  if (new.level, new.level_by, new.level_at, new.level_account) is distinct from (old.level, old.level_by, old.level_at, old.level_account) then
    select a.id into me from auth.account a where a.username = nullif(current_setting('app.actor', true), '');
    if who not in ('duty_officer', 'commander') or me is null or new.level_account is distinct from me or new.level is null or new.level_by is null or new.level_at is null then
      raise exception 'incident %: a person confirms its level', old.id using errcode = 'OM014';
    end if;
  end if;
  return new;
end
$$;
create trigger incident_life before insert or update or delete on incidents for each row execute function incident_life();

-- What belongs to it -------------------------------------------------------------------------

-- How it was received: who called, and what the record was made from. Read by those who
-- read sensitive layers there; the telephone is in the restricted schema.
create table incident_intake (
  incident uuid primary key references incidents on delete cascade,
  body     text not null check (length(body) = 64),     -- SHA-256, so that the same sent again is known
  reporter text check (length(reporter) <= 100),
  account  uuid,
  actor    text not null default feed_actor(),
  name     text not null default '',
  at       timestamptz not null default clock_timestamp()
);
comment on table incident_intake is '接报登记:谁报的、谁接的';

-- 首报、续报、核报、终报. A correction is another report.
create table incident_entry (
  id          uuid primary key,
  incident    uuid not null references incidents on delete cascade,
  seq         integer not null check (seq > 0),
  kind        text not null check (kind in ('first', 'follow_up', 'verified', 'final')),
  channel     text not null check (channel in ('phone', 'written')),
  to_level    text not null check (to_level in ('township', 'county', 'city', 'province', 'state')),
  content     text not null check (length(btrim(content)) between 2 and 8000),
  figures     jsonb not null default '{}' check (jsonb_typeof(figures) = 'object'),
  sent_at     timestamptz not null,
  recorded_at timestamptz not null default clock_timestamp(),
  corrects    uuid references incident_entry,
  late        boolean not null,
  sha256      text not null check (length(sha256) = 64),   -- of what was sent
  account     uuid,
  actor       text not null default feed_actor(),
  name        text not null default '',
  role        text not null default coalesce(current_setting('app.role', true), ''),
  unique (incident, seq)
);
comment on table incident_entry is '信息报送:首报、续报、核报、终报,只增不改';

-- The timeline, in the words of what was done; what people add is of kind note.
create table incident_event (
  id          uuid primary key default uuid_v7(),
  incident    uuid not null references incidents on delete cascade,
  seq         bigint generated always as identity,
  kind        text not null check (kind ~ '^[a-z][a-z_]{1,39}$'),
  at          timestamptz not null default clock_timestamp(),   -- when it happened
  recorded_at timestamptz not null default clock_timestamp(),
  detail      text not null default '' check (length(detail) <= 4000),
  fields      jsonb not null default '{}' check (jsonb_typeof(fields) = 'object' and octet_length(fields::text) <= 65536),
  ref         text check (length(ref) <= 200),
  scope       int8range not null,
  account     uuid,
  actor       text not null default feed_actor(),
  name        text not null default '',
  role        text not null default coalesce(current_setting('app.role', true), '')
);
comment on table incident_event is '事件时间轴,只增不改';
create index incident_event_incident on incident_event (incident, at, seq);
create index incident_event_time on incident_event (at);

-- A clock that began elsewhere than the rule says, or that ended: how late it was stays,
-- whatever the rule says later.
create table incident_clock (
  incident     uuid not null references incidents on delete cascade,
  name         text not null check (name ~ '^[a-z][a-z0-9_]{1,39}$'),
  starts_at    timestamptz not null,
  due_at       timestamptz not null check (due_at >= starts_at),
  done_at      timestamptz,
  late         boolean,
  chosen       boolean not null default false,     -- the start was chosen by a person
  rule_version integer not null,
  note         text check (length(note) <= 2000),
  account      uuid,
  actor        text not null default feed_actor(),
  by_name      text not null default '',
  at           timestamptz not null default clock_timestamp(),
  primary key (incident, name),
  check ((done_at is null) = (late is null))
);
comment on table incident_clock is '时限:完成即定,迟报留痕';

create function incident_clock_final() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  if old.done_at is not null and coalesce(current_setting('app.role', true), '') not in ('', 'system') then
    raise exception 'clock % of %: it has ended', old.name, old.incident using errcode = 'OM011';
  end if;
  return new;
end
$$;
create trigger final before update on incident_clock for each row execute function incident_clock_final();

do $$
declare
  t text;
begin
  foreach t in array array['incident_intake', 'incident_entry', 'incident_event', 'incident_clock'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy reading on %I for select using (exists (select from public.incidents i where i.id = incident%s))', t,
      case when t = 'incident_intake' then $p$ and coalesce(i.scope && current_setting('app.sensitive')::int8multirange, false)$p$ else '' end);
    execute format($p$create policy adding on %I for insert with check (exists (select from public.incidents i where i.id = incident and coalesce(i.scope <@ current_setting('app.write')::int8multirange, false)))$p$, t);
    execute format($p$create policy changing on %I for update using (exists (select from public.incidents i where i.id = incident and coalesce(i.scope <@ current_setting('app.write')::int8multirange, false)))$p$, t);
    execute format('create policy removing on %I for delete using (current_setting(''app.role'') = ''system'')', t);
    execute format('create trigger no_truncate before truncate on %I for each statement execute function layer_no_truncate()', t);
  end loop;
end
$$;
revoke update, delete on incident_entry, incident_event from onemap_app;
revoke update, delete on incident_intake, incident_clock from onemap_app;
grant update (reporter) on incident_intake to onemap_app;
grant update (starts_at, due_at, done_at, late, chosen, rule_version, note, account, actor, by_name, at) on incident_clock to onemap_app;

-- Streams hear of the timeline by the feed.
create function incident_event_feed() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  insert into change_log (layer, id, op, new_scope, actor) values ('incident_events', new.id, 'I', int8multirange(new.scope), feed_actor());
  return null;
end
$$;
revoke all on function incident_event_feed() from public;
create trigger feed after insert on incident_event for each row execute function incident_event_feed();

-- The caller's telephone: put away by who received the call, seen masked like other numbers
-- (restricted.list), in clear by asking with a reason.
create function restricted.put_caller(p_incident uuid, p_phone text) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if not exists (select from public.incidents i where i.id = p_incident and coalesce(i.scope <@ current_setting('app.write')::int8multirange, false)) then
    raise exception using errcode = '42501', message = 'the incident is not in the area of the writer';
  end if;
  insert into restricted.attribute as a (layer, feature, name, value) values ('incidents', p_incident, 'reporter_phone', p_phone)
  on conflict (layer, feature, name) do update set value = excluded.value where a.value <> excluded.value;
end
$$;
create function restricted.caller(p_incidents uuid[]) returns table (incident uuid, contact uuid, masked text)
language sql stable security definer set search_path = public, pg_temp as $$
  select a.feature, a.id, restricted.mask(a.value) from restricted.attribute a join public.incidents i on i.id = a.feature
  where a.layer = 'incidents' and a.name = 'reporter_phone' and a.feature = any (p_incidents)
    and coalesce(i.scope && current_setting('app.sensitive')::int8multirange, false)
$$;
revoke all on function restricted.put_caller(uuid, text), restricted.caller(uuid[]) from public;
grant execute on function restricted.put_caller(uuid, text), restricted.caller(uuid[]) to onemap_app;

-- A telephone does not outlive its incident (the demonstration is taken out again).
create function incident_gone() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  delete from restricted.attribute a where a.layer = 'incidents' and a.feature = old.id;
  return null;
end
$$;
revoke all on function incident_gone() from public;
create trigger incident_gone after delete on incidents for each row execute function incident_gone();

-- Code lists and rules -----------------------------------------------------------------------

insert into code_item (list, code, title_zh, title_en, sort) values ('incident_state', 'merged', '已合并', 'Merged', 90);
insert into code_list (list, title_zh, title_en, standard) values
 ('incident_type', '突发事件分类代码', 'Type codes of incidents', 'GB/T 35561-2017'),
 ('incident_source', '接报来源', 'How it was received', null),
 ('entry_kind', '信息报送类型', 'Kind of report', null),
 ('entry_channel', '报送方式', 'Channel of a report', null),
 ('command_level', '层级', 'Level of command', null);
insert into code_item (list, code, title_zh, title_en, sort)
select list, code, zh, en, row_number() over (partition by list order by ord) from (
 select split_part(line, '|', 1) list, split_part(line, '|', 2) code, split_part(line, '|', 3) zh, split_part(line, '|', 4) en, ord
 from regexp_split_to_table($codes$
incident_type|11B01|台风|Typhoon
incident_type|11B03|暴雨|Rainstorm
incident_type|11B04|暴雪|Snowstorm
incident_type|11B05|寒潮|Cold wave
incident_type|11B06|大风|Gale
incident_type|11B07|沙尘暴|Sandstorm
incident_type|11B09|高温|High temperature
incident_type|11B14|雷电|Lightning
incident_type|11B15|冰雹|Hail
incident_type|11B16|霜冻|Frost
incident_type|11B17|大雾|Fog
incident_type|11B19|霾|Haze
incident_type|11B20|雷雨大风|Thunderstorm gale
incident_type|11B21|道路结冰|Road icing
incident_type|11B22|干旱|Drought
incident_type|11E02|风暴潮|Storm surge
incident_type|11E06|海浪|Ocean wave
incident_source|phone|电话|Telephone
incident_source|grid|网格员|Grid worker
incident_source|hotline|110/119/12345 联动|Emergency lines
incident_source|township|乡镇报告|Township
incident_source|department|部门通报|Department
incident_source|sensor|监测设备|Sensor
incident_source|map|地图点选|Map
incident_source|api|系统接口|Interface
incident_source|import|导入|Import
incident_source|other|其他|Other
entry_kind|first|首报|First report
entry_kind|follow_up|续报|Follow-up report
entry_kind|verified|核报|Verified report
entry_kind|final|终报|Final report
entry_channel|phone|电话|Telephone
entry_channel|written|书面|In writing
command_level|township|乡镇(街道)|Township
command_level|county|县(市、区)|County
command_level|city|市|City
command_level|province|省|Province
command_level|state|国家|State
$codes$, '\n') with ordinality as t(line, ord) where line <> '') d;

insert into rule_set (rule, version, title_zh, title_en, standard, responsible, body) values
 ('incident_level_natural', 1, '自然灾害事件分级(未另有规定的灾种)', 'Grading of natural disasters without a rule of their own', '《国家突发公共事件总体应急预案》分级框架，数值参照国务院令第493号，待本地核实', '应急管理局 应急指挥科',
  '{"combine": "worst", "lower_bound": "inclusive", "criteria": {"deaths+missing": [30, 10, 3, 0], "loss_wan": [10000, 5000, 1000, 0]}}'),
 ('incident_level_geology', 1, '地质灾害灾情险情分级', 'Grading of geological disasters', '《国家突发地质灾害应急预案》灾情、险情分级(省级自然资源部门公开文本)', '自然资源和规划局 地质环境科',
  '{"kinds": ["landslide", "collapse", "debris_flow"], "combine": "worst", "lower_bound": "inclusive", "criteria": {"deaths": [30, 10, 3, 0], "loss_wan": [1000, 500, 100, 0], "evacuated": [1000, 500, 100, 0]}}'),
 ('incident_level_earthquake', 1, '地震灾害分级(按死亡人数)', 'Grading of earthquakes, by deaths', '《国家地震应急预案》，待本地核实', '应急管理局 应急指挥科',
  '{"kinds": ["earthquake"], "combine": "worst", "lower_bound": "inclusive", "criteria": {"deaths+missing": [300, 50, 10, 0]}}'),
 ('incident_clocks', 1, '信息报送与处置时限', 'Deadlines of reporting and handling', '省级信息报送规定：较大以上事发后2小时内首报，电话报告后30分钟内书面报告，重大以上处置结束后30日内评估；干线公路一般8小时内抢通。按本地制度修改', '应急管理局 应急指挥科',
  '{"clocks": [
    {"name": "first_report", "title_zh": "首报", "title_en": "First report", "start": "occurred_at", "minutes": 120, "max_level": 3, "level_unknown": true, "not_kinds": ["hotline", "tree", "signboard"], "from_level": "county", "to_level": "province", "done": {"kinds": ["first"]}},
    {"name": "written_report", "title_zh": "书面报告", "title_en": "Report in writing", "start": "phone_report", "minutes": 30, "from_level": "county", "to_level": "city", "done": {"channel": "written"}},
    {"name": "assessment", "title_zh": "处置评估", "title_en": "Assessment", "start": "closed_at", "days": 30, "max_level": 2, "from_level": "county", "to_level": "province", "done": {"mark": true}},
    {"name": "road_reopened", "title_zh": "道路抢通", "title_en": "Road reopened", "start": "occurred_at", "minutes": 480, "kinds": ["road_damage"], "from_level": "county", "to_level": "county", "done": {"mark": true}}]}'),
 ('incident_duplicates', 1, '疑似重复接报', 'Likely duplicates', '经验规则', '应急管理局 应急指挥科', '{"radius_m": 500, "hours": 6}');
