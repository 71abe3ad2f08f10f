-- Rain and water, and alarms: observations by month, the newest of each station, levels
-- and thresholds of villages; alarms grouped by event and area.

-- Observations -----------------------------------------------------------------------------

-- Partitioned by month and without history: what a gauge said is added and stays. A
-- repeated one is the same row; one that says otherwise is refused and told of.
create table observations (
  station     uuid not null,
  at          timestamptz not null,
  measure     text not null check (measure ~ '^[a-z][a-z0-9_]{0,31}$'),
  value       float8 not null check (value > '-infinity' and value < 'infinity'),
  quality     text check (length(quality) <= 32),
  source      text not null check (length(source) between 1 and 100),
  dataset     uuid,
  scope       int8range not null check (not isempty(scope)),
  received_at timestamptz not null default clock_timestamp(),
  primary key (station, at, measure)
) partition by range (at);
comment on table observations is '监测数据:按月分区,不留历史';
select row_guard('observations', 'app.read', false);
create trigger no_truncate before truncate on observations for each statement execute function layer_no_truncate();

-- observations_month makes the partition of a month where there is none. The table is
-- attached, not created in place: readers and writers of other months go on meanwhile.
create function observations_month(p_at timestamptz) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_from date := date_trunc('month', p_at at time zone 'UTC')::date;
  v_part text := 'observations_' || to_char(v_from, 'YYYYMM');
begin
  if p_at is null or p_at < now() - interval '5 years' or p_at > now() + interval '4 months' then
    raise exception using errcode = '22023', message = 'observations are kept of the last five years and made four months ahead';
  end if;
  if to_regclass(v_part) is not null then
    return false;
  end if;
  perform pg_advisory_xact_lock(hashtext('onemap.observations_month'));
  if to_regclass(v_part) is not null then
    return false;
  end if;
  execute format('create table %I (like observations including all)', v_part);
  execute format('revoke all on %I from onemap_app', v_part);
  execute format('alter table %I enable row level security', v_part);
  execute format('alter table %I force row level security', v_part);
  execute format('alter table observations attach partition %I for values from (%L) to (%L)',
                 v_part, v_from::text || ' 00:00:00+00', (v_from + interval '1 month')::date::text || ' 00:00:00+00');
  return true;
end
$$;
revoke all on function observations_month(timestamptz) from public;
grant execute on function observations_month(timestamptz) to onemap_app;
select observations_month(now()), observations_month(now() + interval '1 month'), observations_month(now() + interval '2 months');

-- station_now is the newest observation of each station. What the layer shows of it is
-- written there in small batches, when it differs.
create table station_now (
  station uuid primary key,
  measure text not null,
  value   float8 not null,
  at      timestamptz not null,
  source  text not null,
  dataset uuid,
  scope   int8range not null check (not isempty(scope)),
  shown   timestamptz,          -- the observation that the layer shows
  silent  boolean not null default false
) with (fillfactor = 70);
comment on table station_now is '各站最新一次观测';
select row_guard('station_now', 'app.read', false);
create index station_now_due on station_now (at) where shown is distinct from at;
create index station_now_heard on station_now (at) where not silent;

-- 警戒、保证、汛限 of a station and 准备转移、立即转移 of the villages that depend on it.
-- villages: [{"code", "measure": "h1".."h24" or "level", "prepare", "evacuate", "persons"}].
create table station_threshold (
  station     uuid primary key,
  warning     float8 check (warning > '-infinity' and warning < 'infinity'),
  guarantee   float8 check (guarantee > '-infinity' and guarantee < 'infinity'),
  flood_limit float8 check (flood_limit > '-infinity' and flood_limit < 'infinity'),
  villages    jsonb not null default '[]' check (jsonb_typeof(villages) = 'array' and jsonb_array_length(villages) <= 200),
  source      text not null default '' check (length(source) <= 200),
  dataset     uuid,
  scope       int8range not null check (not isempty(scope)),
  version     bigint not null default 1,
  updated_at  timestamptz not null default clock_timestamp(),
  updated_by  text not null default feed_actor(),
  check (guarantee is null or warning is null or guarantee >= warning)
);
comment on table station_threshold is '测站特征水位与村级转移阈值';
select row_guard('station_threshold', 'app.read', false);

-- Sources that are asked. What they are is the setting; here is how it went.
create table observation_poll (
  source     text primary key check (length(source) between 1 and 64),
  next_at    timestamptz not null,
  asked_at   timestamptz,
  heard_at   timestamptz,
  accepted   bigint not null default 0,
  rejected   bigint not null default 0,
  error      text check (length(error) <= 500)
);

-- Alarms -------------------------------------------------------------------------------------

-- One row for one event in one area, however often it is signalled. The row tells the
-- change feed; how often it came is counted beside it, and brought over every few seconds.
create table alarms (
  id               uuid primary key default uuid_v7(),
  dataset          uuid references dataset,
  kind             text not null check (kind in ('threshold', 'village', 'silent', 'unattended', 'clock', 'alert', 'device', 'other')),
  key              text not null check (length(key) between 1 and 200),
  area             text check (area is null or code_scope(area) is not null),
  title            text not null check (length(btrim(title)) between 1 and 200),
  detail           text check (length(detail) <= 2000),
  level            smallint not null check (level between 1 and 4),
  state            text not null default 'open' check (state in ('open', 'acknowledged', 'assigned', 'closed')),
  count            bigint not null default 1 check (count > 0),
  suppressed       bigint not null default 0 check (suppressed >= 0),
  first_at         timestamptz not null,
  last_at          timestamptz not null,
  ref_kind         text check (ref_kind ~ '^[a-z][a-z0-9_]{0,62}$'),
  ref_id           text check (length(ref_id) <= 64),
  geom             geometry(Geometry,4490) check (geom_ok(geom)),
  exercise         boolean not null default false,
  acked_at         timestamptz,
  acked_account    uuid,
  acked_by         text,
  assigned_at      timestamptz,
  assigned_by      text,
  assignee         uuid,
  assignee_name    text,
  closed_at        timestamptz,
  closed_by        text,
  cleared_at       timestamptz,                 -- what it told of is over
  note             text check (length(note) <= 2000),
  escalate_at      timestamptz,
  escalation       smallint not null default 0 check (escalation between 0 and 9),
  scope            int8range not null check (not isempty(scope)),
  scopes           int8multirange not null generated always as (int8multirange(scope)) stored,
  account          uuid,
  actor            text not null default feed_actor(),
  name             text not null default '',
  version          bigint not null default 1,
  created_at       timestamptz not null default clock_timestamp(),
  updated_at       timestamptz not null default clock_timestamp(),
  updated_by       text not null default feed_actor(),
  check ((closed_at is not null) = (state = 'closed')),
  check (state not in ('acknowledged') or acked_at is not null),
  check (state <> 'assigned' or assignee is not null)
);
comment on table alarms is '告警:按事件与区域归并';
create unique index alarms_standing on alarms (key, scope) where state <> 'closed';
create index alarms_closed on alarms (key, closed_at) where state = 'closed';
create index alarms_last on alarms (last_at desc, id);
create index alarms_escalate on alarms (escalate_at) where escalate_at is not null;
select field_install('alarms');
-- Signals come from gauges and programs too; only a desk changes what is there.
select field_policies('alarms', 'coalesce(scope && current_setting(''app.sensitive'')::int8multirange, false)',
  'coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)',
  'coalesce(scope && current_setting(''app.write'')::int8multirange, false)');

-- alarm_count is counted without telling the feed.
create table alarm_count (
  alarm      uuid primary key references alarms on delete cascade,
  dataset    uuid,
  scope      int8range not null check (not isempty(scope)),
  count      bigint not null default 1,
  suppressed bigint not null default 0,
  last_at    timestamptz not null
) with (fillfactor = 50);
select row_guard('alarm_count', 'app.sensitive', false);

-- A quiet rule keeps the less severe from ringing for a time; red is never kept quiet.
-- What it swallowed is counted.
create table alarm_quiet (
  id         uuid primary key default uuid_v7(),
  dataset    uuid,
  scope      int8range not null check (not isempty(scope)),
  area       text,
  kind       text,                              -- null: every kind
  least      smallint not null check (least between 2 and 4),   -- levels of this number and above (less severe)
  daily_from time,
  daily_to   time,
  until      timestamptz not null,
  reason     text not null check (length(btrim(reason)) between 2 and 500),
  suppressed bigint not null default 0,
  by_account uuid,
  by_name    text not null,
  created_at timestamptz not null default clock_timestamp(),
  check ((daily_from is null) = (daily_to is null))
);
select row_guard('alarm_quiet', 'app.sensitive', false);

-- Code lists and rules -------------------------------------------------------------------------

insert into code_list (list, title_zh, title_en, standard) values
 ('alarm_kind', '告警类型', 'Kind of alarm', null),
 ('alarm_state', '告警状态', 'State of an alarm', null);

insert into code_item (list, code, title_zh, title_en, sort)
select list, code, zh, en, row_number() over (partition by list order by ord) from (
 select split_part(line, '|', 1) list, split_part(line, '|', 2) code, split_part(line, '|', 3) zh, split_part(line, '|', 4) en, ord
 from regexp_split_to_table($codes$
alarm_kind|threshold|雨水情超限|Gauge above its level
alarm_kind|village|村达转移阈值|Village to move
alarm_kind|silent|监测站失联|Gauge silent
alarm_kind|unattended|险情无人接手|Danger nobody took
alarm_kind|clock|时限已过|Deadline passed
alarm_kind|alert|预警生效|Warning in force
alarm_kind|device|设备告警|Alarm of a device
alarm_kind|other|其他|Other
alarm_state|open|待确认|Open
alarm_state|acknowledged|已确认|Acknowledged
alarm_state|assigned|已指派|Assigned
alarm_state|closed|已关闭|Closed
$codes$, '\n') with ordinality as t(line, ord) where line <> '') d;

insert into rule_set (rule, version, title_zh, title_en, standard, responsible, body) values
 ('station_rules', 1, '雨水情监测规则', 'Rules of rain and water', '暴雨预警信号、降雨量等级;村级阈值为经验值,按本县山洪灾害调查评价成果修改', '水利局、气象局',
  '{"silent_s": 900, "future_s": 600,
    "signals": [{"level": 4, "hours": 12, "mm": 50}, {"level": 3, "hours": 6, "mm": 50}, {"level": 2, "hours": 3, "mm": 50}, {"level": 1, "hours": 3, "mm": 100}],
    "classes": {"h24": [10, 25, 50, 100, 250], "h12": [5, 15, 30, 70, 140]},
    "village": [{"measure": "h1", "prepare": 30, "evacuate": 50}, {"measure": "h3", "prepare": 50, "evacuate": 80}, {"measure": "h6", "prepare": 80, "evacuate": 120}, {"measure": "h24", "prepare": 150, "evacuate": 250}]}'),
 ('alarm_rules', 1, '告警规则', 'Rules of alarms', '经验规则:按本地值守制度修改', '应急管理局 应急指挥科',
  '{"window_s": 600, "fold_s": 5, "escalate_s": {"1": 120, "2": 300, "3": 900, "4": 3600}, "assigned_s": 1800, "escalate_most": 2}');
