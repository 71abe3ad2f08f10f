-- Jobs: work that outlasts a request. A row says how far it is; the work itself is a
-- function of the process that took it. Below: further ladders, and the rules that the
-- computing of plans works by.

create table job (
  id           uuid primary key default uuid_v7(),
  kind         text not null check (kind ~ '^[a-z][a-z0-9_.]{1,79}$'),
  title_zh     text not null,
  title_en     text not null,
  object       text not null default '' check (length(object) <= 300),
  state        text not null default 'queued' check (state in ('queued', 'running', 'done', 'failed', 'cancelled')),
  done         bigint not null default 0 check (done >= 0),
  total        bigint not null default 0 check (total >= 0),
  what         text not null default '' check (length(what) <= 300),
  result       jsonb,
  error        jsonb,
  account      uuid not null,                        -- whose it is
  actor        text not null default feed_actor(),
  name         text not null default '',
  node         uuid not null,                        -- the process that does it
  heartbeat    timestamptz not null default now(),   -- of that process; a dead one's jobs are failed
  cancel_asked boolean not null default false,
  created_at   timestamptz not null default now(),
  started_at   timestamptz,
  finished_at  timestamptz,
  check ((state in ('done', 'failed', 'cancelled')) = (finished_at is not null)),
  check (state <> 'failed' or error is not null),
  check (octet_length(result::text) <= 1048576)
);
create index job_account on job (account, id);
create index job_open on job (node) where finished_at is null;
create index job_finished on job (finished_at) where finished_at is not null;

-- What is over is over, whoever comes late: a node that was taken for dead, a cancel.
create function job_is_over() returns trigger
language plpgsql as $$
begin
  if old.finished_at is not null then
    raise exception using errcode = '55000', message = 'a job that is over does not change';
  end if;
  if (new.id, new.kind, new.object, new.account, new.node, new.created_at) is distinct from
     (old.id, old.kind, old.object, old.account, old.node, old.created_at) then
    raise exception using errcode = '55000', message = 'what a job is does not change';
  end if;
  return new;
end
$$;
create trigger over before update on job for each row execute function job_is_over();

-- A job is its owner's: whatever a statement forgets, others' rows stay unseen. The
-- program itself runs them, sweeps them and shows them to who manages the system.
alter table job enable row level security;
alter table job force row level security;
create policy own on job for select using (actor = current_setting('app.actor') or current_setting('app.role') = 'system');
create policy program on job using (current_setting('app.role') = 'system') with check (current_setting('app.role') = 'system');

-- Ladders --------------------------------------------------------------------------------

-- One hue each, none of them a warning's: soil brown for geology, grey-green water for
-- flood, olive for the economy, slate for people. Print colours are those the trade's
-- specification prescribes; where it prescribes none there is none.
insert into code_list (list, kind, title_zh, title_en, standard, verified) values
 ('geology_4',         'ladder', '地质灾害易发(风险)等级', 'Geological hazard level', '地质灾害风险调查评价 四级 (极高/高/中/低)', false),
 ('flood_4',           'ladder', '洪水风险等级',           'Flood risk level',        '洪水风险区划 综合风险度 R 四级 (0.15/0.5/1.0)', false),
 ('gdp_risk_5',        'ladder', 'GDP 风险等级',           'Economic risk level',     '气象灾害风险评估 GDP 风险五级 (普查技术规范)', false),
 ('population_risk_5', 'ladder', '人口风险等级',           'Population risk level',   '气象灾害风险评估 人口风险五级 (普查技术规范)', false),
 ('capability_5',      'ladder', '综合减灾能力等级',       'Disaster-reduction capability', '综合减灾能力评估 五级 (强/较强/中等/较弱/弱)', false);

insert into code_item (list, code, title_zh, title_en, sort, level, mark_zh, mark_en, color, color_dark, texture, print_color) values
 ('geology_4', '1', '极高', 'Very high', 1, 1, '极高', 'VH', '#452A18', '#F0D2B4', 'cross',    null),
 ('geology_4', '2', '高',   'High',      2, 2, '高',   'H',  '#7B5A42', '#C4A083', 'diagonal', null),
 ('geology_4', '3', '中',   'Medium',    3, 3, '中',   'M',  '#B0957F', '#93745B', 'dots',     null),
 ('geology_4', '4', '低',   'Low',       4, 4, '低',   'L',  '#DFD2C6', '#624A39', 'plain',    null),
 ('flood_4', '1', '极高', 'Very high', 1, 1, '极高', 'VH', '#0A3B47', '#B4E3EE', 'cross',    null),
 ('flood_4', '2', '高',   'High',      2, 2, '高',   'H',  '#3B7280', '#7DB5C3', 'diagonal', null),
 ('flood_4', '3', '中',   'Medium',    3, 3, '中',   'M',  '#7FA9B4', '#538594', 'dots',     null),
 ('flood_4', '4', '低',   'Low',       4, 4, '低',   'L',  '#C9DDE2', '#355A66', 'plain',    null),
 ('gdp_risk_5', '1', '高',   'High',        1, 1, '高',   'H',  '#2F4014', '#DDECA8', 'cross',    'cmyk(15,100,85,0)'),
 ('gdp_risk_5', '2', '较高', 'Fairly high', 2, 2, '较高', 'FH', '#566B2E', '#B3C975', 'diagonal', 'cmyk(7,50,60,0)'),
 ('gdp_risk_5', '3', '中',   'Medium',      3, 3, '中',   'M',  '#849A55', '#879E51', 'dots',     'cmyk(0,5,55,0)'),
 ('gdp_risk_5', '4', '较低', 'Fairly low',  4, 4, '较低', 'FL', '#B4C48E', '#60733B', 'plain',    'cmyk(0,2,25,0)'),
 ('gdp_risk_5', '5', '低',   'Low',         5, 5, '低',   'L',  '#E3EAD0', '#434F2C', 'plain',    'cmyk(0,0,10,0)'),
 ('population_risk_5', '1', '高',   'High',        1, 1, '高',   'H',  '#252A5E', '#CBD1FF', 'cross',    'cmyk(0,100,100,25)'),
 ('population_risk_5', '2', '较高', 'Fairly high', 2, 2, '较高', 'FH', '#4C5490', '#9CA6E8', 'diagonal', 'cmyk(15,100,85,0)'),
 ('population_risk_5', '3', '中',   'Medium',      3, 3, '中',   'M',  '#7F87B8', '#757FC0', 'dots',     'cmyk(5,50,60,0)'),
 ('population_risk_5', '4', '较低', 'Fairly low',  4, 4, '较低', 'FL', '#B3B9D9', '#555C91', 'plain',    'cmyk(5,35,40,0)'),
 ('population_risk_5', '5', '低',   'Low',         5, 5, '低',   'L',  '#E3E5F2', '#3C4169', 'plain',    'cmyk(0,15,15,0)'),
 -- Level 1 is 强, the first of the ladder as everywhere; the weakest is the darkest.
 ('capability_5', '1', '强',   'Strong',        1, 1, '强',   'S',  '#E6E6E6', '#45474A', 'plain',    null),
 ('capability_5', '2', '较强', 'Fairly strong', 2, 2, '较强', 'FS', '#BDC0C3', '#65686C', 'plain',    null),
 ('capability_5', '3', '中等', 'Medium',        3, 3, '中',   'M',  '#8D9196', '#8B8F94', 'dots',     null),
 ('capability_5', '4', '较弱', 'Fairly weak',   4, 4, '较弱', 'FW', '#5E6368', '#B4B8BD', 'diagonal', null),
 ('capability_5', '5', '弱',   'Weak',          5, 5, '弱',   'W',  '#2E3236', '#E4E7EA', 'cross',    null);

-- Rules ----------------------------------------------------------------------------------

-- What computing a plan works by. Nobody has compared these with the bureau's own
-- specification yet: verified stays false until the named department has.
insert into rule_set (rule, version, title_zh, title_en, standard, responsible, body) values
 ('prevention_matrix', 1, '防治分区判定矩阵', 'Prevention classes by risk and capability', '经验规则:风险等级 × 减灾能力等级 × 重大隐患', '应急管理局 风险监测和综合减灾科',
  '{"risk_ladder": "risk_5", "capability_ladder": "capability_5", "ladder": "prevention_3",
    "rows": "risk level 1..5", "columns": "capability level 1..5",
    "matrix": [[1, 1, 1, 1, 1], [2, 2, 1, 1, 1], [3, 2, 2, 2, 1], [3, 3, 3, 2, 2], [3, 3, 3, 3, 3]],
    "dangers": {"min": 1, "at_most": 2, "many": 3, "at_most_many": 1}}'),
 ('capability_weights', 1, '减灾能力评估权重', 'Weights of disaster-reduction capability', '乡镇(街道)减灾能力评估,一个项目的取值', '应急管理局 风险监测和综合减灾科',
  '{"combined": {"township": 0.53, "community": 0.47},
    "township": {"management": 0.33, "preparedness": 0.32, "relief": 0.35},
    "community": {"management": 0.32, "preparedness": 0.31, "relief": 0.37},
    "indicators": [
     {"id": "team", "group": "management", "title_zh": "队伍管理", "title_en": "Staff", "formula": "管理人员/人口×10⁴"},
     {"id": "assessment", "group": "management", "title_zh": "风险评估", "title_en": "Risk assessed", "formula": "0 或 1"},
     {"id": "money", "group": "management", "title_zh": "财政投入", "title_en": "Funds", "formula": "万元/人口×10⁴"},
     {"id": "stores", "group": "preparedness", "title_zh": "物资储备", "title_en": "Stores", "formula": "物资折价/人口×10⁴"},
     {"id": "beds", "group": "preparedness", "title_zh": "医疗", "title_en": "Beds", "formula": "床位/人口×10⁴"},
     {"id": "rescue", "group": "relief", "title_zh": "自救互救", "title_en": "Rescue", "formula": "(消防员+志愿者+民兵)/人口×10⁴"},
     {"id": "training", "group": "relief", "title_zh": "公众避险", "title_en": "Training", "formula": "培训人次/人口×100"},
     {"id": "shelter", "group": "relief", "title_zh": "转移安置", "title_en": "Shelter", "formula": "场所容量/人口"}],
    "grades": {"method": "mean_sd", "upper": [1.5, 0.5, -0.5, -1.5], "merge_below": [1.5, 0.5]}}'),
 ('zoning_classes', 1, '区划分级默认方法', 'Usual classification of plans', '分级方法须随方案记录', '应急管理局 风险监测和综合减灾科',
  '{"default": {"method": "jenks"},
    "by_hazard": {"flood": {"ladder": "flood_4", "method": "thresholds", "thresholds": [0.15, 0.5, 1.0], "ties": "upper", "of": "综合风险度 R"}}}'),
 ('delivery_package', 1, '成果汇交包', 'Delivery package', '普查成果汇交:文件名与字段名按本地要求修改', '应急管理局 信息化科',
  '{"name": "{area_code}_{hazard}_{kind}_{date}",
    "files": [
     {"path": "01矢量数据/{area_code}{kind_title}.shp", "kind": "shp", "encoding": "gbk",
      "fields": [{"name": "XZQDM", "source": "area_code"}, {"name": "QHDM", "source": "code"}, {"name": "QHMC", "source": "name"},
                 {"name": "DJ", "source": "level"}, {"name": "DJMC", "source": "level_name"}, {"name": "MJ", "source": "area_km2"},
                 {"name": "RK", "source": "population"}, {"name": "HDLY", "source": "reason"}, {"name": "FZDC", "source": "countermeasure"},
                 {"name": "ZRDW", "source": "responsible"}]},
     {"path": "01矢量数据/{area_code}{kind_title}.gpkg", "kind": "gpkg"},
     {"path": "02成果表/{title}.xlsx", "kind": "xlsx",
      "fields": [{"name": "区划代码", "source": "code"}, {"name": "区划单元", "source": "name"}, {"name": "等级", "source": "level_name"},
                 {"name": "面积(km²)", "source": "area_km2"}, {"name": "人口(人)", "source": "population"}, {"name": "划定理由", "source": "reason"},
                 {"name": "防治对策", "source": "countermeasure"}, {"name": "责任单位", "source": "responsible"}]},
     {"path": "02成果表/意见采纳情况表.xlsx", "kind": "table", "table": "comments"},
     {"path": "03成果图/{title}.pdf", "kind": "pdf"},
     {"path": "文件清单.xlsx", "kind": "contents"}]}');

-- What can be measured of a unit, as one says it in the office. measure is one of the
-- program's; layer, field and the conditions are of the catalogue.
insert into rule_set (rule, version, title_zh, title_en, standard, responsible, body)
select 'zoning_indicators', 1, '区划评价指标', 'Indicators of plans', '指标体系按本地评估方案修改', '应急管理局 风险监测和综合减灾科',
  jsonb_build_object('indicators', jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
    'id', f[1], 'layer', f[2], 'measure', f[3], 'field', nullif(f[4], ''), 'of', nullif(f[5], ''), 'group', f[6], 'direction', f[7],
    'title_zh', f[8], 'title_en', f[9], 'unit_zh', f[10], 'unit_en', f[11], 'where', nullif(f[12], '')::jsonb, 'weights', nullif(f[13], '')::jsonb, 'factor', nullif(f[14], '')::float8)) order by ord))
from (select string_to_array(line, '|') f, ord from regexp_split_to_table($indicators$
population_density|population|sum_density|population||E|positive|人口密度|Population density|人/km²|persons/km²|||
elderly_share|population|ratio|elderly|population|V|positive|60 岁以上人口占比|Share of people of 60 and over|%|%|||100
children_share|population|ratio|children|population|V|positive|15 岁以下人口占比|Share of children under 15|%|%|||100
vulnerable_people|vulnerable|sum|total||V|positive|脆弱人群数|Vulnerable people|人|persons|||
vulnerable_density|vulnerable|sum_density|total||V|positive|脆弱人群密度|Density of vulnerable people|人/km²|persons/km²|||
building_density|buildings|density|||E|positive|房屋密度|Building density|栋/km²|buildings/km²|||
weak_building_share|buildings|count_share|||V|positive|砌体、砖木、土木房屋占比|Share of masonry, brick-wood and earth buildings|%|%|[{"field":"structure","in":["masonry","brick_wood","earth"]}]||
dangerous_building_density|buildings|density|||V|positive|C、D 级危房密度|Density of dangerous buildings (C, D)|栋/km²|buildings/km²|[{"field":"danger_grade","in":["C","D"]}]||
hazard_point_density|hazards|weighted_density|||H|positive|灾害隐患点加权密度|Hazard points by level, per area|/km²|/km²|[{"field":"state","not_in":["removed"]}]|{"1":4,"2":3,"3":2,"4":1}|
threatened_people_density|hazards|sum_density|threatened_persons||H|positive|隐患点威胁人口密度|People threatened, per area|人/km²|persons/km²|[{"field":"state","not_in":["removed"]}]||
hazard_area_share|hazard_areas|weighted_area_share|||H|positive|危险区加权面积占比|Hazard areas by level, share of area|%|%||{"1":1,"2":0.75,"3":0.5,"4":0.25}|
flood_area_share|hazard_areas|weighted_area_share|||H|positive|洪涝淹没区加权面积占比|Flood areas by level, share of area|%|%|[{"field":"hazard","in":["flood","waterlogging","rainstorm"]}]|{"1":1,"2":0.75,"3":0.5,"4":0.25}|
geology_area_share|hazard_areas|weighted_area_share|||H|positive|地质灾害危险区加权面积占比|Geological hazard areas by level, share of area|%|%|[{"field":"hazard","in":["collapse","landslide","debris_flow","subsidence"]}]|{"1":1,"2":0.75,"3":0.5,"4":0.25}|
danger_density|dangers|weighted_density|||H|positive|未销号隐患加权密度|Open hidden dangers by level, per area|/km²|/km²|[{"field":"state","not_in":["draft","rejected","closed"]}]|{"1":4,"2":1}|
serious_dangers|dangers|count|||H|positive|重大隐患数|Serious hidden dangers|处|cases|[{"field":"level","in":["1"]},{"field":"state","not_in":["draft","rejected","closed"]}]||
enterprise_density|enterprises|weighted_density|||H|positive|企业加权密度|Enterprises by risk level, per area|/km²|/km²|[{"field":"state","not_in":["closed"]}]|{"1":4,"2":3,"3":2,"4":1}|
hazard_source_density|hazard_sources|weighted_density|||H|positive|重大危险源加权密度|Major hazard sources by level, per area|/km²|/km²||{"1":4,"2":3,"3":2,"4":1}|
river_density|rivers|length_density|||S|positive|河网密度|Drainage density|km/km²|km/km²|[{"field":"kind","in":["river","stream","canal"]}]||
key_place_density|key_places|density|||E|positive|重点场所密度|Density of key places|处/km²|places/km²|||
road_density|roads|length_density|||C|positive|路网密度|Road density|km/km²|km/km²|||
shelter_capacity|shelters|per_capita|capacity||C|positive|人均避难容量|Shelter places per person|人/人|places/person|||1
beds_per_10k|facilities|per_capita|beds||C|positive|每万人床位|Beds per 10,000 people|张/万人|beds/10,000|||10000
rescuers_per_10k|teams|per_capita|members||C|positive|每万人救援队员|Rescuers per 10,000 people|人/万人|rescuers/10,000|||10000
supplies_per_person|warehouses|per_capita|persons_supported||C|positive|人均物资保障|Supplies per person|人/人|persons/person|||1
$indicators$, '\n') with ordinality as t(line, ord) where line <> '') d;
