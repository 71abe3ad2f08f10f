What zones mean: people by areal weighting, and what lies in them. Every layer is asked
under the areas the asker reads it in; an empty multirange is a layer he may not see.

-- name: figure_zones
-- A cell counts by the share of it that lies in the zone; one without a number is not
-- counted, and said. Shares are of flat areas: within a cell that is the same.
select z.zone::text, c.people, c.unknown, st_area(z.geom::geography) / 1e6
from zones z
cross join lateral (
  select sum(x.population * x.share) filter (where x.share > 1e-9) as people, count(*) filter (where x.population is null and x.share > 1e-9) as unknown
  from (
    select c.population, case when st_covers(z.geom, c.geom) then 1 when st_intersects(z.geom, c.geom) then st_area(st_intersection(z.geom, c.geom)) / nullif(st_area(c.geom), 0) else 0 end as share
    from population c where c.geom && z.geom and coalesce(c.scope && $2::int8multirange, false) offset 0) x) c  -- the share is worked out once
where z.plan = $1
order by z.zone

-- name: figure_keep
update zones z set population = f.population, area_km2 = f.area
from unnest($2::uuid[], $3::integer[], $4::float8[]) as f(zone, population, area)
where z.plan = $1 and z.zone = f.zone and (z.population, z.area_km2) is distinct from (f.population, f.area)

-- name: figure_people
with z as materialized (select geom from zones where plan = $1 and zone = $2),
c as materialized (
  select c.population, c.households, c.dataset, c.recorded_at, c.geom as cell, case when st_covers(z.geom, c.geom) then null else st_intersection(z.geom, c.geom) end as part
  from z join population c on c.geom && z.geom and st_intersects(z.geom, c.geom)
  where coalesce(c.scope && $3::int8multirange, false)),
w as materialized (
  select c.*, case when part is null then 1 else st_area(part) / nullif(st_area(cell), 0) end as share, st_area(coalesce(part, cell)::geography) as m2 from c)
select coalesce(sum(population * share), 0)::float8, sum(households * share)::float8,
  count(*) filter (where share > 1e-9), count(*) filter (where share > 1e-9 and population is null), coalesce(sum(m2) filter (where population is null), 0)::float8, coalesce(sum(m2), 0)::float8,
  (select max(coalesce(d.source_date::timestamptz, w.recorded_at)) from w left join dataset d on d.id = w.dataset where share > 1e-9),
  array(select distinct d.title from w join dataset d on d.id = w.dataset where share > 1e-9 order by 1 limit 5)
from w

-- name: figure_groups
-- What is dangerous counts where it touches the zone, what is threatened where its
-- middle lies, so that the zones of a plan add up.
with z as materialized (select geom from zones where plan = $1 and zone = $2),
f as materialized (
  select 'buildings' as key, f.id, f.fid, f.name, null::smallint as level, f.persons::float8 as amount, f.dataset, f.recorded_at, f.geom
  from z join buildings f on f.geom && z.geom and st_covers(z.geom, st_centroid(f.geom)) where coalesce(f.scope && $3::int8multirange, false)
  union all
  select 'enterprises', f.id, f.fid, f.name, f.level, f.employees::float8, f.dataset, f.recorded_at, f.geom
  from z join enterprises f on f.geom && z.geom and st_covers(z.geom, st_centroid(f.geom)) where coalesce(f.scope && $4::int8multirange, false)
  union all
  select 'hazard_sources', f.id, f.fid, coalesce(f.name, f.enterprise_name), f.level, f.r, f.dataset, f.recorded_at, f.geom
  from z join hazard_sources f on f.geom && z.geom and st_intersects(z.geom, f.geom) where coalesce(f.scope && $5::int8multirange, false)
  union all
  select 'hazards', f.id, f.fid, f.name, f.level, f.threatened_persons::float8, f.dataset, f.recorded_at, f.geom
  from z join hazards f on f.geom && z.geom and st_intersects(z.geom, f.geom) where coalesce(f.scope && $6::int8multirange, false)
  union all
  select 'dangers', f.id, f.fid, f.name, f.level, null, f.dataset, f.recorded_at, f.geom
  from z join dangers f on f.geom && z.geom and st_intersects(z.geom, f.geom) where f.closed_at is null and coalesce(f.scope && $7::int8multirange, false)
  union all
  select 'shelters', f.id, f.fid, f.name, null, f.capacity::float8, f.dataset, f.recorded_at, f.geom
  from z join shelters f on f.geom && z.geom and st_covers(z.geom, st_centroid(f.geom)) where coalesce(f.scope && $8::int8multirange, false))
select k.key, k.n, k.amount,
  (select jsonb_agg(jsonb_build_object('Level', l.level, 'Count', l.n) order by l.level = 0, l.level)
   from (select coalesce(f.level, 0) as level, count(*) as n from f where f.key = k.key group by 1) l),
  (select jsonb_agg(jsonb_build_object('ID', x.id, 'FID', x.fid, 'Name', coalesce(x.name, ''), 'Level', coalesce(x.level, 0), 'At', jsonb_build_array(st_x(x.at), st_y(x.at))) order by x.level nulls last, x.amount desc nulls last, x.fid)
   from (select f.id, f.fid, f.name, f.level, f.amount, st_pointonsurface(f.geom) as at from f where f.key = k.key order by f.level nulls last, f.amount desc nulls last, f.fid limit $9) x),
  (select max(coalesce(d.source_date::timestamptz, f.recorded_at)) from f left join dataset d on d.id = f.dataset where f.key = k.key),
  array(select distinct d.title from f join dataset d on d.id = f.dataset where f.key = k.key order by 1 limit 5)
from (select key, count(*) as n, sum(amount) as amount from f group by key) k

-- name: figure_hands
-- Who drew the zone, the last first.
select e.actor, coalesce((select a.name from auth.account a where a.id = e.account), ''), max(e.at)
from plan_edit e
where e.plan = $1 and exists (select from plan_edit_zone x where x.plan = e.plan and x.edit_id = e.edit_id and x.zone = $2)
group by e.actor, e.account order by 3 desc

-- name: figure_share
select st_area(z.geom::geography), coalesce(z.area_km2 / nullif((select sum(area_km2) from zones where plan = $1), 0), 0)::float8,
  st_xmin(z.geom), st_ymin(z.geom), st_xmax(z.geom), st_ymax(z.geom)
from zones z where z.plan = $1 and z.zone = $2
