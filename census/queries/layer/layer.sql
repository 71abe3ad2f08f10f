Statements about one layer's table. {table} and {history} are sanitised names from
the catalogue, {columns}, {values} and {assign} lists of its columns.

-- name: protected
delete from staging.import_row r using {table} l
where r.import = $1 and r.layer = $3 and r.ord between $4 and $5 and l.dataset = $2 and l.source_key = r.source_key
  and l.field_verified_at is not null
  and r.digest is distinct from (select k.digest from import_key k where k.layer = r.layer and k.dataset = $2 and k.source_key = r.source_key)
returning r.file, r.row_no, r.source_key, r.fields, r.attrs

-- name: update
with s as materialized (
  select r.id, r.geom, r.attrs, r.fields, k.digest as digest_before, l.id as live, l.version as version_before
  from staging.import_row r
  join {table} l on l.dataset = $2 and l.source_key = r.source_key
  left join import_key k on k.layer = r.layer and k.dataset = $2 and k.source_key = r.source_key
  where r.import = $1 and r.layer = $3 and r.ord between $4 and $5 and k.digest is distinct from r.digest
), done as (
  update {table} l set geom = s.geom, attrs = s.attrs{assign}
  from s, lateral jsonb_populate_record(null::{table}, s.fields) f
  where l.id = s.live
  returning l.id, l.source_key, l.version, s.version_before, s.digest_before
)
insert into import_change (import, layer, feature, source_key, op, version_before, version_after, digest_before)
select $1, $3, id, source_key, 'U', version_before, version, digest_before from done
on conflict (import, layer, feature) do update set version_after = excluded.version_after

-- name: insert
with s as materialized (
  select r.*, k.digest as digest_before
  from staging.import_row r
  left join import_key k on k.layer = r.layer and k.dataset = $2 and k.source_key = r.source_key
  where r.import = $1 and r.layer = $3 and r.ord between $4 and $5 and k.digest is distinct from r.digest
    and not exists (select from {table} l where l.dataset = $2 and l.source_key = r.source_key)
), done as (
  insert into {table} (id, dataset, source_key, geom, attrs{columns})
  select s.id, $2, s.source_key, s.geom, s.attrs{values}
  from s, lateral jsonb_populate_record(null::{table}, s.fields) f
  order by s.ord
  returning id, source_key, version
)
insert into import_change (import, layer, feature, source_key, op, version_after, digest_before)
select $1, $3, done.id, done.source_key, 'I', done.version, s.digest_before from done join s using (source_key)

-- name: restricted
insert into restricted.attribute (layer, feature, dataset, name, value)
select r.layer, l.id, $2, a.key, a.value
from staging.import_row r
join {table} l on l.dataset = $2 and l.source_key = r.source_key
cross join lateral jsonb_each_text(r.restricted) a
where r.import = $1 and r.layer = $3 and r.ord between $4 and $5 and r.restricted is not null
on conflict (layer, feature, name) do update set value = excluded.value where restricted.attribute.value <> excluded.value

-- name: originals
insert into import_original (layer, feature, import, reason, crs, geom)
select r.layer, c.feature, $1, case when r.srid is null and r.digest is not null and not st_isvalid(r.original) then 'repaired' else 'converted' end,
       coalesce('EPSG:' || r.srid, $6), st_setsrid(r.original, 0)
from staging.import_row r
join {table} l on l.dataset = $2 and l.source_key = r.source_key
join import_change c on c.import = $1 and c.layer = r.layer and c.feature = l.id
where r.import = $1 and r.layer = $3 and r.ord between $4 and $5 and r.original is not null
on conflict (layer, feature, reason) do update set import = excluded.import, crs = excluded.crs, geom = excluded.geom

-- name: vanished_verified
select l.source_key, l.name from {table} l
where l.dataset = $2 and l.field_verified_at is not null
  and not exists (select from staging.import_row r where r.import = $1 and r.layer = $3 and r.source_key = l.source_key)
  and not exists (select from import_issue i where i.import = $1 and i.source_key = l.source_key)
order by l.fid limit $4

-- name: vanished
with gone as (
  select l.id, l.source_key, l.version from {table} l
  where l.dataset = $2 and (l.field_verified_at is null or $5)
    and not exists (select from staging.import_row r where r.import = $1 and r.layer = $3 and r.source_key = l.source_key)
    and not exists (select from import_issue i where i.import = $1 and i.source_key = l.source_key)
  order by l.fid limit $4
), done as (
  delete from {table} l using gone where l.id = gone.id returning l.id, l.source_key, l.version
), forgotten as (
  delete from import_key k using done where k.layer = $3 and k.dataset = $2 and k.source_key = done.source_key
  returning k.source_key, k.digest
), unlisted as (
  delete from restricted.attribute a using done where a.layer = $3 and a.feature = done.id
)
insert into import_change (import, layer, feature, source_key, op, version_before, digest_before)
select $1, $3, done.id, done.source_key, 'D', done.version, forgotten.digest from done left join forgotten using (source_key)

-- name: revert_inserted
delete from {table} l using import_change c
where c.import = $1 and c.layer = $2 and c.op = 'I' and c.feature = any ($3::uuid[]) and l.id = c.feature and l.version = c.version_after
returning l.id

-- name: revert_updated
update {table} l set geom = h.geom, attrs = h.attrs, scope = h.scope{assign}
from import_change c, {history} h
where c.import = $1 and c.layer = $2 and c.op = 'U' and c.feature = any ($3::uuid[])
  and l.id = c.feature and l.version = c.version_after and h.id = c.feature and h.version = c.version_before
returning l.id

-- name: revert_deleted
insert into {table} (id, dataset, source_key, version, geom, attrs, scope{columns})
select h.id, h.dataset, h.source_key, h.version + 1, h.geom, h.attrs, h.scope{values}
from import_change c, {history} h
where c.import = $1 and c.layer = $2 and c.op = 'D' and c.feature = any ($3::uuid[])
  and h.id = c.feature and h.version = c.version_before and h.ended_op = 'D'
  and not exists (select from {table} l where l.id = h.id or (l.dataset = h.dataset and l.source_key = h.source_key))
returning id

-- name: revert_left
select c.source_key, coalesce(l.name, '') from import_change c left join {table} l on l.id = c.feature
where c.import = $1 and c.layer = $2 and c.feature = any ($3::uuid[]) order by c.source_key

-- name: remove
delete from {table} l where l.id = any (array(select id from {table} where dataset = $1 order by fid limit $2))
