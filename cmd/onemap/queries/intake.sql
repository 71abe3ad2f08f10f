What became of the reports of a load run.

-- name: intake_places
select code, st_x(at), st_y(at) from (select code, st_pointonsurface(geom) at from grids where code is not null and geom is not null) g order by code

-- name: intake_rows
select count(*), count(*) - count(distinct description) from incident_reports where device like $1

-- name: intake_found
select count(*) from unnest($1::uuid[]) a(id)
where exists (select from incident_reports r where r.id = a.id) or exists (select from sync_op o where o.object = a.id and o.status in ('quarantined', 'waiting', 'conflict'))

-- name: intake_ops
select status, count(*) from sync_op where device like $1 group by status order by status

-- name: intake_photos
select count(*) from unnest($1::bytea[]) s
where exists (select from blob b where b.sha256 = s) and exists (select from blob_ref r where r.sha256 = s)
