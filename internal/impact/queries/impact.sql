Names in braces are filled in with fragments fixed in the code, with relations and
conditions made by internal/features, and with placeholders of parameters.

-- name: incident
select t.fid, coalesce(t.name, t.code, ''), coalesce(t.kind, ''), coalesce(t.level, 0)::int, t.exercise, t.occurred_at, t.geom
from {rows} where t.id = {id} and {where}

-- name: affected
select st_collect(t.geom) from {rows}
where t.incident = {id} and t.kind = 'affected_area' and st_dimension(t.geom) = 2 and {where}

-- name: alert
select t.fid, coalesce(t.headline, t.name, t.identifier, ''), coalesce(t.hazard, ''), coalesce(t.level, 0)::int, t.exercise, t.sent_at, t.geom
from {rows} where t.id = {id} and {where}

-- name: shape
-- Overlapping polygons are one area before anything is counted.
with u as (select st_unaryunion({shape}) as g),
     b as (select case when {buffer} > 0 then st_buffer(g::geography, {buffer}, 'quad_segs=16')::geometry else g end as g from u)
select st_multi(st_collectionextract(g, 3)), st_area(st_collectionextract(g, 3)::geography) from b

-- name: rings
with u as (select st_unaryunion({shape}) as g),
     r as (select n, m, st_buffer(u.g::geography, m, 'quad_segs=16')::geometry as g from u, unnest({radii}) with ordinality x(m, n))
select r.n::int, r.m, st_multi(st_collectionextract(r.g, 3)), st_area(r.g::geography),
  st_multi(st_collectionextract(case when i.g is null then r.g else st_difference(r.g, i.g) end, 3))
from r left join r i on i.n = r.n - 1 order by r.n

-- name: units
-- The last column is the part of the area asked about that the unit covers.
select t.code, coalesce(t.name, t.code), t.rank::int, lower(t.scope), upper(t.scope) - 1, w.whole,
  case when w.whole then 1::float8 else least(1, i.area / st_area(t.geom)) end, i.area / nullif(st_area({g}), 0)
from {rows}, lateral (select st_covers({g}, t.geom) as whole) w,
  lateral (select case when w.whole then st_area(t.geom) else st_area(st_intersection(t.geom, {g})) end as area) i
where t.rank >= 3 and t.geom && {g} and st_intersects(t.geom, {g}) and {where}
order by t.rank desc, t.code

-- name: people
-- One line per smallest unit, 口径 and data set. A number that is not known is never 0.
select lower(c.scope), upper(c.scope) - 1, coalesce(c.method, ''), coalesce(c.dataset::text, ''), coalesce(max(c.year), 0)::int,
  count(*), count(*) filter (where c.population is null),
  coalesce(sum(c.w * c.population), 0)::float8, coalesce(sum(c.population) filter (where c.w >= 1), 0)::float8, coalesce(sum(c.population), 0)::float8,
  sum(c.w * c.population_night)::float8, sum(c.w * c.population_day)::float8, sum(c.w * c.households)::float8,
  sum(c.w * c.children) filter (where c.aged)::float8, sum(c.w * c.elderly) filter (where c.aged)::float8, sum(c.w * c.population) filter (where c.aged)::float8,
  sum(c.w * c.male) filter (where c.sexed)::float8, sum(c.w * c.female) filter (where c.sexed)::float8, sum(c.w * c.population) filter (where c.sexed)::float8,
  coalesce(sum(c.w * c.population * st_x(c.mid)), 0)::float8, coalesce(sum(c.w * c.population * st_y(c.mid)), 0)::float8
from (
  select t.scope, t.method, t.dataset, t.year, t.population, t.population_night, t.population_day, t.households, t.children, t.elderly, t.male, t.female,
    num_nulls(t.population, t.children, t.elderly) = 0 as aged, num_nulls(t.population, t.male, t.female) = 0 as sexed, st_centroid(t.geom) as mid,
    case when st_covers({g}, t.geom) then 1::float8 else coalesce(st_area(st_intersection(t.geom, {g})) / nullif(st_area(t.geom), 0), 0) end as w
  from {rows} where t.geom && {g} and st_intersects(t.geom, {g}) and not t.exercise and {where}) c
where c.w > 0
group by 1, 2, 3, 4

-- name: people_split
-- Cells that reach over villages are shared out by area; those small beside a village
-- belong whole to the one their middle lies in.
with a as materialized (select t.code, t.geom, st_area(t.geom) as area from {units} where t.rank = 5 and t.geom && {g} and {units_where}),
c as materialized (
  select t.scope, coalesce(t.method, '') as method, coalesce(t.dataset::text, '') as dataset, t.population, st_area(t.geom) as area,
    st_area(t.geom) < 0.15 * (select avg(a.area) from a) as small,
    case when st_covers({g}, t.geom) then t.geom else st_intersection(t.geom, {g}) end as piece
  from {rows} where upper(t.scope) - lower(t.scope) > 10000 and t.population > 0 and t.geom && {g} and st_intersects(t.geom, {g}) and not t.exercise and {where})
select x.code, x.method, x.dataset, x.lo, sum(x.n)::float8 from (
  select a.code, c.method, c.dataset, lower(c.scope) as lo, c.population * st_area(c.piece) / c.area as n
  from a join c on a.geom && c.piece and st_intersects(a.geom, st_centroid(c.piece)) where c.small
  union all
  select a.code, c.method, c.dataset, lower(c.scope), c.population * st_area(st_intersection(c.piece, a.geom)) / c.area
  from a join c on a.geom && c.piece and st_intersects(a.geom, c.piece) where not c.small) x
group by 1, 2, 3, 4

-- name: people_rings
select b.n::int, coalesce(sum(t.population * case when st_covers(b.g, t.geom) then 1::float8 else coalesce(st_area(st_intersection(t.geom, b.g)) / nullif(st_area(t.geom), 0), 0) end), 0)::float8
from (select st_setsrid(st_geomfromwkb(w), 4490) as g, n from unnest({bands}) with ordinality x(w, n)) b, {rows}
where t.geom && b.g and st_intersects(t.geom, b.g) and not t.exercise and {where} and coalesce(t.method, '') = any ({methods})
group by 1 order by 1

-- name: buildings
select coalesce(t.use, ''), count(*), coalesce(sum(t.persons), 0)::float8, count(t.persons), coalesce(sum(t.area_m2), 0)::float8,
  count(*) filter (where t.danger_grade in ('C', 'D', 'c', 'd')), array_agg(distinct t.dataset::text) filter (where t.dataset is not null)
from {rows} where t.geom && {g} and st_intersects({g}, st_centroid(t.geom)) and not t.exercise and {where} group by 1 order by 1

-- name: counts
select coalesce(({key})::text, ''), count(*), coalesce(sum({amount}), 0)::float8, array_agg(distinct t.dataset::text) filter (where t.dataset is not null)
from {rows} where t.geom && {g} and st_intersects({g}, t.geom) and not t.exercise and {where} group by 1 order by 1

-- name: items
select t.fid, t.id::text, coalesce(t.name, t.code, ''), coalesce(({key})::text, ''), coalesce({level}, 0)::int, ({extra})::text, st_x(p.at), st_y(p.at)
from {rows}, lateral (select st_pointonsurface(t.geom) as at) p
where t.geom && {g} and st_intersects({g}, t.geom) and not t.exercise and {where}
order by {order} limit {limit}

-- name: near
select t.fid, t.id::text, coalesce(t.name, t.code, ''), coalesce(({key})::text, ''), coalesce({level}, 0)::int, ({extra})::text, st_x(p.at), st_y(p.at),
  st_distance(p.at::geography, {g}::geography)
from (select t.* from {rows} where t.geom is not null and {kept} and not t.exercise and not st_intersects({g}, t.geom) and {where} order by t.geom <-> {g} limit {limit}) t,
  lateral (select st_pointonsurface(t.geom) as at) p

-- name: lines
select coalesce(({key})::text, ''), count(*) filter (where st_dimension(t.geom) = 1),
  coalesce(sum(case when st_dimension(t.geom) <> 1 then 0 when st_covers({g}, t.geom) then st_length(t.geom::geography) else st_length(st_intersection(t.geom, {g})::geography) end), 0)::float8,
  count(*) filter (where st_dimension(t.geom) = 0), array_agg(distinct t.dataset::text) filter (where t.dataset is not null)
from {rows} where t.geom && {g} and st_intersects({g}, t.geom) and not t.exercise and {where} group by 1 order by 1

-- name: blocks
select t.fid, t.id::text, coalesce(t.name, t.road, ''), coalesce(t.cause, ''), coalesce(t.state, ''), t.blocked_at, t.expected_at,
  st_intersects({g}, t.geom), st_distance(t.geom::geography, {g}::geography), t.geom
from {rows} where t.geom && st_expand({g}, 0.3) and t.reopened_at is null and t.state is distinct from 'reopened' and not t.exercise and {where}
order by t.geom <-> {g} limit 500

-- name: neighbours
select t.fid, t.id::text, coalesce(t.name, t.code, ''), coalesce(t.kind, ''), coalesce(t.level, 0)::int,
  json_build_object('occurred_at', t.occurred_at, 'state', t.state, 'affected', t.affected, 'deaths', t.deaths)::text, st_x(p.at), st_y(p.at), st_distance(t.geom::geography, {g}::geography)
from {rows}, lateral (select st_pointonsurface(t.geom) as at) p
where t.geom && st_expand({g}, {reach_deg}) and st_dwithin(t.geom::geography, {g}::geography, {reach}) and t.occurred_at > {since} and t.occurred_at <= {until}
  and t.exercise = {exercise} and t.state <> 'merged' and t.id <> {id} and {where}
order by t.level nulls last, t.occurred_at desc limit 50

-- name: vulnerable
select lower(t.scope), upper(t.scope) - 1, coalesce(t.total, 0)::float8, t.elderly_alone::float8, t.disabled::float8, t.low_income::float8, t.children_left::float8, t.bedridden::float8, t.pregnant::float8,
  case when t.geom is null then null when st_dimension(t.geom) < 2 then 1::float8 when st_covers({g}, t.geom) then 1::float8
       else st_area(st_intersection(t.geom, {g})) / nullif(st_area(t.geom), 0) end
from {rows}
where (t.geom && {g} and st_intersects(t.geom, {g}) or t.geom is null and coalesce(t.scope && {scopes}, false)) and not t.exercise and {where}

-- name: responsible
select r.id::text, r.kind, coalesce(r.layer, ''), coalesce(r.feature::text, ''), coalesce(r.admin_code, ''), coalesce(r.unit, ''), coalesce(r.post, ''), coalesce(r.person, ''), coalesce(r.deputy, '')
from responsibility r
where (r.feature is null and r.scope && {scopes} or r.feature = any ({features}))
  and (r.valid_from is null or r.valid_from <= {day}) and (r.valid_to is null or r.valid_to > {day}) and {where}
order by r.feature is null, upper(r.scope) - lower(r.scope), r.admin_code, r.kind, r.id limit 300

-- name: phones
select responsibility::text, contact::text, coalesce(phone, ''), coalesce(deputy_phone, '') from restricted.masked_phones({ids})

-- name: sources
select d.id::text, d.title, coalesce(d.source_dept, ''), d.source_date from dataset d where d.id = any ({ids}) order by d.title

-- name: shapes_of
select t.geom from {rows} where {wanted} and t.geom is not null and {where} limit 20000
