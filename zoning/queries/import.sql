Uploads of an existing zoning.

-- name: import_sweep
select plan_import_sweep()

-- name: import_add
insert into plan_import (id, account, name, read, created_at, expires_at) values ($1, $2, $3, $4, $5, $5::timestamptz + interval '24 hours') returning expires_at

-- name: import_rows_add
insert into plan_import_row (import, row, props, shape, original, fault, area_m2)
select $1::uuid, u.row, u.props::jsonb, u.shape, u.original, u.fault::jsonb, u.area
from unnest($2::int[], $3::text[], $4::bytea[], $5::bytea[], $6::text[], $7::float8[]) u (row, props, shape, original, fault, area)

-- name: import_one
select name, read from plan_import where id = $1 and account = $2 and expires_at > $3

-- name: import_rows
select row, props, shape, fault, area_m2 from plan_import_row where import = $1 order by row

-- name: import_turn
-- One at a time accepts an upload, whichever node he speaks to.
select pg_advisory_xact_lock(hashtextextended('import ' || $1::text, 0))

-- name: import_open
-- The states are those of the index plan_open_version.
select from plan where series = $1 and state in ('draft', 'consultation', 'expert_review', 'submitted', 'in_review', 'returned', 'approved') limit 1

-- name: import_next
-- The next version of a series, whose zones come from a file.
insert into plan (series, version_no, parent, hazard, kind, title, admin_code, scope, exhaustive, unit, ladder, responsible, note, area, dataset, created_account, method)
select series, (select max(version_no) + 1 from plan o where o.series = p.series), id, hazard, kind, $2, admin_code, scope, $3, $4, $5, $6, $7, $9,
  case when plan_is_demo(dataset) then dataset end, $8::uuid, '{}'
from plan p where id = $1
returning id::text

-- name: import_remove
delete from plan_import where id = $1 and account = $2

-- name: import_home
-- The envelope of all administrative units there are.
select st_xmin(e), st_ymin(e), st_xmax(e), st_ymax(e) from (select st_extent(geom)::geometry as e from admin where valid_to is null and geom is not null) a where e is not null

-- name: import_method
update plan set method = $2 where id = $1

-- name: import_shifted
-- The finest unit that nearly all points lie in once moved back, where as they are they
-- lie in none as fine. Only units of about the size of the file: a small shape beside a
-- border proves nothing. 0.0005 degree: borders of two sources are never quite the same.
with unit as materialized (
  select a.name, a.rank, a.geom from admin a
  where a.valid_to is null and a.scope && $1::int8multirange and a.geom && st_expand(st_makeenvelope($2, $3, $4, $5, 4490), 0.02)
    and (st_xmax(a.geom) - st_xmin(a.geom)) between ($4::float8 - $2::float8) * 0.7 and ($4::float8 - $2::float8) * 1.4
    and (st_ymax(a.geom) - st_ymin(a.geom)) between ($5::float8 - $3::float8) * 0.7 and ($5::float8 - $3::float8) * 1.4),
fit as (
  select u.name, u.rank,
         (select count(*) from unnest($6::float8[], $7::float8[]) p(x, y) where not st_dwithin(u.geom, st_setsrid(st_point(p.x, p.y), 4490), 0.0005)) as out,
         (select count(*) from unnest($8::float8[], $9::float8[]) p(x, y) where not st_dwithin(u.geom, st_setsrid(st_point(p.x, p.y), 4490), 0.0005)) as back
  from unit u)
select f.name from fit f
where f.back * 50 <= cardinality($6::float8[]) and f.out * 50 > cardinality($6::float8[]) and f.back * 2 < f.out
  and not exists (select from fit o where o.rank >= f.rank and o.out * 50 <= cardinality($6::float8[]))
order by f.rank desc limit 1
