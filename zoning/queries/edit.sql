Steps of drawing: what they need to know, what they write.

-- name: edit_plan
select p.id, p.series, p.version_no, p.hazard, p.kind, p.title, p.admin_code, p.scope, p.exhaustive, coalesce(p.ladder, ''), p.state,
       p.method, p.version, p.updated_at, coalesce(d.demo, false), p.area
from plan p left join dataset d on d.id = p.dataset where p.id = $1

-- name: edit_turn
-- One step at a time on a plan. Not a lock on its row: that would give the transaction its
-- number, and hold the feed back, while it still computes.
select pg_advisory_xact_lock(hashtextextended('plan ' || $1::text, 0))

-- name: edit_still
-- Whoever writes zones of a plan otherwise (a computation, an import) says so on its row.
select state, version, updated_at from plan where id = $1 for update

-- name: edit_done
select e.seq, e.title_zh, e.title_en, e.ops = $3::jsonb, e.account is not distinct from $4::uuid, coalesce(e.undoes::text, ''),
       e.area_after is not null,
       coalesce((select array_agg(z.zone::text order by z.zone) from plan_edit_zone z where z.plan = e.plan and z.edit_id = e.edit_id), '{}')
from plan_edit e where e.plan = $1 and e.edit_id = $2

-- name: edit_done_at
select c.xid::text || '.' || c.seq::text from plan_edit_zone z join change_log c on c.layer = 'zones' and c.id in ((z.before ->> 'id')::uuid, (z.after ->> 'id')::uuid)
where z.plan = $1 and z.edit_id = $2 order by c.xid desc, c.seq desc limit 1

-- name: edit_zones
-- The zones that the boxes touch or that are named, every zone that touches the box
-- around those, and that box.
with asked as (
  select st_makeenvelope(b.w, b.s, b.e, b.n, 4490) as box from unnest($3::float8[], $4::float8[], $5::float8[], $6::float8[]) b(w, s, e, n)),
near as (
  select st_extent(g.geom) as box from (
    select z.geom from asked a join zones z on z.geom && a.box where z.plan = $1
    union all
    select z.geom from zones z where z.plan = $1 and z.zone = any ($2::uuid[])
    union all
    select box from asked) g)
select z.id, z.zone, z.fid, z.version, coalesce(z.code, ''), coalesce(z.name, ''), coalesce(z.level, 0), coalesce(z.reason, ''),
       coalesce(z.countermeasure, ''), coalesce(z.responsible, ''), z.population, z.area_km2, z.attrs, z.geom,
       st_xmin(n.box), st_ymin(n.box), st_xmax(n.box), st_ymax(n.box)
from near n join zones z on z.geom && st_setsrid(n.box::geometry, 4490) where z.plan = $1

-- name: edit_zones_named
select z.id, z.zone, z.fid, z.version, coalesce(z.code, ''), coalesce(z.name, ''), coalesce(z.level, 0), coalesce(z.reason, ''),
       coalesce(z.countermeasure, ''), coalesce(z.responsible, ''), z.population, z.area_km2, z.attrs, z.geom
from zones z where z.plan = $1 and z.zone = any ($2::uuid[]) order by z.zone

-- name: edit_zones_all
select z.id, z.zone, z.fid, z.version, coalesce(z.code, ''), coalesce(z.name, ''), coalesce(z.level, 0), coalesce(z.reason, ''),
       coalesce(z.countermeasure, ''), coalesce(z.responsible, ''), z.population, z.area_km2, z.attrs, z.geom
from zones z where z.plan = $1 order by z.zone

-- name: edit_versions
select zone::text, version from zones where plan = $1 and zone = any ($2::uuid[])

-- name: edit_successors
-- Zones that are no more, and what the step that removed each of them left in its place.
select distinct o.zone::text
from unnest($2::uuid[]) gone(zone)
join lateral (select d.edit_id from plan_edit_zone d join plan_edit e using (plan, edit_id)
              where d.plan = $1 and d.zone = gone.zone and d.after is null order by e.seq desc limit 1) by on true
join plan_edit_zone o on o.plan = $1 and o.edit_id = by.edit_id and o.after is not null

-- name: edit_ids_used
-- An id names one zone for as long as the series lives.
select exists (select from zones z join plan p on p.id = z.plan where p.series = $1 and z.zone = any ($2::uuid[]))
    or exists (select from plan_edit_zone z join plan p on p.id = z.plan where p.series = $1 and z.zone = any ($2::uuid[]))

-- name: edit_names
select z.name from zones z where z.plan = $1 and exists (select from unnest($2::text[]) n where starts_with(z.name, n || '-'))

-- name: edit_node
-- Lines cut at each other on the grid: no crossing, no T-junction and no duplicate is left.
select (st_dump(st_unaryunion($1::geometry, $2::float8))).geom

-- name: edit_outside
-- Where no boundary says how far a plan goes, its administrative unit does: the largest
-- part of each shape that lies beyond it. Parts under a square metre are no matter, and
-- none thinner than a decimetre: so far apart are borders written with six decimals, and
-- along a border of kilometres that is many square metres.
select distinct on (i.n) i.n, st_pointonsurface(o.part), o.area
from unnest($2::geometry[]) with ordinality i(geom, n)
join lateral (select st_union(a.geom) as unit from admin a where a.code = $1 and a.valid_to is null) u on u.unit is not null and not st_covers(u.unit, i.geom)
cross join lateral (select d.geom as part, st_area(d.geom::geography) as area from st_dump(st_difference(i.geom, u.unit, $3::float8)) d) o
where o.area > 1 and o.area * 2 > st_perimeter(o.part::geography) * 0.1
order by i.n, o.area desc

-- name: edit_home
select st_xmin(b), st_ymin(b), st_xmax(b), st_ymax(b) from (select st_extent(geom)::geometry b from admin where code = $1 and valid_to is null) a

-- name: edit_beyond
-- The first shape of which less than half lies in the area. Of one that is not valid
-- nothing can be said here.
select i.n::int from unnest($1::geometry[]) with ordinality i(geom, n)
where case when st_isvalid(i.geom) then st_area(st_intersection(i.geom, $2::geometry)) * 2 < st_area(i.geom) end
order by i.n limit 1

-- name: edit_remove
delete from zones where plan = $1 and zone = any ($2::uuid[])

-- name: edit_insert
-- A zone that comes back is the same feature as before: its id and fid are not new.
insert into zones (id, fid, version, plan, zone, kind, hazard, published, code, name, level, reason, countermeasure, responsible,
                   population, area_km2, attrs, geom, admin_code, scope)
overriding system value
select coalesce(i.id, uuid_v7()), coalesce(i.fid, nextval(pg_get_serial_sequence('zones', 'fid'))), i.version, p.id, i.zone, p.kind, p.hazard, false,
       i.code, i.name, i.level, i.reason, i.countermeasure, i.responsible, i.population, coalesce(i.area_km2, st_area(i.geom::geography) / 1e6),
       coalesce(i.attrs, '{}'), i.geom, coalesce(u.admin_code, p.admin_code), coalesce(u.scope, p.scope)
from plan p
cross join unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::uuid[], $6::text[], $7::text[], $8::smallint[], $9::text[], $10::text[], $11::text[],
                  $12::integer[], $13::float8[], $14::jsonb[], $15::geometry[])
  i(id, fid, version, zone, code, name, level, reason, countermeasure, responsible, population, area_km2, attrs, geom)
left join lateral (
  select a.admin_code, a.scope from admin a
  where a.geom && i.geom and a.geom ~ i.geom and a.scope <@ p.scope and a.scope <> p.scope and a.valid_to is null and st_covers(a.geom, i.geom)
  order by a.rank desc, a.fid limit 1) u on true
where p.id = $1
returning zone::text, id::text, fid, version, area_km2

-- name: edit_update
-- A null shape leaves the shape, its area and the unit it lies in as they are.
update zones z set code = i.code, name = i.name, level = i.level, reason = i.reason, countermeasure = i.countermeasure,
       responsible = i.responsible, population = i.population, attrs = coalesce(i.attrs, '{}'),
       geom = coalesce(i.geom, z.geom),
       area_km2 = case when i.geom is null then z.area_km2 else coalesce(i.area_km2, st_area(i.geom::geography) / 1e6) end,
       admin_code = case when i.geom is null then z.admin_code else coalesce(u.admin_code, p.admin_code) end,
       scope = case when i.geom is null then z.scope else coalesce(u.scope, p.scope) end
from plan p
cross join unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::smallint[], $7::text[], $8::text[], $9::text[],
                  $10::integer[], $11::float8[], $12::jsonb[], $13::geometry[])
  i(zone, version, code, name, level, reason, countermeasure, responsible, population, area_km2, attrs, geom)
left join lateral (
  select a.admin_code, a.scope from admin a
  where a.geom && i.geom and a.geom ~ i.geom and a.scope <@ p.scope and a.scope <> p.scope and a.valid_to is null and st_covers(a.geom, i.geom)
  order by a.rank desc, a.fid limit 1) u on true
where p.id = $1 and z.plan = p.id and z.zone = i.zone and z.version = i.version
returning z.zone::text, z.id::text, z.fid, z.version, z.area_km2

-- name: edit_add
insert into plan_edit (plan, edit_id, title_zh, title_en, ops, undoes, area_before, area_after, account, actor, made_before, made_after)
select $1, $2, $3, $4, $5::jsonb, $6, $7, $8, $9, $10, case when $11::jsonb is not null then jsonb_build_object('method', p.method, 'unit', p.unit) end, $11::jsonb
from plan p where p.id = $1 returning seq

-- name: edit_add_zones
insert into plan_edit_zone (plan, edit_id, zone, before, before_geom, after, after_geom)
select $1, $2, i.zone, i.before, i.before_geom, i.after, z.geom
from unnest($3::uuid[], $4::jsonb[], $5::geometry[], $6::jsonb[]) i(zone, before, before_geom, after)
left join zones z on z.plan = $1 and z.zone = i.zone

-- name: edit_touch
update plan set updated_at = clock_timestamp(), area = coalesce($2::geometry, area), method = coalesce($3::jsonb -> 'method', method), unit = coalesce($3::jsonb ->> 'unit', unit)
where id = $1

-- name: edit_load
select e.seq, e.title_zh, e.title_en, e.area_before, e.area_after, e.made_before from plan_edit e where e.plan = $1 and e.edit_id = $2

-- name: edit_load_zones
select z.zone::text, z.before, z.before_geom, z.after, z.after_geom from plan_edit_zone z where z.plan = $1 and z.edit_id = $2 order by z.zone

-- name: edit_undoings
-- Every edit that takes another back, oldest first.
select e.edit_id::text, e.undoes::text from plan_edit e where e.plan = $1 and e.undoes is not null and e.seq > $2 order by e.seq

-- name: edit_root
-- The edit a chain of undoing and redoing is about, and how many links there are.
with recursive chain(edit_id, undoes, title_zh, title_en, n) as (
  select e.edit_id, e.undoes, e.title_zh, e.title_en, 0 from plan_edit e where e.plan = $1 and e.edit_id = $2
  union all
  select e.edit_id, e.undoes, e.title_zh, e.title_en, c.n + 1 from chain c join plan_edit e on e.plan = $1 and e.edit_id = c.undoes)
select title_zh, title_en, n from chain where undoes is null

-- name: edit_list
select e.edit_id::text, e.seq, e.title_zh, e.title_en, e.ops, coalesce(e.account::text, ''), e.actor, coalesce(a.name, ''), e.at, coalesce(e.undoes::text, ''),
       coalesce(z.zones, '{}'), coalesce(z.removed, '{}'), st_xmin(z.box), st_ymin(z.box), st_xmax(z.box), st_ymax(z.box)
from plan_edit e
left join auth.account a on a.id = e.account
left join lateral (
  select array_agg(distinct t.zone::text) filter (where t.after is not null) as zones,
         array_agg(distinct t.zone::text) filter (where t.after is null) as removed,
         st_extent(g.geom) as box
  from plan_edit_zone t cross join lateral (values (t.before_geom), (t.after_geom)) g(geom)
  where t.plan = e.plan and t.edit_id = e.edit_id) z on true
where e.plan = $1 and e.seq > $2 order by e.seq limit $3

-- name: snap_lines
-- Borders, water, roads and the neighbours' zones in force that touch a box. The scopes
-- are the plan; row security is the floor.
select l.layer, l.name, l.geom from (
  select 'admin' as layer, 1 as sort, a.rank as rank, coalesce(a.name, '') as name, a.geom, a.fid from admin a
  where a.geom && st_makeenvelope($1, $2, $3, $4, 4490) and a.valid_to is null and coalesce(a.scope && $5::int8multirange, false)
  union all
  select 'zones', 2, 0, coalesce(z.name, ''), z.geom, z.fid from zones z join plan p on p.id = z.plan
  where z.geom && st_makeenvelope($1, $2, $3, $4, 4490) and z.published and coalesce(z.scope && $6::int8multirange, false)
    and p.series <> $7 and p.hazard = $8 and p.kind = $9 and p.state in ('published', 'superseded')
    and p.effective_from <= $10::date and (p.effective_to is null or p.effective_to > $10::date)
  union all
  select 'rivers', 3, 0, coalesce(r.name, ''), r.geom, r.fid from rivers r
  where r.geom && st_makeenvelope($1, $2, $3, $4, 4490) and coalesce(r.scope && $11::int8multirange, false)
  union all
  select 'roads', 4, 0, coalesce(r.name, ''), r.geom, r.fid from roads r
  where r.geom && st_makeenvelope($1, $2, $3, $4, 4490) and coalesce(r.scope && $12::int8multirange, false)) l
order by l.sort, l.rank, l.fid limit $13
