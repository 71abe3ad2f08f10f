Publishing a table as a layer, as its owner.

-- name: relation
select c.oid::bigint, c.relkind::text, coalesce(obj_description(c.oid, 'pg_class'), '')
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p', 'v', 'm', 'f')

-- name: closed_source
-- What a relation shows that may not be published, itself or through views: schemas
-- of people's data and of the system, tables under row security, rows on their way in.
with recursive used (oid) as (
  select $1::bigint::oid
  union
  select d.refobjid from used u
  join pg_rewrite r on r.ev_class = u.oid
  join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
)
select n.nspname || '.' || c.relname
from used u join pg_class c on c.oid = u.oid join pg_namespace n on n.oid = c.relnamespace
where n.nspname = any ($2) or n.nspname ~ '^pg_' or c.relrowsecurity
   or n.nspname = 'public' and (c.relname ~ '^import(_|$)' or c.relname in ('setting', 'change_log', 'plan', 'responsibility', 'duty_roster'))
order by 1 limit 1

-- name: relation_columns
select a.attname, t.typname, format_type(a.atttypid, a.atttypmod), coalesce(col_description(a.attrelid, a.attnum), ''),
       coalesce((select array_length(i.indkey::int2[], 1) = 1 from pg_index i where i.indrelid = a.attrelid and i.indisprimary and a.attnum = any (i.indkey)), false),
       case when t.typname = 'geometry' then postgis_typmod_srid(a.atttypmod) else 0 end,
       case when t.typname = 'geometry' then coalesce(postgis_typmod_type(a.atttypmod), '') else '' end
from pg_attribute a join pg_type t on t.oid = a.atttypid
where a.attrelid = $1::bigint::oid and a.attnum > 0 and not a.attisdropped
order by a.attnum

-- name: shapes_found
select count(*), count(distinct ST_SRID(t.{geom})), coalesce(max(ST_SRID(t.{geom})), 0),
       coalesce(bool_or(ST_Dimension(t.{geom}) = 0), false), coalesce(bool_or(ST_Dimension(t.{geom}) = 1), false), coalesce(bool_or(ST_Dimension(t.{geom}) = 2), false),
       count(*) filter (where ST_IsEmpty(t.{geom})),
       count(*) filter (where ST_NPoints(t.{geom}) > 200000 or ST_Dimension(t.{geom}) = 2 and not ST_IsValid(t.{geom}))
from {table} t where t.{geom} is not null

-- name: fid_range
select coalesce(min(t.{fid}), 0)::text::numeric >= 0 and coalesce(max(t.{fid}), 0)::text::numeric < 9007199254740992, count(*) = count(distinct t.{fid}) from {table} t

-- name: has_spatial_index
select exists (select from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am m on m.oid = c.relam
  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
  where i.indrelid = $1::bigint::oid and m.amname in ('gist', 'spgist') and a.attname = $2 and i.indisvalid)

-- name: known_crs
select exists (select from spatial_ref_sys where srid = $1)

-- name: known_theme
select exists (select from theme where theme = $1)

-- name: grant_schema
grant usage on schema {schema} to onemap_app

-- name: grant_table
grant select on {table} to onemap_app

-- name: may_read
select has_schema_privilege('onemap_app', $1, 'usage') and has_table_privilege('onemap_app', $2::bigint::oid, 'select')

-- name: add_layer
insert into layer (layer, title_zh, title_en, theme, sort, geometry, own, table_schema, table_name, id_column, fid_column, geom_column, srid,
                   scope_column, label_field, level_field, kind_field, ladder, order_by, symbol, min_zoom, max_zoom, visibility)
values ($1, $2, $3, $4, 100, $5, false, $6, $7, nullif($8, ''), nullif($9, ''), $10, $11,
        nullif($12, ''), nullif($13, ''), nullif($14, ''), nullif($15, ''), nullif($16, ''), nullif($17, ''), $18, $19, $20, $21)

-- name: add_field
insert into layer_field (layer, name, type, title_zh, title_en, in_tile, in_filter, in_form, in_export, min_zoom, sort)
values ($1, $2, $3, $4, $5, $6, $7, false, true, 0, $8)

-- name: published
select table_schema, table_name, own from layer where layer = $1

-- name: remove_layer
delete from layer where layer = $1 and not own

-- name: feed_function
create or replace function public.{function}() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $t$
declare
  world float8[] := array[-180, -90, 180, 90];
  everyone int8multirange := int8multirange(every_scope());
  n bigint;
begin
  if tg_op = 'TRUNCATE' then
    insert into change_log (layer, op, row_count, old_bbox, old_scope, actor) values ('{layer}', 'B', 0, world, everyone, feed_actor());
    return null;
  end if;
  -- Reporting a change must never make the owner's own statement fail: what has no
  -- box in degrees is reported as a change of everything.
  begin
    if tg_op = 'INSERT' then
      select count(*) into n from new_rows;
      if n between 1 and {single} then
        insert into change_log (layer, fid, op, new_bbox, new_scope, actor)
        select '{layer}', {fid}, 'I', geom_bbox(ST_Transform({geom}, 4490)), everyone, feed_actor() from new_rows;
      elsif n > 0 then
        insert into change_log (layer, op, row_count, new_bbox, new_scope, actor)
        select '{layer}', 'B', n, geom_bbox(ST_Extent(ST_Transform({geom}, 4490))::geometry), everyone, feed_actor() from new_rows;
      end if;
    elsif tg_op = 'DELETE' then
      select count(*) into n from old_rows;
      if n between 1 and {single} then
        insert into change_log (layer, fid, op, old_bbox, old_scope, actor)
        select '{layer}', {fid}, 'D', geom_bbox(ST_Transform({geom}, 4490)), everyone, feed_actor() from old_rows;
      elsif n > 0 then
        insert into change_log (layer, op, row_count, old_bbox, old_scope, actor)
        select '{layer}', 'B', n, geom_bbox(ST_Extent(ST_Transform({geom}, 4490))::geometry), everyone, feed_actor() from old_rows;
      end if;
    else
      select count(*) into n from old_rows;
      if n between 1 and {single} then
        insert into change_log (layer, fid, op, old_bbox, new_bbox, old_scope, new_scope, actor)
        select '{layer}', coalesce(w.f, o.f), 'U', o.b, w.b, everyone, everyone, feed_actor()
        from (select {fid} as f, geom_bbox(ST_Transform({geom}, 4490)) as b from old_rows) o
        full join (select {fid} as f, geom_bbox(ST_Transform({geom}, 4490)) as b from new_rows) w on w.f = o.f;
      elsif n > 0 then
        insert into change_log (layer, op, row_count, old_bbox, new_bbox, old_scope, new_scope, actor)
        select '{layer}', 'B', n, o.b, w.b, everyone, everyone, feed_actor()
        from (select geom_bbox(ST_Extent(ST_Transform({geom}, 4490))::geometry) as b from old_rows) o,
             (select geom_bbox(ST_Extent(ST_Transform({geom}, 4490))::geometry) as b from new_rows) w;
      end if;
    end if;
  exception when others then
    insert into change_log (layer, op, row_count, old_bbox, new_bbox, old_scope, new_scope, actor)
    values ('{layer}', 'B', 0, world, world, everyone, everyone, feed_actor());
  end;
  return null;
end
$t$

-- name: feed_insert
create or replace trigger onemap_feed_insert after insert on {table} referencing new table as new_rows for each statement execute function public.{function}()

-- name: feed_update
create or replace trigger onemap_feed_update after update on {table} referencing old table as old_rows new table as new_rows for each statement execute function public.{function}()

-- name: feed_delete
create or replace trigger onemap_feed_delete after delete on {table} referencing old table as old_rows for each statement execute function public.{function}()

-- name: feed_truncate
create or replace trigger onemap_feed_truncate after truncate on {table} for each statement execute function public.{function}()

-- name: feed_drop_triggers
do $d$
declare
  r record;
begin
  for r in select g.tgname, g.tgrelid::regclass as tab from pg_trigger g join pg_proc f on f.oid = g.tgfoid
           where f.oid = to_regproc('public.{function}') loop
    execute format('drop trigger %I on %s', r.tgname, r.tab);
  end loop;
end
$d$

-- name: feed_drop_function
drop function if exists public.{function}()
