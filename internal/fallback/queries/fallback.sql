What 兜底包 holds, under the claims of whose it is. $1 is the area, null for everywhere.

-- name: area
select coalesce((select a.name from admin a where a.code = $1 and a.valid_to is null limit 1), '')

-- name: townships
select a.code, a.name, a.geom from admin a
where a.rank = 4 and a.valid_to is null and ($1::int8range is null or a.scope <@ $1) order by a.code limit 200

-- name: units
select a.code, a.name from admin a where a.valid_to is null and ($1::int8range is null or a.scope && $1)

-- name: hazards
select coalesce(h.admin_code, g.code, ''), coalesce(h.code, ''), coalesce(h.name, ''), coalesce(h.hazard, ''), h.level, coalesce(h.state, ''), h.threatened_households, h.threatened_persons, coalesce(h.monitor, ''), coalesce(h.address, ''),
  coalesce(s.name, ''), coalesce(h.measure, ''), round(st_x(st_pointonsurface(h.geom))::numeric, 6)::float8, round(st_y(st_pointonsurface(h.geom))::numeric, 6)::float8
from hazards h left join shelters s on s.id = h.evacuation_shelter left join lateral (select field_grid(st_pointonsurface(h.geom)) as code where h.admin_code is null) g on true
where (h.valid_to is null or h.valid_to > now()) and not h.exercise and ($1::int8range is null or h.scope && $1)
order by 1, h.level nulls last, h.name, h.id limit 20000

-- name: shelters
select coalesce(s.admin_code, ''), coalesce(s.name, ''), coalesce(s.class, ''), coalesce(s.state, ''), s.capacity, s.occupancy, s.reserved, s.confirmed_at, coalesce(s.address, ''), coalesce(s.unit, ''),
  round(st_x(st_pointonsurface(s.geom))::numeric, 6)::float8, round(st_y(st_pointonsurface(s.geom))::numeric, 6)::float8
from shelters s where (s.valid_to is null or s.valid_to > now()) and not s.exercise and ($1::int8range is null or s.scope && $1) order by 1, s.name, s.id limit 20000

-- name: stores
select coalesce(w.admin_code, ''), coalesce(w.name, ''), coalesce(w.grade, ''), coalesce(w.address, ''), coalesce(w.unit, ''),
  coalesce((select string_agg(x.item || ' ' || trim_scale(x.qty) || x.unit, '、' order by x.item) from stock x where x.warehouse = w.id and x.qty > 0), w.stock, '')
from warehouses w where (w.valid_to is null or w.valid_to > now()) and not w.exercise and ($1::int8range is null or w.scope && $1) order by 1, w.name, w.id limit 20000

-- name: teams
select coalesce(t.admin_code, ''), coalesce(t.name, ''), coalesce(t.kind, ''), t.members, coalesce(t.specialities, ''), coalesce(t.equipment, ''), coalesce(t.unit, ''), coalesce(t.address, ''), coalesce(t.state, '')
from teams t where (t.valid_to is null or t.valid_to > now()) and not t.exercise and ($1::int8range is null or t.scope && $1) order by 1, t.name, t.id limit 20000

-- name: ways
select r.area, r.title, coalesce(r.assembly, ''), r.shelter_name, r.persons, coalesce(r.note, ''), round((st_length(r.geom::geography))::numeric)::int, r.approved_by
from evacuation_routes r
where r.state = 'approved' and (r.valid_to is null or r.valid_to >= now()::date) and ($1::int8range is null or r.scope && $1) order by r.area, r.title, r.id limit 20000

-- name: marks
-- What a map shows, each as a spot or a band that paper can show: $2 is the township, $3
-- the radius in metres.
select 1, coalesce(h.name, ''), st_multi(st_buffer(st_pointonsurface(h.geom)::geography, $3::float8, 6)::geometry) from hazards h
where h.geom && $2::geometry and st_intersects(h.geom, $2::geometry) and (h.valid_to is null or h.valid_to > now()) and not h.exercise
union all
select 2, coalesce(s.name, ''), st_multi(st_buffer(st_pointonsurface(s.geom)::geography, $3::float8, 6)::geometry) from shelters s
where s.geom && $2::geometry and st_intersects(s.geom, $2::geometry) and (s.valid_to is null or s.valid_to > now()) and not s.exercise
union all
select 3, coalesce(w.name, ''), st_multi(st_buffer(st_pointonsurface(w.geom)::geography, $3::float8, 6)::geometry) from warehouses w
where w.geom && $2::geometry and st_intersects(w.geom, $2::geometry) and (w.valid_to is null or w.valid_to > now()) and not w.exercise
union all
select 4, r.title, st_multi(st_buffer(r.geom::geography, $3::float8 / 5, 4)::geometry) from evacuation_routes r
where r.geom && $2::geometry and r.state = 'approved' and ($1::int8range is null or r.scope && $1)

-- name: lines
select case when r.class in ('expressway', 'national', 'provincial', 'trunk') then 'highway' else 'road' end, coalesce(nullif(r.ref, ''), r.name, ''), st_multi(st_simplify(st_clipbybox2d(r.geom, box2d($1::geometry)), 0.0001))
from roads r where r.geom && $1::geometry and r.valid_to is null and r.class in ('expressway', 'national', 'provincial', 'county', 'township', 'trunk', 'secondary') and st_dimension(r.geom) = 1
union all
select 'river', coalesce(v.name, ''), st_multi(st_simplify(st_clipbybox2d(v.geom, box2d($1::geometry)), 0.0001)) from rivers v where v.geom && $1::geometry and v.valid_to is null and st_dimension(v.geom) = 1

-- name: places
select case when a.rank = 4 then 'township' else 'village' end, a.name, st_pointonsurface(a.geom) from admin a
where a.geom && $1::geometry and a.rank in (4, 5) and a.valid_to is null and st_intersects(st_pointonsurface(a.geom), $1::geometry) limit 400

-- name: record
insert into fallback_package (id, area, file, bytes, sha256, counts, automatic, actor, reason, as_of, failed)
values ($1, $2, nullif($3, ''), nullif($4::bigint, 0), nullif($5, ''), $6, $7, $8, $9, $10, nullif($11, ''))

-- name: packages
select p.id::text, p.area, coalesce(p.file, ''), coalesce(p.bytes, 0), coalesce(p.sha256, ''), p.counts, p.automatic, p.actor, p.reason, p.as_of, p.made_at, coalesce(p.failed, '')
from fallback_package p where ($1::text[] is null or p.area = any ($1)) order by p.made_at desc, p.id desc limit $2

-- name: begun
-- Whether a package of an area was begun by itself since a time: one node makes it.
select pg_try_advisory_xact_lock(hashtext('fallback_package')) and not exists (select from fallback_package p where p.automatic and p.area = $1 and p.made_at >= $2 and p.failed is null)
