What a phone shows when it wakes, and what the office counts.

-- name: unit
-- A unit by its code: a grid, or an administrative unit.
select u.name, u.geom, st_xmin(u.geom), st_ymin(u.geom), st_xmax(u.geom), st_ymax(u.geom) from (
  select coalesce(name, code) as name, geom from grids where code = $1 and geom is not null and valid_to is null
  union all select coalesce(name, code), geom from admin where code = $1 and geom is not null and valid_to is null) u limit 1

-- name: patrol_units
-- The units directly below an area; of one without any below, its grids.
with inside as (select a.code, coalesce(a.name, a.code) as name, a.scope, a.rank from admin a where a.valid_to is null and a.scope <@ $1::int8range and a.scope <> $1::int8range),
below as (select code, name, scope from inside where rank = (select min(rank) from inside))
select code, name from below
union all select g.code, coalesce(g.name, g.code) from grids g where g.valid_to is null and g.scope <@ $1::int8range and g.code is not null and not exists (select from below)
order by 1

-- name: patrol_counts
-- Taps of one device in one grid within a minute count once. A grid did report that has
-- a patrol or a zero report of that day.
with units as (select c as code, code_scope(c) as scope from unnest($1::text[]) c),
-- Each table is read once under its rules; what lies in what is then asked within a unit only.
mine as materialized (select u.code, g.id, g.scope from units u join (select id, scope from grids where valid_to is null offset 0) g on g.scope <@ u.scope),
expected as (select u.code, count(m.id) as grids from units u left join mine m using (code) group by u.code),
taps as (
  select coalesce(nullif(p.device, ''), p.account::text, p.actor) as who, p.scope, p.kind, date_trunc('minute', p.captured_at) as at,
    (min(p.captured_at) at time zone $4)::date as day, bool_or(p.result = 'problem') as problem
  from patrols p
  where p.captured_at >= ($2::date::timestamp at time zone $4) and p.captured_at < (($3::date + 1)::timestamp at time zone $4) and p.scope && $5::int8multirange
  group by 1, 2, 3, 4),
done as (
  select u.code, t.day, count(*) filter (where t.kind = 'patrol') as patrols, count(*) filter (where t.kind = 'zero_report') as zeros, count(*) filter (where t.problem) as problems
  from taps t join units u on t.scope <@ u.scope group by 1, 2),
spots as materialized (select distinct u.code, t.day, t.scope from taps t join units u on t.scope <@ u.scope),
grids_done as (
  select m.code, s.day, count(distinct m.id) as grids
  from spots s join mine m on m.code = s.code and s.scope <@ m.scope group by 1, 2)
select e.code, d.day::date, e.grids, coalesce(x.grids, 0), coalesce(n.patrols, 0), coalesce(n.zeros, 0), coalesce(n.problems, 0)
from expected e cross join generate_series($2::date, $3::date, interval '1 day') d(day)
left join done n on n.code = e.code and n.day = d.day::date
left join grids_done x on x.code = e.code and x.day = d.day::date
order by e.code, d.day
