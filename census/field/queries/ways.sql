Ways out.

-- name: routes
-- $4: in which state; $5: one of them, whatever its dates are.
select r.id::text, r.title, r.area, coalesce(r.shelter::text, ''), r.shelter_name, coalesce(r.assembly, ''), r.persons, coalesce(r.note, ''), coalesce(r.approved_by, ''), r.approved_at, r.valid_from, r.valid_to, r.geom, r.version,
  r.state, coalesce(r.account::text, ''), r.name, r.created_at, coalesce(r.withdrawn_by, ''), coalesce(r.reason, ''), r.withdrawn_at
from evacuation_routes r
where r.scope && $1::int8multirange and ($2::int8range is null or r.scope && $2) and ($4 = '' or r.state = $4)
  and ($5::uuid is null or r.id = $5)
  and ($4 <> 'approved' or (r.valid_from is null or r.valid_from <= $3::date) and (r.valid_to is null or r.valid_to >= $3::date))
order by r.area, r.title, r.id limit 2000

-- name: route_shelter
select s.name from shelters s where s.id = $1 and s.name is not null

-- name: route_insert
insert into evacuation_routes (id, title, area, shelter, shelter_name, assembly, persons, note, valid_from, valid_to, geom, state, account, name)
values ($1, $2, $3, $4::uuid, $5, nullif($6, ''), $7, nullif($8, ''), $9::date, $10::date, $11, 'proposed', $12, $13)

-- name: route_approve
update evacuation_routes set state = 'approved', approved_by = $3, approved_at = $4::date, approved_account = $5 where id = $1 and version = $2 and state = 'proposed'

-- name: route_withdraw
update evacuation_routes set state = 'withdrawn', withdrawn_at = $3, withdrawn_by = $4, reason = $5 where id = $1 and version = $2 and state <> 'withdrawn'
