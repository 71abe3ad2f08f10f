What is measured of the units $1 (geometry[], counted from 1). Names in braces are filled
in by store_compute.go with quoted identifiers of the catalogue or with conditions whose
values are parameters.

-- name: features
-- Features and sums of their fields. A shape with an area is shared out by area where
-- {areal} says so; everything else counts once, where its inner point lies, in the first
-- unit that has it.
with u as materialized (select x.geom, x.i::int as i from unnest($1::geometry[]) with ordinality x(geom, i)),
hit as materialized (
  select u.i, {value} as v, {of} as o, {weight} as w, {match} as m, {areal} as areal,
         case when not {areal} then 1 when st_coveredby({geom}, u.geom) then 1
              else st_area(st_intersection({geom}, u.geom)) / st_area({geom}) end as share,
         case when {areal} then st_area({geom}) else 1 end as size,
         row_number() over (partition by {key} order by u.i) as nth
  from u join {source} t on {geom} && u.geom and st_intersects(u.geom, case when {areal} then {geom} else {point} end)
  where {where})
select i, count(*), count(*) filter (where m), count(v), coalesce(sum(v * share), 0), coalesce(sum(w), 0),
       coalesce(sum(v * share) filter (where o is not null), 0), coalesce(sum(o * share) filter (where v is not null), 0),
       coalesce(sum(v * share * size), 0), coalesce(sum(share * size) filter (where v is not null), 0)
from hit where case when areal then share > 0 else nth = 1 end
group by i

-- name: areas
-- m² covered by shapes of each level or a worse one; overlapping shapes count once.
with u as materialized (select x.geom, x.i::int as i from unnest($1::geometry[]) with ordinality x(geom, i)),
part as materialized (
  select u.i, {kind} as kind, {level} as l,
         st_collectionextract(case when st_coveredby({geom}, u.geom) then {geom} else st_intersection({geom}, u.geom) end, 3) as g
  from u join {source} t on {geom} && u.geom and st_intersects(u.geom, {geom})
  where st_dimension({geom}) = 2 and {level} is not null and {where}),
p as (select * from part where not st_isempty(g))
select l.i, l.kind, l.l, st_area(st_union(p.g)::geography)
from (select distinct i, kind, l from p) l join p on p.i = l.i and p.kind = l.kind and p.l <= l.l
group by l.i, l.kind, l.l order by l.i, l.kind, l.l

-- name: lengths
-- Metres of lines.
with u as materialized (select x.geom, x.i::int as i from unnest($1::geometry[]) with ordinality x(geom, i))
select u.i, sum(st_length((case when st_coveredby({geom}, u.geom) then {geom} else st_intersection({geom}, u.geom) end)::geography))
from u join {source} t on {geom} && u.geom and st_intersects(u.geom, {geom})
where st_dimension({geom}) = 1 and {where}
group by u.i

-- name: input
-- Where the numbers come from.
select count(*), count(*) filter (where {value} is null), count(*) filter (where st_dimension({geom}) = 2),
       coalesce(string_agg(distinct coalesce(d.title, d.name), '、'), ''), coalesce(max(d.source_date)::text, '')
from {source} t left join dataset d on d.id = t.dataset
where {geom} && {box} and {where}
