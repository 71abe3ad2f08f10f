What differs between two versions, and along the border of two plans.

-- name: diff_zones
-- Zones whose bytes are the same cost no overlay.
with a as materialized (select zone, name, level, geom from zones where plan = $1),
b as materialized (select zone, name, level, geom from zones where plan = $2)
select coalesce(a.zone, b.zone)::text, a.zone is not null, b.zone is not null, s.same, coalesce(a.name, ''), coalesce(b.name, ''), coalesce(a.level, 0), coalesce(b.level, 0),
  coalesce(st_area(a.geom::geography), 0), case when s.same then coalesce(st_area(a.geom::geography), 0) else coalesce(st_area(b.geom::geography), 0) end,
  g.gained, g.lost, coalesce(st_area(g.gained::geography), 0), coalesce(st_area(g.lost::geography), 0),
  st_xmin(x.box), st_ymin(x.box), st_xmax(x.box), st_ymax(x.box)
from a full join b using (zone)
cross join lateral (select coalesce(st_asewkb(a.geom) = st_asewkb(b.geom), false) as same) s
cross join lateral (
  select case when s.same then null when a.geom is null then b.geom when b.geom is not null then st_collectionextract(st_difference(b.geom, a.geom, 1e-8), 3) end as gained,
    case when s.same then null when b.geom is null then a.geom when a.geom is not null then st_collectionextract(st_difference(a.geom, b.geom, 1e-8), 3) end as lost) g
cross join lateral (select st_envelope(st_collect(st_envelope(a.geom), st_envelope(b.geom))) as box) x
order by 1

-- name: diff_overlay
-- How the zones that are not the same lie over each other: ground whose level differs,
-- and ground both versions cover.
with same as materialized (select a.zone from zones a join zones b on b.plan = $2 and b.zone = a.zone where a.plan = $1 and st_asewkb(a.geom) = st_asewkb(b.geom)),
a as materialized (select level, geom from zones where plan = $1 and zone not in (select zone from same)),
b as materialized (select level, geom from zones where plan = $2 and zone not in (select zone from same))
select coalesce(sum(m2) filter (where differs), 0)::float8, coalesce(sum(m2), 0)::float8
from (select a.level is distinct from b.level as differs, st_area(st_intersection(a.geom, b.geom, 1e-8)::geography) as m2
      from a join b on a.geom && b.geom and st_intersects(a.geom, b.geom)) o

-- name: diff_people
with g as materialized (
  select zone, geom, true as after from zones where plan = $2
  union all
  select a.zone, a.geom, false from zones a left join zones b on b.plan = $2 and b.zone = a.zone
  where a.plan = $1 and st_asewkb(a.geom) is distinct from st_asewkb(b.geom))
select g.zone::text, g.after,
  (select coalesce(sum(c.population * case when st_covers(g.geom, c.geom) then 1 when st_intersects(g.geom, c.geom) then st_area(st_intersection(g.geom, c.geom)) / nullif(st_area(c.geom), 0) else 0 end), 0)::float8
   from population c where c.geom && g.geom and coalesce(c.scope && $3::int8multirange, false))
from g

-- name: diff_unknown
select count(*) from population c
where c.population is null and coalesce(c.scope && $3::int8multirange, false)
  and exists (select from zones z where z.plan in ($1::uuid, $2::uuid) and z.geom && c.geom and st_intersects(z.geom, c.geom))

-- name: join_neighbours
-- Plans in force of the same hazard and kind with a zone within the distance.
select q.id::text, q.title
from plan p join plan q on q.hazard = p.hazard and q.kind = p.kind and q.series <> p.series
where p.id = $1 and q.state in ('published', 'superseded', 'withdrawn') and q.effective_from <= $2::date and coalesce(q.effective_to > $2::date, true)
  and coalesce(q.scope && $4::int8multirange, false) and not q.scope @> p.scope and not p.scope @> q.scope
  and exists (select from zones z join zones n on n.plan = q.id and n.geom && st_expand(z.geom, $3::float8) and st_dwithin(z.geom, n.geom, $3::float8) where z.plan = p.id)
order by q.id

-- name: join_faults
with pair as materialized (
  select z.zone, z.name, z.level, z.geom, n.plan as nplan, n.zone as nzone, n.name as nname, n.level as nlevel, n.geom as ngeom
  from zones z join zones n on n.plan = any ($2::uuid[]) and n.geom && st_expand(z.geom, $3::float8) and st_dwithin(z.geom, n.geom, $3::float8)
  where z.plan = $1),
line as materialized (
  -- The border the pair has in common: exactly, else within about a metre.
  select p.*, case when st_length(e.g) >= st_length(w.g) / 2 then e.g else w.g end as common
  from pair p cross join lateral (select st_collectionextract(st_intersection(st_boundary(p.geom), st_boundary(p.ngeom)), 2) as g) e
  cross join lateral (select st_collectionextract(st_intersection(st_boundary(p.geom), st_buffer(p.ngeom, 1e-5)), 2) as g) w),
found as (
  select 'overlap' as kind, p.zone, p.name, p.level, p.nplan, p.nzone, p.nname, p.nlevel, o.g, 0::float8 as len, st_area(o.g::geography) as m2, 0 as n
  from pair p cross join lateral (select st_collectionextract(st_intersection(p.geom, p.ngeom, 1e-8), 3) as g) o where st_area(o.g::geography) > 0.01
  union all
  select 'level', l.zone, l.name, l.level, l.nplan, l.nzone, l.nname, l.nlevel, l.common, st_length(l.common::geography), 0, 0
  from line l where l.level is distinct from l.nlevel and st_length(l.common::geography) > 5
  union all
  -- Vertices off the other's line by more than a step of the grid, and less than a metre.
  select 'offset', l.zone, l.name, l.level, l.nplan, l.nzone, l.nname, l.nlevel, v.g, st_length(l.common::geography), 0, st_numgeometries(v.g)
  from line l cross join lateral (
    select st_collect(distinct d.geom) as g from (
      select (st_dumppoints(l.geom)).geom, st_boundary(l.ngeom) as other where not st_isempty(l.common)
      union all
      select (st_dumppoints(l.ngeom)).geom, st_boundary(l.geom) where not st_isempty(l.common)) d
    where d.geom && st_expand(d.other, 1e-5) and st_distance(d.geom, d.other) between 2e-8 and 1e-5) v
  where v.g is not null
  union all
  -- Ground between: what closing the two together by the distance fills, that no third
  -- unit has. Enclosed by both, however small; open at an end, if it runs along both.
  select 'gap', c.zone, c.name, c.level, c.nplan, c.nzone, c.nname, c.nlevel, w.g, st_perimeter(w.g::geography) / 2, st_area(w.g::geography), 0
  from (select nplan, st_union(geom) as mine, st_union(ngeom) as theirs from pair group by nplan) u
  cross join lateral (select st_union(u.mine, u.theirs) as both) b
  cross join lateral (
    select (st_dump(st_difference(st_buffer(st_buffer(b.both, $3::float8), -$3::float8), st_union(b.both,
      coalesce((select st_union(a.geom) from admin a, plan p, plan q, admin pa where p.id = $1 and q.id = u.nplan and pa.code = p.admin_code and pa.valid_to is null
                and a.rank = pa.rank and a.valid_to is null and a.code not in (p.admin_code, q.admin_code) and a.geom && b.both and st_dwithin(a.geom, b.both, $3::float8)), st_geomfromtext('polygon empty', 4490)))))).geom as g) w
  cross join lateral (
    select st_length(st_intersection(st_boundary(w.g), st_buffer(u.mine, 1e-7))::geography) as along, st_length(st_intersection(st_boundary(w.g), st_buffer(u.theirs, 1e-7))::geography) as beside,
      st_length(st_difference(st_boundary(w.g), st_buffer(b.both, 1e-7))::geography) as open) k
  cross join lateral (
    select p.* from pair p where p.nplan = u.nplan and st_dwithin(p.geom, w.g, 1e-7) and st_dwithin(p.ngeom, w.g, 1e-7)
    order by st_length(st_intersection(st_boundary(w.g), st_buffer(p.geom, 1e-7))) + st_length(st_intersection(st_boundary(w.g), st_buffer(p.ngeom, 1e-7))) desc, p.zone, p.nzone limit 1) c
  where st_area(w.g::geography) > 0.01 and k.along > 0.01 and k.beside > 0.01
    and (k.open < 0.05 or (k.along > $4::float8 and k.beside > $4::float8)))
select f.kind, f.zone::text, coalesce(f.name, ''), coalesce(f.level, 0), f.nplan::text, f.nzone::text, coalesce(f.nname, ''), coalesce(f.nlevel, 0), f.g, f.len, f.m2, f.n
from found f order by f.kind, f.m2 desc, f.len desc, f.zone, f.nzone limit $5
