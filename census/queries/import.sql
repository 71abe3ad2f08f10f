Fixed statements. Those that name a layer's table lie in layer/.

-- name: catalogue_layers
select layer, geometry, table_schema, table_name from layer where own

-- name: catalogue_columns
select l.layer, c.column_name, c.udt_name, c.is_nullable = 'YES', coalesce(c.column_default, ''),
       coalesce(f.type, ''), coalesce(f.code_list, ''), coalesce(f.unit, ''), coalesce(f.title_zh, ''), coalesce(f.title_en, '')
from layer l
join information_schema.columns c on c.table_schema = l.table_schema and c.table_name = l.table_name
left join layer_field f on f.layer = l.layer and f.name = c.column_name
where l.own and c.is_generated = 'NEVER'
  and c.column_name not in ('fid', 'dataset', 'source_key', 'scope', 'attrs', 'version', 'created_at', 'recorded_at', 'recorded_by', 'geom')
order by l.layer, c.ordinal_position

-- name: catalogue_codes
select list, code, title_zh, title_en from code_item

-- name: import_limits
select body from rule_set where rule = 'import_limits' and valid_from <= current_date order by version desc limit 1

-- name: admin_units
select code, name, coalesce(parent_code, ''), rank from admin where valid_to is null order by rank, code

-- name: admin_aliases
select admin_code, alias from admin_alias where kind in ('name', 'former_name', 'short_name')

-- name: admin_size
select coalesce(sum(st_npoints(geom)), 0) from admin where valid_to is null and geom is not null

-- name: admin_areas
select scope, geom from admin where valid_to is null and geom is not null order by rank desc, fid

-- name: area_shapes
with inside as (select rank, geom from admin
  where valid_to is null and geom is not null and scope <@ $1::int8range
    and ($2::boolean or not exists (select from dataset d where d.id = admin.dataset and d.demo)))
select geom from inside where rank = (select min(rank) from inside)

-- name: srid_known
select exists (select from spatial_ref_sys where srid = $1)

-- name: dataset_ensure
insert into dataset (name, title, source_dept, source_date, classification, demo, created_by)
values ($1, $2, nullif($3, ''), $4, $5, $6, $7)
on conflict (name) do update set title = excluded.title, source_dept = coalesce(excluded.source_dept, dataset.source_dept),
  source_date = coalesce(excluded.source_date, dataset.source_date), classification = excluded.classification
returning id, demo

-- name: dataset_same
select id, demo from dataset
where name = $1 and title = $2 and coalesce($3, '') in ('', source_dept) and coalesce($4::date, source_date) is not distinct from source_date and classification = $5

-- name: dataset_find
select id from dataset where name = $1

-- name: dataset_lock
select pg_try_advisory_lock(hashtextextended('onemap import ' || $1, 0))

-- name: dataset_unlock
select pg_advisory_unlock(hashtextextended('onemap import ' || $1, 0))

-- name: import_begin
insert into import (id, dataset, mode, source, source_sha256, rules_sha256, crs, encoding, actor)
values ($1, $2, $3, $4, $5, $6, nullif($7, ''), nullif($8, ''), $9)

-- name: import_abandon
update import set state = 'failed', message = 'abandoned', finished_at = now()
where dataset = $1 and state in ('staging', 'accepting') and id <> $2

-- name: import_state
update import set state = $2 where id = $1

-- name: import_finish
update import set state = $2, layers = $3, read = $4, accepted = $5, rejected = $6, quarantined = $7, inserted = $8, updated = $9,
  unchanged = $10, deleted = $11, unplaced = $12, report = $13, message = nullif($14, ''), crs = coalesce(nullif($15, ''), crs),
  encoding = coalesce(nullif($16, ''), encoding), finished_at = now()
where id = $1

-- name: staging_clear
delete from staging.import_row where ctid = any (array(
  select r.ctid from staging.import_row r
  where r.import = $1 or r.import in (select id from import where dataset = $2 and id <> $1)
  limit 20000))

-- name: staging_transform
update staging.import_row set original = geom, geom = import_transform(geom, srid)
where import = $1 and layer = $2 and ord between $3 and $4 and srid is not null and geom is not null

-- name: staging_transform_failed
delete from staging.import_row where import = $1 and layer = $2 and ord between $3 and $4 and srid is not null and geom is null and original is not null
returning file, row_no, source_key, fields, attrs

-- name: staging_to_repair
select r.ord from staging.import_row r where r.import = $1 and r.layer = $2 and r.repair
  and not exists (select from import_key k where k.layer = r.layer and k.dataset = $3 and k.source_key = r.source_key and k.digest = r.digest)
order by r.ord

-- name: staging_repair
with fixed as (select ord, import_repair(geom) as g from staging.import_row where import = $1 and layer = $2 and ord = $3)
update staging.import_row r set original = coalesce(r.original, r.geom), geom = coalesce(fixed.g, r.geom), repair = fixed.g is null
from fixed where r.import = $1 and r.layer = $2 and r.ord = fixed.ord
returning r.file, r.row_no, r.source_key, not r.repair, st_area(r.original), st_area(r.geom)

-- name: staging_take
delete from staging.import_row where import = $1 and layer = $2 and ord = $3
returning file, row_no, source_key, fields, attrs, geom

-- name: staging_unplaced
select file, count(*) from staging.import_row where import = $1 and layer = $2 and ord between $3 and $4 and geom is null group by file

-- name: staging_files
select file, count(*) from staging.import_row where import = $1 and layer = $2 and ord between $3 and $4 group by file

-- name: keys_write
insert into import_key (layer, dataset, source_key, digest)
select layer, $2, source_key, digest from staging.import_row where import = $1 and layer = $3 and ord between $4 and $5
on conflict (dataset, source_key, layer) do update set digest = excluded.digest where import_key.digest <> excluded.digest

-- name: imports_of
select i.id, d.name, i.layers, i.state, i.source, i.read, i.accepted, i.rejected, i.quarantined, i.inserted, i.updated, i.deleted, i.started_at
from import i join dataset d on d.id = i.dataset order by i.started_at desc limit $1

-- name: import_get
select i.dataset, i.state, i.layers, d.name from import i join dataset d on d.id = i.dataset where i.id = $1

-- name: import_layers
select distinct layer from import_change where import = $1 order by layer

-- name: issues_add
insert into import_issue (import, seq, file, row_no, source_key, rule, kind, path, message, place, original)
select $1, $2::bigint + i.n - 1, i.file, i.row_no, i.source_key, i.rule, i.kind, i.path, i.message, st_setsrid(st_makepoint(i.lon, i.lat), 4490), i.original::jsonb
from unnest($3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::float8[], $11::float8[], $12::text[])
  with ordinality i(file, row_no, source_key, rule, kind, path, message, lon, lat, original, n)

-- name: import_issues
select file, row_no, coalesce(source_key, ''), rule, kind, coalesce(path, ''), message, place, original
from import_issue where import = $1 order by seq

-- name: revert_forget
delete from import_change where import = $1 and layer = $2 and feature = any ($3::uuid[])

-- name: revert_keys
with c as (select layer, source_key, digest_before, op from import_change where import = $1 and layer = $2 and feature = any ($4::uuid[])),
gone as (delete from import_key k using c where k.layer = c.layer and k.dataset = $3 and k.source_key = c.source_key and c.digest_before is null)
insert into import_key (layer, dataset, source_key, digest)
select layer, $3, source_key, digest_before from c where digest_before is not null
on conflict (dataset, source_key, layer) do update set digest = excluded.digest

-- name: revert_next
select feature, op::text from import_change where import = $1 and layer = $2 and feature > $3 order by feature limit $4

-- name: restricted_forget
delete from restricted.attribute where layer = $1 and feature = any ($2::uuid[])

-- name: home_code
select coalesce((select value ->> 'code' from setting where key = 'home'), '')

-- name: home_same
select exists (select from setting where key = 'home' and value = $1::jsonb)

-- name: home_set
insert into setting (key, value) values ('home', $1) on conflict (key) do update set value = excluded.value where setting.value <> excluded.value

-- name: demo_dataset
select name from dataset where demo order by name

-- name: dataset_forget_others
with a as (delete from responsibility where dataset = $1), b as (delete from duty_roster where dataset = $1),
     c as (delete from restricted.household where dataset = $1), d as (delete from restricted.attribute where dataset = $1),
     e as (delete from import_original o using import i where o.import = i.id and i.dataset = $1)
delete from import_issue x using import i where x.import = i.id and i.dataset = $1

-- name: dataset_forget_plans
-- While the data set is there: what is published may go only with a demonstration.
delete from plan where dataset = $1

-- name: dataset_forget
with b as (delete from import_change c using import i where c.import = i.id and i.dataset = $1),
     c as (delete from import where dataset = $1), d as (delete from import_key where dataset = $1)
delete from dataset where id = $1
