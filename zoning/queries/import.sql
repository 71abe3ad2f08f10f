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

-- name: import_remove
delete from plan_import where id = $1 and account = $2

-- name: import_home
-- The envelope of all administrative units there are.
select st_xmin(e), st_ymin(e), st_xmax(e), st_ymax(e) from (select st_extent(geom)::geometry as e from admin where valid_to is null and geom is not null) a where e is not null
