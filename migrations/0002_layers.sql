-- One table per layer; the table's name is the layer's id. Columns that rules use
-- are typed, everything else a source brings stays in attrs. Geometry is EPSG:4490;
-- a null geometry is a row that is known but not placed yet (未定位).

-- dims(g) keeps a layer's geometry to the kinds its catalogue entry promises.
create function dims(g geometry) returns integer
language sql immutable parallel safe as $$ select case when g is null then null else st_dimension(g) end $$;

-- 行政区划 ----------------------------------------------------------------------------------

create table admin (like layer_base including all,
  rank             smallint not null check (rank between 1 and 5),   -- 1 省 2 市 3 县 4 乡镇街道 5 村社区
  parent_code      text,
  name_en          text,
  urban_rural_code text,
  population       integer check (population >= 0),
  households       integer check (households >= 0),
  area_km2         float8 check (area_km2 >= 0),
  geom             geometry(Geometry,4490) check (dims(geom) = 2),
  check (code is not null and admin_code = code));
create unique index admin_code_validity on admin (code, coalesce(valid_from, '-infinity'));
create index admin_parent on admin (parent_code);

-- Old names, short names and codes of other years, so that a search or an import
-- that uses them still finds the unit.
create table admin_alias (
  id         uuid primary key default uuid_v7(),
  admin_code text not null,
  alias      text not null,
  kind       text not null check (kind in ('name', 'former_name', 'short_name', 'code', 'former_code')),
  valid_from date,
  valid_to   date,
  unique (admin_code, alias, kind)
);
create index admin_alias_name on admin_alias using gin (alias gin_trgm_ops);
create trigger registry_changed after insert or update or delete on admin_alias for each statement execute function registry_changed('$registry');

create table grids (like layer_base including all,
  kind         text,
  village_code text,
  worker       text,                 -- 网格员(岗位或姓名;电话在 restricted)
  population   integer check (population >= 0),
  households   integer check (households >= 0),
  key_persons  integer check (key_persons >= 0),
  geom         geometry(Geometry,4490) check (dims(geom) = 2));

-- 承灾体 -------------------------------------------------------------------------------------

create table population (like layer_base including all,
  population       integer check (population >= 0),    -- null: not known, never taken as 0
  population_night integer check (population_night >= 0),
  population_day   integer check (population_day >= 0),
  households       integer check (households >= 0),
  male             integer check (male >= 0),
  female           integer check (female >= 0),
  elderly          integer check (elderly >= 0),       -- 60+
  children         integer check (children >= 0),      -- under 15
  year             smallint,
  method           text,
  geom             geometry(Geometry,4490) check (dims(geom) = 2));

create table vulnerable (like layer_base including all,
  total         integer check (total >= 0),
  elderly_alone integer check (elderly_alone >= 0),
  disabled      integer check (disabled >= 0),
  low_income    integer check (low_income >= 0),
  children_left integer check (children_left >= 0),
  bedridden     integer check (bedridden >= 0),
  pregnant      integer check (pregnant >= 0),
  year          smallint,
  geom          geometry(Geometry,4490));

create table buildings (like layer_base including all,
  use           text,
  structure     text,
  floors        smallint check (floors between 0 and 200),
  height_m      float8 check (height_m >= 0),
  area_m2       float8 check (area_m2 >= 0),           -- 建筑面积
  built_year    smallint,
  households    integer check (households >= 0),
  persons       integer check (persons >= 0),
  danger_grade  text,                                  -- 房屋危险性等级 A-D
  geom          geometry(Geometry,4490) check (dims(geom) in (0, 2)));

create table facilities (like layer_base including all,
  kind             text,
  grade            text,
  capacity         integer check (capacity >= 0),
  beds             integer check (beds >= 0),
  persons_peak     integer check (persons_peak >= 0),
  protection_class text,                               -- GB 36894 防护目标分类
  unit             text,
  address          text,
  geom             geometry(Geometry,4490));

create table key_places (like layer_base including all,
  kind         text,
  level        smallint check (level between 1 and 4),
  persons_peak integer check (persons_peak >= 0),
  unit         text,
  address      text,
  geom         geometry(Geometry,4490));

create table roads (like layer_base including all,
  class     text,
  ref       text,
  lanes     smallint check (lanes between 1 and 20),
  width_m   float8 check (width_m > 0),
  speed_kmh smallint check (speed_kmh between 1 and 200),
  oneway    boolean not null default false,
  walk_ok   boolean not null default true,
  bridge    boolean not null default false,
  tunnel    boolean not null default false,
  surface   text,
  geom      geometry(Geometry,4490) check (dims(geom) = 1));

create table road_blocks (like layer_base including all,
  cause       text,
  road        text,
  state       text,
  blocked_at  timestamptz,
  expected_at timestamptz,
  reopened_at timestamptz,
  detour      text,
  geom        geometry(Geometry,4490) check (dims(geom) in (0, 1)),
  check (reopened_at is null or blocked_at is null or reopened_at >= blocked_at));

create table lifelines (like layer_base including all,
  kind         text,
  operator     text,
  diameter_mm  float8 check (diameter_mm > 0),
  voltage_kv   float8 check (voltage_kv > 0),
  pressure_mpa float8 check (pressure_mpa > 0),
  material     text,
  built_year   smallint,
  geom         geometry(Geometry,4490) check (dims(geom) in (0, 1)));

create table rivers (like layer_base including all,
  kind               text,
  stream_order       smallint check (stream_order between 1 and 12),
  length_km          float8 check (length_km >= 0),
  warning_level_m    float8,                          -- 警戒水位
  guaranteed_level_m float8,                          -- 保证水位
  flood_limit_m      float8,                          -- 汛限水位
  capacity_m3        float8 check (capacity_m3 >= 0), -- 总库容
  geom               geometry(Geometry,4490) check (dims(geom) in (1, 2)));

create table waterworks (like layer_base including all,
  kind           text,
  grade          text,
  design_flood_a float8 check (design_flood_a > 0),   -- 设计洪水重现期
  crest_m        float8,
  length_m       float8 check (length_m >= 0),
  capacity_m3s   float8 check (capacity_m3s >= 0),
  condition      text,
  river          text,
  built_year     smallint,
  unit           text,
  geom           geometry(Geometry,4490));

-- 致灾要素 -------------------------------------------------------------------------------------

create table hazards (like layer_base including all,
  hazard                  text,
  subtype                 text,
  scale                   text,
  level                   smallint check (level between 1 and 4),
  trigger                 text,
  state                   text,
  threatened_persons      integer check (threatened_persons >= 0),
  threatened_households   integer check (threatened_households >= 0),
  threatened_property_wan float8 check (threatened_property_wan >= 0),
  monitor                 text,                       -- 监测责任人
  evacuation_shelter      uuid,
  found_at                date,
  measure                 text,
  address                 text,
  geom                    geometry(Geometry,4490));

create table hazard_areas (like layer_base including all,
  hazard          text,
  subtype         text,
  level           smallint check (level between 1 and 4),
  return_period_a float8 check (return_period_a > 0),
  intensity_min   float8,
  intensity_max   float8,
  intensity_unit  text,
  state           text,
  protected_households integer check (protected_households >= 0),
  method          text,
  geom            geometry(Geometry,4490) check (dims(geom) = 2),
  check (intensity_max is null or intensity_min is null or intensity_max >= intensity_min));

create table dangers (like layer_base including all,
  kind             text,
  level            smallint check (level between 1 and 2),
  state            text not null default 'reported',
  source           text,
  description      text,
  grade_basis      text,
  interim_measure  text,
  responsible_unit text,
  rectifier        text,
  reviewer         text,
  listed           boolean not null default false,    -- 挂牌督办
  found_at         timestamptz,
  due_at           timestamptz,
  closed_at        timestamptz,
  geom             geometry(Geometry,4490));

-- 企业与危险源 -----------------------------------------------------------------------------------

create table enterprises (like layer_base including all,
  uscc      text,                                     -- 统一社会信用代码
  industry  text,                                     -- GB/T 4754
  scale     text,
  level     smallint check (level between 1 and 4),
  state     text,
  hazchem   boolean not null default false,
  in_park   boolean not null default false,
  monitored boolean not null default false,
  employees integer check (employees >= 0),
  products  text,
  address   text,
  geom      geometry(Geometry,4490) check (dims(geom) in (0, 2)));

create table hazard_sources (like layer_base including all,
  enterprise        uuid,
  enterprise_name   text,
  kind              text,
  items             jsonb not null default '[]' check (jsonb_typeof(items) = 'array'),  -- [{substance,cas,q_t,critical_t,beta}]
  s                 float8 check (s >= 0),
  alpha             float8 check (alpha > 0),
  r                 float8 check (r >= 0),
  exposed_persons   integer check (exposed_persons >= 0),     -- 厂界外 500 m 常住人口
  exposed_method    text,
  level             smallint check (level between 1 and 4),   -- null: 不构成重大危险源
  filing_no         text,
  filed_at          date,
  expires_at        date,
  principal         text,                             -- 主要负责人
  technical_lead    text,                             -- 技术负责人
  operational_lead  text,                             -- 操作负责人
  rules             text,
  geom              geometry(Geometry,4490) check (dims(geom) in (0, 2)));

create table safety_contours (like layer_base including all,
  kind            text,
  value           float8,
  unit            text,
  hazard_source   uuid,
  enterprise_name text,
  institute       text,
  issued_at       date,
  geom            geometry(Geometry,4490) check (dims(geom) in (1, 2)));

-- 风险区划 ---------------------------------------------------------------------------------------

create table plan (
  id             uuid primary key default uuid_v7(),
  series         uuid not null,
  version_no     integer not null check (version_no > 0),
  parent         uuid references plan,
  hazard         text not null,
  kind           text not null check (kind in ('risk', 'prevention')),
  title          text not null,
  admin_code     text not null,
  scope          int8range not null,
  exhaustive     boolean not null default true,
  state          text not null default 'draft'
                 check (state in ('draft', 'submitted', 'in_review', 'returned', 'approved', 'published', 'superseded', 'withdrawn')),
  method         jsonb not null default '{}',
  document_no    text,
  effective_from date,
  effective_to   date,
  dataset        uuid references dataset,
  version        bigint not null default 1,
  created_at     timestamptz not null default now(),
  created_by     text not null default feed_actor(),
  unique (series, version_no)
);
create unique index plan_in_force on plan (series) where state = 'published';

create table zones (like layer_base including all,
  plan           uuid references plan,
  zone           uuid,                                -- stays the same through the versions of a series
  kind           text,
  hazard         text,
  level          smallint check (level between 1 and 5),
  published      boolean not null default false,
  reason         text,
  countermeasure text,                                -- 防治对策
  responsible    text,
  population     integer check (population >= 0),
  area_km2       float8 check (area_km2 >= 0),
  geom           geometry(Geometry,4490) check (dims(geom) = 2),
  unique (plan, zone));

-- 避难与救援 -------------------------------------------------------------------------------------

create table shelters (like layer_base including all,
  class            text,
  grade            text,
  function         text,
  space            text,
  vertical         text,
  hazards_served   text,                              -- slugs, joined by commas
  capacity         integer check (capacity >= 0),
  occupancy        integer check (occupancy >= 0),
  gross_m2         float8 check (gross_m2 >= 0),
  effective_m2     float8 check (effective_m2 >= 0),
  per_person_m2    float8 check (per_person_m2 > 0),
  service_radius_m float8 check (service_radius_m > 0),
  served_areas     text,
  exits            smallint check (exits >= 0),
  state            text,
  unit             text,
  address          text,
  confirmed_at     timestamptz,                       -- occupancy and state confirmed at
  geom             geometry(Geometry,4490));

create table shelter_service_areas (like layer_base including all,
  shelter     uuid,
  method      text,
  radius_m    float8 check (radius_m > 0),
  minutes     float8 check (minutes > 0),
  population  integer check (population >= 0),
  computed_at timestamptz,
  geom        geometry(Geometry,4490) check (dims(geom) = 2));

create table teams (like layer_base including all,
  kind        text,
  members     integer check (members >= 0),
  specialities text,
  equipment   text,
  ready_min   float8 check (ready_min >= 0),
  state       text,
  unit        text,
  address     text,
  position_at timestamptz,
  geom        geometry(Geometry,4490) check (dims(geom) = 0));

create table warehouses (like layer_base including all,
  grade             text,
  ownership         text,
  area_m2           float8 check (area_m2 >= 0),
  persons_supported integer check (persons_supported >= 0),
  stock             text,
  unit              text,
  address           text,
  geom              geometry(Geometry,4490) check (dims(geom) in (0, 2)));

create table sensors (like layer_base including all,
  kind             text,
  object_name      text,
  measure          text,
  unit             text,
  value            float8,
  value_at         timestamptz,
  state            text,
  threshold_blue   float8,
  threshold_yellow float8,
  threshold_orange float8,
  threshold_red    float8,
  freshness_s      integer check (freshness_s > 0),
  operator         text,
  geom             geometry(Geometry,4490) check (dims(geom) = 0));

create table warning_terminals (like layer_base including all,
  kind              text,
  state             text,
  covers_households integer check (covers_households >= 0),
  operator          text,
  tested_at         timestamptz,
  geom              geometry(Geometry,4490) check (dims(geom) = 0));

-- 事件与预警 -------------------------------------------------------------------------------------

create table alerts (like layer_base including all,
  identifier  text,
  event       text,
  event_code  text,
  hazard      text,
  level       smallint check (level between 1 and 4),
  status      text,
  msg_type    text,
  sender      text,
  sent_at     timestamptz,
  effective   timestamptz,
  expires     timestamptz,
  headline    text,
  description text,
  instruction text,
  state       text,
  geom        geometry(Geometry,4490) check (dims(geom) = 2),
  check (expires is null or effective is null or expires >= effective));

create table incidents (like layer_base including all,
  kind           text,
  type_code      text,                                -- GB/T 35561
  class          text,
  level          smallint check (level between 1 and 4),      -- confirmed by a person
  level_proposed smallint check (level_proposed between 1 and 4),
  state          text not null default 'received',
  occurred_at    timestamptz,
  known_at       timestamptz,
  closed_at      timestamptz,
  place          text,
  description    text,
  source         text,
  deaths         integer check (deaths >= 0),
  missing        integer check (missing >= 0),
  injured        integer check (injured >= 0),
  affected       integer check (affected >= 0),
  evacuated      integer check (evacuated >= 0),
  loss_wan       float8 check (loss_wan >= 0),
  geom           geometry(Geometry,4490));

create table incident_sketches (like layer_base including all,
  incident uuid,
  kind     text,
  note     text,
  geom     geometry(Geometry,4490));

do $$
declare
  t text;
begin
  foreach t in array array[
  'admin', 'grids', 'population', 'vulnerable', 'buildings', 'facilities', 'key_places', 'roads', 'road_blocks',
  'lifelines', 'rivers', 'waterworks', 'hazards', 'hazard_areas', 'dangers', 'enterprises', 'hazard_sources',
  'safety_contours', 'zones', 'shelters', 'shelter_service_areas', 'teams', 'warehouses', 'sensors',
  'warning_terminals', 'alerts', 'incidents', 'incident_sketches'] loop
    perform layer_install(t);
  end loop;
end
$$;

create index incidents_occurred on incidents (occurred_at);
create index dangers_due on dangers (due_at) where closed_at is null;
create index zones_plan on zones (plan);

-- Responsibilities and duty ------------------------------------------------------------------------

-- Who answers for an object or for an area. The telephone is in restricted.contact.
create table responsibility (
  id          uuid primary key default uuid_v7(),
  dataset     uuid references dataset,
  source_key  text,
  kind        text not null check (kind in ('administrative', 'technical', 'patrol')),   -- 行政 技术 巡查
  layer       text references layer,
  feature     uuid,
  admin_code  text,
  scope       int8range not null,
  unit        text,
  post        text,
  person      text,
  deputy_post text,
  deputy      text,
  valid_from  date,
  valid_to    date,
  check ((feature is not null and layer is not null) or (feature is null and layer is null and admin_code is not null)),
  unique (dataset, source_key)
);
create index responsibility_feature on responsibility (layer, feature);
create index responsibility_scope on responsibility using gist (scope);

create table duty_roster (
  id         uuid primary key default uuid_v7(),
  dataset    uuid references dataset,
  source_key text,
  admin_code text not null,
  scope      int8range not null,
  role       text not null check (role in ('leader', 'officer', 'driver', 'technician')),  -- 带班领导 值班员 驾驶员 技术员
  unit       text not null,
  post       text,
  person     text not null,
  starts_at  timestamptz not null,
  ends_at    timestamptz not null check (ends_at > starts_at),
  unique (dataset, source_key)
);
create index duty_roster_time on duty_roster using gist (scope, tstzrange(starts_at, ends_at));

-- People's data ---------------------------------------------------------------------------------------

create table restricted.contact (
  id             uuid primary key default uuid_v7(),
  responsibility uuid references responsibility on delete cascade,
  duty           uuid references duty_roster on delete cascade,
  phone          text,
  deputy_phone   text,
  check (num_nonnulls(responsibility, duty) = 1)
);

-- Identity and telephone columns of imported files end here, beside the feature.
create table restricted.attribute (
  layer   text not null,
  feature uuid not null,
  dataset uuid references dataset,
  name    text not null,
  value   text not null,
  primary key (layer, feature, name)
);

create table restricted.household (
  id            uuid primary key default uuid_v7(),
  dataset       uuid references dataset,
  source_key    text,
  building      uuid,
  admin_code    text not null,
  scope         int8range not null,
  head          text,
  persons       integer check (persons >= 0),
  elderly       integer check (elderly >= 0),
  children      integer check (children >= 0),
  disabled      integer check (disabled >= 0),
  phone         text,
  unique (dataset, source_key)
);

-- Human numbers are given by the server on acceptance, one counter per kind, county and year.
create table number_counter (
  kind        text not null,
  county_code text not null,
  year        smallint not null,
  last        integer not null default 0 check (last >= 0),
  primary key (kind, county_code, year)
);
