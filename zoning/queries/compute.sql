Computing a plan: what is asked once. The measures, whose tables and columns come from
the catalogue, are in measures/.

-- name: compute_clip
-- Cells where they lie in the area, on the grid. The area comes first: PostGIS prepares it once.
with a as materialized (select $5::geometry as geom)
select c.i::int, case when st_covers(a.geom, b.box) then b.box else st_multi(st_collectionextract(st_intersection(b.box, a.geom, $6::float8), 3)) end
from a cross join unnest($1::float8[], $2::float8[], $3::float8[], $4::float8[]) with ordinality c(w, s, e, n, i)
cross join lateral (select st_makeenvelope(c.w, c.s, c.e, c.n, 4490) as box) b
where st_intersects(a.geom, b.box)
order by c.i

-- name: compute_townships
-- The township that has the middle of each unit.
select x.i::int, t.code, coalesce(t.name, t.code)
from unnest($1::geometry[]) with ordinality x(geom, i)
cross join lateral (
  select a.code, a.name from admin a
  where a.rank = 4 and a.valid_to is null and a.geom && x.geom and coalesce(a.scope && $2::int8multirange, false) and st_covers(a.geom, st_pointonsurface(x.geom))
  order by a.fid limit 1) t

-- name: compute_graded
-- How many km² of each unit zones of each level of a plan have, and how many zones it has.
select x.i::int, z.level, sum(st_area(case when st_covers(z.geom, x.geom) then x.geom else st_intersection(x.geom, z.geom) end::geography)) / 1e6,
  (select count(*) from zones where plan = $2 and level is not null)
from unnest($1::geometry[]) with ordinality x(geom, i)
join zones z on z.plan = $2 and z.level is not null and z.geom && x.geom and st_intersects(z.geom, x.geom)
group by x.i, z.level

-- name: compute_last_edit
select coalesce(max(seq), 0) from plan_edit where plan = $1

-- name: compute_count
-- How many units of a rank an area has; of rank 0, how many cells of $4 km² at least.
select case when $3::int > 0
  then (select count(*) from admin a where a.rank = $3 and a.scope <@ $2::int8range and a.valid_to is null and a.geom is not null)
  else (select coalesce(floor(sum(st_area(a.geom::geography)) / 1e6 / $4::float8), 0) from admin a where a.code = $1 and a.valid_to is null)
end::int
