Statements about one layer's table. {table} and {history} are sanitised names from
the catalogue, {columns}, {values} and {assign} lists of its columns.

-- name: protected
delete from staging.import_row r
where r.import = $1 and r.layer = $3 and r.ord between $4 and $5
  and (select l.field_verified_at is not null from {table} l where l.dataset = $2 and l.source_key = r.source_key)
  and r.digest is distinct from (select k.digest from import_key k where k.dataset = $2 and k.source_key = r.source_key and k.layer = $3)
returning r.file, r.row_no, r.source_key, r.fields, r.attrs

-- name: update
with s as materialized (
  select * from (
    select r.geom, r.scope, r.attrs, r.fields, r.digest,
           (select l.id from {table} l where l.dataset = $2 and l.source_key = r.source_key) as live,
           (select k.digest from import_key k where k.dataset = $2 and k.source_key = r.source_key and k.layer = $3) as digest_before
    from staging.import_row r
    where r.import = $1 and r.layer = $3 and r.ord between $4 and $5
    offset 0
  ) x where live is not null and digest is distinct from digest_before
), done as (
  update {table} l set geom = s.geom, attrs = s.attrs, scope = coalesce(s.scope, l.scope){assign}
  from s, lateral jsonb_populate_record(null::{table}, s.fields) f
  where l.id = s.live
  returning l.id, l.source_key, l.version, s.digest_before
)
insert into import_change (import, layer, feature, source_key, op, version_before, version_after, digest_before)
select $1, $3, id, source_key, 'U', version - 1, version, digest_before from done
on conflict (import, layer, feature) do update set version_after = excluded.version_after

-- name: insert
-- The keys are looked up row by row: while a run is under way the planner has no
-- statistics, and joins of lists compared every row with every other.
with done as (
  insert into {table} (id, dataset, source_key, geom, scope, attrs{columns})
  select r.id, $2, r.source_key, r.geom, r.scope, r.attrs{values}
  from staging.import_row r, lateral jsonb_populate_record(null::{table}, r.fields) f
  where r.import = $1 and r.layer = $3 and r.ord between $4 and $5
    and r.digest is distinct from (select k.digest from import_key k where k.dataset = $2 and k.source_key = r.source_key and k.layer = $3)
    and (select l.id from {table} l where l.dataset = $2 and l.source_key = r.source_key) is null
  returning id, source_key, version
)
insert into import_change (import, layer, feature, source_key, op, version_after, digest_before)
select $1, $3, done.id, done.source_key, 'I', done.version,
       (select k.digest from import_key k where k.dataset = $2 and k.source_key = done.source_key and k.layer = $3)
from done

-- name: restricted
select restricted.put_attributes($3, $2, array_agg(x.feature), array_agg(x.key), array_agg(x.value))
from (
  select (select l.id from {table} l where l.dataset = $2 and l.source_key = r.source_key) as feature, a.key, a.value
  from staging.import_row r, lateral jsonb_each_text(r.restricted) a
  where r.import = $1 and r.layer = $3 and r.ord between $4 and $5 and r.restricted is not null
) x
where x.feature is not null and x.value is not null
having count(*) > 0

-- name: originals
insert into import_original (layer, feature, import, reason, crs, geom)
select $3, o.feature, $1, case when o.srid is null and not st_isvalid(o.original) then 'repaired' else 'converted' end,
       coalesce('EPSG:' || o.srid, $6), st_setsrid(o.original, 0)
from (
  select r.srid, r.original, (select l.id from {table} l where l.dataset = $2 and l.source_key = r.source_key) as feature
  from staging.import_row r
  where r.import = $1 and r.layer = $3 and r.ord between $4 and $5 and r.original is not null
  offset 0
) o
where (select c.op from import_change c where c.import = $1 and c.layer = $3 and c.feature = o.feature) is not null
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
