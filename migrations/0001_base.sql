-- Ground floor: extensions, helpers every table leans on, the change feed, the
-- registry of code lists and rules, data sets, and the layer catalogue.

create extension if not exists postgis;
create extension if not exists pgrouting;
create extension if not exists pg_trgm;
create extension if not exists btree_gist;

create schema restricted;   -- people's data: households, phones, identity numbers; never in tiles, caches or logs
create schema staging;      -- rows on their way in; emptied after acceptance

comment on schema restricted is '个人信息:户、电话、身份证号。不进瓦片、缓存、日志';
comment on schema staging is '待审入库的数据';

-- uuid_v7 is the default for rows typed in by SQL. The server and the phones make
-- their own (RFC 9562 §5.7: 48 bit milliseconds, version 7, variant 10).
create function uuid_v7() returns uuid
language sql volatile parallel safe as $$
  select encode(
    set_bit(set_bit(
      overlay(uuid_send(gen_random_uuid())
        placing substring(int8send(floor(extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
        from 1 for 6),
      52, 1), 53, 1), 'hex')::uuid
$$;

-- Scope -----------------------------------------------------------------------

-- code_scope maps an administrative code to the half-open interval of full codes
-- below it: family x 10^15 + code, padded on the right to 15 digits with zeros
-- (lower end) and nines (upper end). The family follows from the length: 2, 4, 6,
-- 9, 12 digits (GB/T 2260, GB/T 10114, statistical codes) and the 15-digit grid
-- are family 1; 5, 8, 11 digits are family 2. Anything else is an error.
create function code_scope(code text) returns int8range
language plpgsql immutable strict parallel safe as $$
declare
  family bigint;
  width  bigint;
begin
  if code !~ '^[0-9]+$' then
    raise exception using errcode = '22023',
      message = format('administrative code %L is not made of digits', code);
  end if;
  family := case length(code)
    when 2 then 1 when 4 then 1 when 6 then 1 when 9 then 1 when 12 then 1 when 15 then 1
    when 5 then 2 when 8 then 2 when 11 then 2 end;
  if family is null then
    raise exception using errcode = '22023',
      message = format('administrative code %L has %s digits; 2, 4, 6, 9, 12, 15 or 5, 8, 11 are known', code, length(code));
  end if;
  width := (10::numeric ^ (15 - length(code)))::bigint;
  return int8range(family * 1000000000000000 + code::bigint * width,
                   family * 1000000000000000 + (code::bigint + 1) * width, '[)');
end
$$;

-- every_scope is the scope of a row no known unit contains: readable by all who
-- may read anything, writable only by those who may write everything.
create function every_scope() returns int8range
language sql immutable parallel safe as
$$ select int8range(1000000000000000, 3000000000000000, '[)') $$;

-- Geometry --------------------------------------------------------------------

-- geom_ok is the check of every geometry column, points too. The cheap tests come
-- first on purpose (CASE fixes the order): a NaN point is never found by a box
-- query, so storing it would lose the report; and one invalid polygon can pin a
-- backend inside ST_AsMVTGeom beyond any timeout.
create function geom_ok(g geometry) returns boolean
language sql immutable parallel safe as $$
  select case
    when g is null then true
    when st_isempty(g) then false
    when not coalesce(st_xmin(g) >= -180 and st_xmax(g) <= 180
                  and st_ymin(g) >= -90  and st_ymax(g) <= 90, false) then false
    when st_npoints(g) > 200000 then false
    else st_isvalid(g)
  end
$$;

create function geom_bbox(g geometry) returns float8[]
language sql immutable parallel safe as
$$ select case when g is null or st_isempty(g) then null
          else array[st_xmin(g), st_ymin(g), st_xmax(g), st_ymax(g)] end $$;

-- The change feed ---------------------------------------------------------------

-- change_log is the outbox. Its order is (xid, seq); the pair is the position.
-- Readers take rows with xid < pg_snapshot_xmin(pg_current_snapshot()): seq alone
-- would skip a row whose transaction took its number early and committed late.
create sequence change_log_seq;
create table change_log (
  xid        xid8 not null default pg_current_xact_id(),
  seq        bigint not null default nextval('change_log_seq'),
  at         timestamptz not null default clock_timestamp(),
  layer      text not null,          -- layer id, or $catalogue, $registry
  fid        bigint,                 -- null in bulk rows
  id         uuid,
  op         "char" not null check (op in ('I','U','D','B')),
  row_count  integer not null default 1,
  old_bbox   float8[],               -- xmin, ymin, xmax, ymax in EPSG:4490 degrees
  new_bbox   float8[],
  old_scope  int8multirange,
  new_scope  int8multirange,
  actor      text not null
) partition by range (at);
create index change_log_position on change_log (xid, seq);
create index change_log_feature on change_log (layer, id);
create table change_log_default partition of change_log default;

comment on table change_log is '变更流(outbox):按 (xid, seq) 排序,按天分区';

-- feed_state names the feed. Restoring a backup makes a new id, so that positions
-- of the lost future are answered with a reset instead of silence. dropped_xid is
-- the greatest xid whose rows are gone with an old partition: whoever stands at or
-- before it has missed something.
create table feed_state (
  only_row    boolean primary key default true check (only_row),
  feed_id     uuid not null default uuid_v7(),
  dropped_xid xid8 not null default '0'
);
insert into feed_state default values;

-- change_log_maintain makes the partitions of the coming days and drops those
-- older than keep_days. Called at start-up and daily by the server. A day whose
-- rows already went to the default partition is left there.
create function change_log_maintain(ahead_days integer default 7, keep_days integer default 35)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  d date;
  part text;
  r record;
begin
  for d in select generate_series(current_date, current_date + ahead_days, interval '1 day')::date loop
    part := 'change_log_' || to_char(d, 'YYYYMMDD');
    if to_regclass(part) is null then
      begin
        execute format('create table %I partition of change_log for values from (%L) to (%L)',
                       part, d::text || ' 00:00:00+00', (d + 1)::text || ' 00:00:00+00');
      exception when check_violation then null;
      end;
    end if;
  end loop;
  for r in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'change_log'::regclass and c.relname ~ '^change_log_[0-9]{8}$'
      and to_date(right(c.relname, 8), 'YYYYMMDD') < current_date - keep_days
  loop
    execute format('update feed_state set dropped_xid = greatest(dropped_xid, (select coalesce(max(xid), ''0'') from %I))', r.relname);
    execute format('drop table %I', r.relname);
  end loop;
  update feed_state set dropped_xid = greatest(dropped_xid,
    (select coalesce(max(xid), '0') from change_log_default where at < current_date - keep_days));
  delete from change_log_default where at < current_date - keep_days;
end
$$;
select change_log_maintain();

create function feed_actor() returns text
language sql stable parallel safe as
$$ select coalesce(nullif(current_setting('app.actor', true), ''), session_user::text) $$;

-- registry_changed tells every node to reload a small table held in memory.
create function registry_changed() returns trigger
language plpgsql as $$
begin
  insert into change_log (layer, op, row_count, actor) values (tg_argv[0], 'B', 0, feed_actor());
  return null;
end
$$;

-- Registry ------------------------------------------------------------------------

create table setting (
  key        text primary key,
  value      jsonb not null,
  updated_at timestamptz not null default now(),
  updated_by text not null default feed_actor()
);

create table code_list (
  list      text primary key,
  kind      text not null default 'list' check (kind in ('list', 'ladder')),
  title_zh  text not null,
  title_en  text not null,
  standard  text,                        -- standard and clause the list comes from
  verified  boolean not null default false
);

-- In a ladder level 1 is always the worst.
create table code_item (
  list        text not null references code_list,
  code        text not null,
  title_zh    text not null,
  title_en    text not null,
  parent      text,
  sort        integer not null default 0,
  level       smallint check (level between 1 and 9),
  mark_zh     text,                      -- one character that says the level without colour
  mark_en     text,
  color       text check (color ~ '^#[0-9A-Fa-f]{6}$'),
  color_dark  text check (color_dark ~ '^#[0-9A-Fa-f]{6}$'),
  texture     text check (texture in ('cross', 'diagonal', 'dots', 'plain')),
  print_color text,                      -- as the standard prescribes it, e.g. cmyk(100,70,40,0)
  valid_from  date,
  valid_to    date,
  primary key (list, code)
);
create unique index code_item_level on code_item (list, level) where level is not null;

-- A rule set is every threshold, weight and deadline. It is versioned, never
-- edited in place, and says whether somebody has checked it against the standard.
create table rule_set (
  rule        text not null,
  version     integer not null check (version > 0),
  title_zh    text not null,
  title_en    text not null,
  standard    text,
  body        jsonb not null,
  verified    boolean not null default false,
  verified_by text,
  valid_from  date not null default current_date,
  created_at  timestamptz not null default now(),
  created_by  text not null default feed_actor(),
  primary key (rule, version)
);

create trigger registry_changed after insert or update or delete on setting   for each statement execute function registry_changed('$registry');
create trigger registry_changed after insert or update or delete on code_list for each statement execute function registry_changed('$registry');
create trigger registry_changed after insert or update or delete on code_item for each statement execute function registry_changed('$registry');
create trigger registry_changed after insert or update or delete on rule_set  for each statement execute function registry_changed('$registry');

-- Data sets -------------------------------------------------------------------------

-- A data set is one source that is imported again and again under the same name;
-- each run is a row of import. Rows keep (dataset, source_key) unique.
create table dataset (
  id             uuid primary key default uuid_v7(),
  name           text not null unique,
  title          text not null,
  source_dept    text,
  source_date    date,                  -- 截至
  classification text not null default 'internal'
                 check (classification in ('public', 'internal', 'sensitive')),  -- 秘密 and above is refused at the door
  demo           boolean not null default false,
  created_at     timestamptz not null default now(),
  created_by     text not null default feed_actor()
);
create trigger registry_changed after insert or update or delete on dataset for each statement execute function registry_changed('$catalogue');

-- Layer catalogue ---------------------------------------------------------------------

create table theme (
  theme    text primary key,
  title_zh text not null,
  title_en text not null,
  sort     integer not null
);

create table layer (
  layer           text primary key check (layer ~ '^[a-z][a-z0-9_]{0,62}$' and layer <> 'style'),
  title_zh        text not null,
  title_en        text not null,
  theme           text not null references theme,
  sort            integer not null default 0,
  geometry        text not null check (geometry in ('point', 'line', 'polygon', 'mixed')),
  own             boolean not null default true,  -- false: a foreign table, published as it is
  table_schema    text not null default 'public',
  table_name      text not null,
  id_column       text,                           -- null: no stable id
  fid_column      text,                           -- null: features carry no MVT id
  geom_column     text not null default 'geom',
  srid            integer not null default 4490,
  scope_column    text,                           -- null: every row belongs to every_scope()
  label_field     text,
  level_field     text,
  kind_field      text,
  ladder          text references code_list,
  ladder_by       jsonb,                          -- {"field": "kind", "map": {"risk": "risk_5"}}
  time_kind       text check (time_kind in ('interval', 'instant')),
  time_from       text,                           -- column; interval layers show what is valid now unless asked otherwise
  time_to         text,
  shown_field     text,                           -- boolean column; false rows are drafts and are not shown
  order_by        text,                           -- what stays when a tile must leave something out: this column, largest first; after level
  symbol          text not null default 'circle',
  min_zoom        smallint not null default 5 check (min_zoom between 0 and 22),
  max_zoom        smallint not null default 16 check (max_zoom between 0 and 22),
  visibility      text not null default 'internal' check (visibility in ('public', 'internal', 'sensitive')),
  default_visible boolean not null default false
);

create table layer_field (
  layer     text not null references layer on delete cascade,
  name      text not null,
  type      text not null check (type in ('text', 'integer', 'number', 'boolean', 'date', 'datetime', 'code', 'uuid', 'json')),
  title_zh  text not null,
  title_en  text not null,
  unit      text,
  unit_en   text,                                 -- where the Chinese unit says nothing to an English reader
  code_list text references code_list,
  in_tile   boolean not null default false,
  in_filter boolean not null default false,
  in_form   boolean not null default false,
  in_export boolean not null default true,
  min_zoom  smallint not null default 0,          -- a field of detail stays out of tiles below this zoom
  sort      integer not null default 0,
  primary key (layer, name)
);
create trigger registry_changed after insert or update or delete on layer       for each statement execute function registry_changed('$catalogue');
create trigger registry_changed after insert or update or delete on layer_field for each statement execute function registry_changed('$catalogue');

-- What every layer table of ours has ------------------------------------------------------

create table layer_base (
  id                uuid not null default uuid_v7(),
  fid               bigint generated always as identity check (fid > 0 and fid < 9007199254740992),
  dataset           uuid,
  source_key        text,
  code              text,                -- the object's own code or number
  name              text,
  admin_code        text check (admin_code is null or code_scope(admin_code) is not null),
  scope             int8range not null check (not isempty(scope)),
  competent_dept    text,                -- 主管部门(防)
  emergency_dept    text,                -- 应急(救)
  valid_from        timestamptz,
  valid_to          timestamptz,
  exercise          boolean not null default false,
  field_verified_at timestamptz,         -- set when somebody on the spot confirmed the row; imports never overwrite such rows unasked
  attrs             jsonb not null default '{}' check (jsonb_typeof(attrs) = 'object'),
  version           bigint not null default 1,
  created_at        timestamptz not null default now(),
  recorded_at       timestamptz not null default now(),   -- record time of this version
  recorded_by       text not null default feed_actor(),
  check (valid_to is null or valid_from is null or valid_to >= valid_from),
  check ((dataset is null) = (source_key is null))
);
comment on table layer_base is '图层表的公共列;只作模板,不存数据';

-- scope_at finds the smallest unit that contains the shape whole. It reads admin,
-- which the next migration makes; plpgsql resolves the name when it runs.
create function scope_at(g geometry) returns int8range
language plpgsql stable as $$
declare
  found_scope int8range;
begin
  if g is null then
    select code_scope(value ->> 'code') into found_scope from setting where key = 'home' and value ->> 'code' <> '';
  else
    select a.scope into found_scope from admin a
    where a.geom && g and a.valid_to is null and st_covers(a.geom, g)
    order by a.rank desc, a.fid limit 1;
  end if;
  return coalesce(found_scope, every_scope());
end
$$;

-- layer_before_row keeps the bookkeeping columns out of writers' hands.
create function layer_before_row() returns trigger
language plpgsql as $$
begin
  if tg_op = 'UPDATE' then
    if new.id <> old.id then
      raise exception using errcode = '55000', message = 'the id of a feature never changes';
    end if;
    new.created_at  := old.created_at;
    new.version     := old.version + 1;
    new.recorded_at := now();
    new.recorded_by := feed_actor();
    if new.scope is not distinct from old.scope
       and (new.admin_code is distinct from old.admin_code
            or (new.admin_code is null and new.geom is distinct from old.geom)) then
      new.scope := null;
    end if;
  end if;
  if new.scope is null then
    new.scope := case when new.admin_code is not null then code_scope(new.admin_code) else scope_at(new.geom) end;
  end if;
  return new;
end
$$;

create function layer_no_truncate() returns trigger
language plpgsql as $$
begin
  raise exception using errcode = '55000', message = format('TRUNCATE of %I would leave no trace; use DELETE', tg_table_name);
end
$$;

-- layer_install gives a table of ours its keys, indexes, history and feed. It is
-- safe to call again after columns were added: history gets them too and the
-- trigger function is written anew. Features with the same MVT id in history and
-- live rows are the same feature.
create function layer_install(tab text) returns void
language plpgsql as $fn$
declare
  hist text := tab || '_history';
  cols text;
  r    record;
begin
  if to_regclass(hist) is null then
    execute format('alter table %I add primary key (id), add unique (fid), add unique (dataset, source_key), add foreign key (dataset) references dataset', tab);
    execute format('create index %I on %I using gist (geom)', tab || '_geom', tab);
    execute format('create index %I on %I using gist (scope)', tab || '_scope', tab);
    execute format('create index %I on %I using gin (name gin_trgm_ops)', tab || '_name', tab);
    execute format('create index %I on %I (code) where code is not null', tab || '_code', tab);
    execute format('alter table %I add check (geom_ok(geom))', tab);
    execute format('create table %I (like %I)', hist, tab);
    execute format('alter table %I add column sys_to timestamptz not null default now(), add column ended_op "char" not null, add column ended_by text not null, add column ended_xid xid8 not null, add column ended_seq bigint not null', hist);
    execute format('create index %I on %I (id, ended_xid, ended_seq)', hist || '_id', hist);
    execute format('create index %I on %I (sys_to)', hist || '_time', hist);
    execute format('create index %I on %I using gist (geom)', hist || '_geom', hist);
  end if;
  for r in
    select a.attname, format_type(a.atttypid, a.atttypmod) as type
    from pg_attribute a
    where a.attrelid = tab::regclass and a.attnum > 0 and not a.attisdropped
      and not exists (select 1 from pg_attribute h where h.attrelid = hist::regclass and h.attname = a.attname and not h.attisdropped)
  loop
    execute format('alter table %I add column %I %s', hist, r.attname, r.type);
  end loop;

  select string_agg(format('%I', attname), ', ' order by attnum) into cols
  from pg_attribute where attrelid = tab::regclass and attnum > 0 and not attisdropped;

  execute format($body$
create or replace function %1$I() returns trigger
language plpgsql as $t$
-- Variables carry a prefix: a layer may have a column of any other name.
declare
  v_count bigint;
  v_xid   xid8;
  v_seq   bigint;
  v_bulk  boolean := coalesce(current_setting('app.bulk', true), '') = 'on';
begin
  if tg_op = 'INSERT' then
    select count(*) into v_count from new_rows;
    if v_count = 0 then return null; end if;
    if v_bulk or v_count > 1000 then
      insert into change_log (layer, op, row_count, new_bbox, new_scope, actor)
      select %2$L, 'B', v_count, geom_bbox(st_extent(geom)::geometry), range_agg(scope), feed_actor() from new_rows;
    else
      insert into change_log (layer, fid, id, op, new_bbox, new_scope, actor)
      select %2$L, fid, id, 'I', geom_bbox(geom), int8multirange(scope), feed_actor() from new_rows order by fid;
    end if;
    return null;
  end if;

  select count(*) into v_count from old_rows;
  if v_count = 0 then return null; end if;
  if v_bulk or v_count > 1000 then
    if tg_op = 'UPDATE' then
      insert into change_log (layer, op, row_count, old_bbox, new_bbox, old_scope, new_scope, actor)
      select %2$L, 'B', v_count, o.b, w.b, o.s, w.s, feed_actor()
      from (select geom_bbox(st_extent(geom)::geometry) b, range_agg(scope) s from old_rows) o,
           (select geom_bbox(st_extent(geom)::geometry) b, range_agg(scope) s from new_rows) w
      returning xid, seq into v_xid, v_seq;
    else
      insert into change_log (layer, op, row_count, old_bbox, old_scope, actor)
      select %2$L, 'B', v_count, geom_bbox(st_extent(geom)::geometry), range_agg(scope), feed_actor() from old_rows
      returning xid, seq into v_xid, v_seq;
    end if;
    insert into %3$I (%4$s, sys_to, ended_op, ended_by, ended_xid, ended_seq)
    select %4$s, now(), left(tg_op, 1)::"char", feed_actor(), v_xid, v_seq from old_rows;
  elsif tg_op = 'UPDATE' then
    with log as (
      insert into change_log (layer, fid, id, op, old_bbox, new_bbox, old_scope, new_scope, actor)
      select %2$L, w.fid, w.id, 'U', geom_bbox(o.geom), geom_bbox(w.geom), int8multirange(o.scope), int8multirange(w.scope), feed_actor()
      from old_rows o join new_rows w using (id) order by w.fid
      returning id as log_id, xid as log_xid, seq as log_seq)
    insert into %3$I (%4$s, sys_to, ended_op, ended_by, ended_xid, ended_seq)
    select %4$s, now(), 'U', feed_actor(), log_xid, log_seq from old_rows join log on log_id = old_rows.id;
  else
    with log as (
      insert into change_log (layer, fid, id, op, old_bbox, old_scope, actor)
      select %2$L, fid, id, 'D', geom_bbox(geom), int8multirange(scope), feed_actor() from old_rows order by fid
      returning id as log_id, xid as log_xid, seq as log_seq)
    insert into %3$I (%4$s, sys_to, ended_op, ended_by, ended_xid, ended_seq)
    select %4$s, now(), 'D', feed_actor(), log_xid, log_seq from old_rows join log on log_id = old_rows.id;
  end if;
  return null;
end
$t$ $body$, tab || '_feed', tab, hist, cols);

  execute format('create or replace trigger before_row before insert or update on %I for each row execute function layer_before_row()', tab);
  execute format('create or replace trigger feed_insert after insert on %I referencing new table as new_rows for each statement execute function %I()', tab, tab || '_feed');
  execute format('create or replace trigger feed_update after update on %I referencing old table as old_rows new table as new_rows for each statement execute function %I()', tab, tab || '_feed');
  execute format('create or replace trigger feed_delete after delete on %I referencing old table as old_rows for each statement execute function %I()', tab, tab || '_feed');
  execute format('create or replace trigger no_truncate before truncate on %I for each statement execute function layer_no_truncate()', tab);
end
$fn$;
