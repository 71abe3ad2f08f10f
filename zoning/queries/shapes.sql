Shapes of a version generalised per zoom; see shapes.go.

-- name: shape_zones
select z.id::text, z.zone::text, z.geom from zones z where z.plan = $1 and z.geom is not null order by z.zone

-- name: shape_add
-- Made again for the same version they would be the same: what is there stays.
insert into zone_shapes (id, z, plan, dataset, scope, geom)
select r.id, $2, r.plan, r.dataset, r.scope, st_geomfromwkb(u.wkb, 4490)
from unnest($1::uuid[], $3::bytea[]) u (id, wkb) join zones r on r.id = u.id
on conflict (id, z) do nothing
