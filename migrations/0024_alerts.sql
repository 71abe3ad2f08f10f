-- Warnings (预警) as chains of CAP messages: what came in word for word, who is in the
-- area, who has been reached, and what was passed on to whom. Public release is not ours:
-- it belongs to the 预警信息发布中心.

alter table alerts
  add column chain          uuid,               -- id of the first alert of the chain
  add column refs           text[] not null default '{}',   -- identifiers this one replaces
  add column source         text,               -- how it came: a source of the rule set alert_sources; null: imported
  add column area_desc      text,
  add column geocodes       jsonb not null default '[]' check (jsonb_typeof(geocodes) = 'array'),
  add column urgency        text,
  add column certainty      text,
  add column received_at    timestamptz,
  add column ended_at       timestamptz,        -- replaced, cancelled
  -- What is shown ends with it; expires stays what the sender said.
  add column shown_to       timestamptz generated always as (least(expires, ended_at)) stored,
  add column notes          jsonb not null default '[]' check (jsonb_typeof(notes) = 'array'),   -- what was odd about the message
  add constraint alert_source check (source is null or identifier is not null and sender is not null and sent_at is not null and state is not null and chain is not null);
create unique index alerts_identifier on alerts (identifier, sender) where source is not null;
-- One live event per chain.
create unique index alerts_live on alerts (chain) where state = 'active' and source is not null;
create index alerts_chain on alerts (chain) where chain is not null;
create index alerts_sent on alerts (sent_at desc, id);
select layer_install('alerts');
update layer set time_to = 'shown_to' where layer = 'alerts';

insert into layer_field (layer, name, type, title_zh, title_en, in_tile, in_filter, in_form, sort)
select 'alerts', f.name, f.type, f.zh, f.en, false, f.filter, false, 200 + f.n
from (values (1, 'area_desc', 'text', '区域描述', 'Area', false), (2, 'urgency', 'text', '紧急程度', 'Urgency', true), (3, 'certainty', 'text', '确定性', 'Certainty', true),
             (4, 'received_at', 'datetime', '接收时间', 'Received at', true), (5, 'ended_at', 'datetime', '更新或解除时间', 'Replaced or cancelled at', true),
             (6, 'chain', 'uuid', '预警链', 'Chain', true)) f (n, name, type, zh, en, filter);

-- Every message that was taken, as it came. A Cancel is one of these and no alert of its
-- own: it ends the one it is about.
create table alert_messages (
  id          uuid primary key default uuid_v7(),
  alert       uuid not null references alerts on delete cascade,
  chain       uuid not null,
  identifier  text not null,
  sender      text not null,
  msg_type    text not null check (msg_type in ('Alert', 'Update', 'Cancel')),
  sent_at     timestamptz not null,
  received_at timestamptz not null default clock_timestamp(),
  digest      text not null,                    -- SHA-256 of what came, to know a repetition
  original    text,                             -- as it came
  message     jsonb not null check (jsonb_typeof(message) = 'object'),
  exercise    boolean not null default false,
  scope       int8range not null check (not isempty(scope)),
  account     uuid,
  actor       text not null default feed_actor(),
  name        text not null default '',
  unique (identifier, sender)
);
create index alert_messages_alert on alert_messages (alert, received_at);
create index alert_messages_chain on alert_messages (chain);

-- Who is in the area: villages, as they were when it came. An Update says who is new.
create table alert_targets (
  alert       uuid not null references alerts on delete cascade,
  code        text not null check (code_scope(code) is not null),
  name        text not null,
  town        text,
  share       float8 not null check (share >= 0 and share <= 1),
  whole       boolean not null,
  population  integer check (population >= 0),   -- of the village, by its statistics, times the share
  households  integer check (households >= 0),
  listed      integer check (listed >= 0),       -- households of the restricted list, counted only
  listed_persons integer check (listed_persons >= 0),
  weak        integer check (weak >= 0),         -- of them elderly, children and disabled
  must_move   integer check (must_move >= 0),
  added       boolean not null default false,    -- not in the area of the message before
  scope       int8range not null generated always as (code_scope(code)) stored,
  primary key (alert, code)
);

-- Who was in the area of the message before and is no longer.
create table alert_removed (
  alert uuid not null references alerts on delete cascade,
  code  text not null check (code_scope(code) is not null),
  name  text not null,
  scope int8range not null generated always as (code_scope(code)) stored,
  primary key (alert, code)
);

-- Who was reached by which message. Append-only; a repeated id is the same receipt.
create table alert_receipts (
  id          uuid primary key,
  dataset     uuid references dataset,
  alert       uuid not null references alerts on delete cascade,
  message     uuid not null references alert_messages on delete cascade,
  target      text not null check (code_scope(target) is not null),
  channel     text not null check (channel in ('phone', 'app', 'sms', 'radio', 'loudspeaker', 'screen', 'in_person', 'platform')),
  outcome     text not null check (outcome in ('reached', 'acknowledged', 'failed')),
  at          timestamptz not null,
  note        text check (length(note) <= 2000),
  geom        geometry(Point,4490),
  scope       int8range not null generated always as (code_scope(target)) stored,
  scopes      int8multirange not null generated always as (int8multirange(code_scope(target))) stored,
  received_at timestamptz not null default clock_timestamp(),
  account     uuid,
  actor       text not null default feed_actor(),
  name        text not null default '',
  version     bigint not null default 1,
  created_at  timestamptz not null default clock_timestamp(),
  updated_at  timestamptz not null default clock_timestamp(),
  updated_by  text not null default feed_actor()
);
comment on table alert_receipts is '预警送达与确认';
create index alert_receipts_message on alert_receipts (message, target, at);
select field_install('alert_receipts');
select field_policies('alert_receipts', 'coalesce(scope && current_setting(''app.read'')::int8multirange, false)',
  'coalesce(scope <@ current_setting(''app.write'')::int8multirange, false)', 'current_setting(''app.role'') = ''system''');

-- What is passed on (转发): an outbox, so that nothing accepted is forgotten.
create table alert_outbound (
  id          uuid primary key default uuid_v7(),
  alert       uuid not null references alerts on delete cascade,
  message     uuid not null references alert_messages on delete cascade,
  kind        text not null check (kind in ('webhook', 'drop')),
  destination text not null check (destination ~ '^[a-z][a-z0-9_-]{0,39}$'),
  title       text not null,
  state       text not null default 'waiting' check (state in ('waiting', 'sent', 'given_up')),
  follows     boolean not null default false,    -- went by itself, because the chain had gone there before
  attempts    integer not null default 0 check (attempts >= 0),
  next_at     timestamptz not null default clock_timestamp(),
  last_error  text check (length(last_error) <= 500),
  created_at  timestamptz not null default clock_timestamp(),
  sent_at     timestamptz,
  scope       int8range not null check (not isempty(scope)),
  account     uuid,
  actor       text not null default feed_actor(),
  name        text not null default '',
  unique (message, kind, destination),
  check ((state = 'sent') = (sent_at is not null))
);
create index alert_outbound_due on alert_outbound (next_at) where state = 'waiting';
create index alert_outbound_alert on alert_outbound (alert);

do $$
declare
  t text;
  reads text := $p$coalesce(scope && current_setting('app.read')::int8multirange, false)
    and (not current_setting('app.demo')::boolean or exists (select from public.alerts a where a.id = %s))$p$;
  writes text := $p$coalesce(scope <@ current_setting('app.write')::int8multirange, false)$p$;
begin
  foreach t in array array['alert_messages', 'alert_targets', 'alert_removed', 'alert_outbound'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy reading on %I for select using (%s)', t, format(reads, t || '.alert'));
    execute format('create policy adding on %I for insert with check (%s)', t, writes);
    execute format('create policy changing on %I for update using (current_setting(''app.role'') = ''system'') with check (current_setting(''app.role'') = ''system'')', t);
    execute format('create policy removing on %I for delete using (current_setting(''app.role'') = ''system'')', t);
    execute format('create trigger no_truncate before truncate on %I for each statement execute function layer_no_truncate()', t);
  end loop;
end
$$;

-- What was received and who was reached is evidence: it does not change.
create function alert_is_final() returns trigger
language plpgsql as $$
begin
  raise exception using errcode = '55000', message = format('%s never change', tg_table_name);
end
$$;
create trigger final before update on alert_messages for each row execute function alert_is_final();
create trigger final before update on alert_receipts for each row execute function alert_is_final();

-- Codes and rules -----------------------------------------------------------------------------

insert into code_list (list, title_zh, title_en, standard) values
 ('receipt_channel', '送达方式', 'Way it reached', null),
 ('receipt_outcome', '送达结果', 'Outcome', null);
insert into code_item (list, code, title_zh, title_en, sort)
select list, code, zh, en, row_number() over (partition by list order by ord) from (
 select split_part(line, '|', 1) list, split_part(line, '|', 2) code, split_part(line, '|', 3) zh, split_part(line, '|', 4) en, ord
 from regexp_split_to_table($codes$
receipt_channel|phone|电话|Telephone
receipt_channel|app|手机应用|App
receipt_channel|sms|短信|SMS
receipt_channel|radio|应急广播|Radio
receipt_channel|loudspeaker|大喇叭|Loudspeaker
receipt_channel|screen|电子屏|Screen
receipt_channel|in_person|上门|In person
receipt_channel|platform|平台对接|Platform
receipt_outcome|reached|已送达|Reached
receipt_outcome|acknowledged|已确认|Acknowledged
receipt_outcome|failed|未送达|Not reached
$codes$, '\n') with ordinality as t(line, ord) where line <> '') d;

-- Colours are counted differently by different senders: 国家局 p-codes end 1 red .. 4 blue,
-- other feeds count 01 blue .. 04 red. Each source has its readings, the first that says
-- something holds. A reading takes the one group of its pattern.
insert into rule_set (rule, version, title_zh, title_en, standard, responsible, body) values
 ('alert_sources', 1, '预警来源与颜色次序', 'Sources of warnings and their order of colours', 'GB/T 35965.1;各来源接口说明', '应急管理局 应急指挥科',
  '{"sources": [
    {"id": "cma", "title_zh": "气象部门 p 代码(1 红 … 4 蓝)", "title_en": "Weather service, p-codes (1 red .. 4 blue)", "issuer": "41600000", "senders": ["cma.gov.cn"],
     "readings": [{"field": "event_code", "pattern": "^p[0-9]{6}([1-4])$", "levels": {"1": 1, "2": 2, "3": 3, "4": 4}}]},
    {"id": "caiyun", "title_zh": "01 蓝 … 04 红 的来源", "title_en": "Feeds that count 01 blue .. 04 red", "issuer": "41600000", "senders": [],
     "readings": [{"field": "event_code", "pattern": "^[0-9]{2}(0[1-4])$", "levels": {"01": 4, "02": 3, "03": 2, "04": 1}}]},
    {"id": "default", "title_zh": "其他来源", "title_en": "Others", "issuer": "00000000", "senders": [],
     "readings": [
       {"field": "headline", "pattern": "(红|橙|黄|蓝)色", "levels": {"红": 1, "橙": 2, "黄": 3, "蓝": 4}},
       {"field": "event", "pattern": "(红|橙|黄|蓝)色", "levels": {"红": 1, "橙": 2, "黄": 3, "蓝": 4}},
       {"field": "severity", "pattern": "^(Extreme|Severe|Moderate|Minor)$", "levels": {"Extreme": 1, "Severe": 2, "Moderate": 3, "Minor": 4}}]}],
   "events": [
    {"code": "11B01", "name": "台风", "hazard": "typhoon"}, {"code": "11B03", "name": "暴雨", "hazard": "rainstorm"}, {"code": "11B04", "name": "暴雪", "hazard": "snow"},
    {"code": "11B05", "name": "寒潮", "hazard": "low_temperature"}, {"code": "11B06", "name": "大风", "hazard": "gale"}, {"code": "11B07", "name": "沙尘暴", "hazard": "sandstorm"},
    {"code": "11B09", "name": "高温", "hazard": "high_temperature"}, {"code": "11B14", "name": "雷电", "hazard": "lightning"}, {"code": "11B15", "name": "冰雹", "hazard": "hail"},
    {"code": "11B16", "name": "霜冻", "hazard": "low_temperature"}, {"code": "11B20", "name": "雷雨大风", "hazard": "gale"}, {"code": "11B22", "name": "干旱", "hazard": "drought"},
    {"code": "11E02", "name": "风暴潮", "hazard": "storm_surge"}, {"code": "11E06", "name": "海浪", "hazard": "wave"}, {"code": "p0002", "name": "暴雨", "hazard": "rainstorm"},
    {"code": "", "name": "地震", "hazard": "earthquake"}, {"code": "", "name": "山洪", "hazard": "flood"}, {"code": "", "name": "洪水", "hazard": "flood"}, {"code": "", "name": "内涝", "hazard": "waterlogging"},
    {"code": "", "name": "泥石流", "hazard": "debris_flow"}, {"code": "", "name": "滑坡", "hazard": "landslide"}, {"code": "", "name": "地质灾害", "hazard": "landslide"}, {"code": "", "name": "森林火", "hazard": "forest_fire"}],
   "coverage_target": 0.9}');
