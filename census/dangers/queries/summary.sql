Counts and rates, reminders, what a card says.

-- name: summary
-- Accepted dangers by group. Closed in time: reported as put right before the deadline, or
-- without one (fixed on the spot).
select case $1 when 'unit' then coalesce(d.responsible_unit, '') when 'kind' then coalesce(d.kind, '') when 'level' then coalesce(d.level::text, '')
               when 'area' then coalesce((select a.code from admin a where a.rank = 4 and a.valid_to is null and a.scope @> d.scope order by a.fid limit 1), '') else '' end as g,
  count(*) as total,
  count(*) filter (where d.state = 'closed') as closed,
  count(*) filter (where d.state = 'closed' and (d.due_at is null or coalesce(d.rectified_at, d.closed_at) <= d.due_at)) as in_time,
  count(*) filter (where d.state <> 'closed') as open,
  count(*) filter (where danger_overdue(d.state, d.due_at, d.rectified_at, $6)) as overdue,
  count(*) filter (where d.level = 1) as serious,
  count(*) filter (where d.level = 1 and d.state <> 'closed') as serious_open,
  count(*) filter (where d.listed) as listed
from danger_seen($2::boolean) d
where d.state not in ('draft', 'reported', 'rejected') and not d.exercise
  and ($3::int8range is null or d.scope && $3) and ($4::timestamptz is null or d.found_at >= $4) and ($5::timestamptz is null or d.found_at < $5)
group by 1 order by overdue desc, open desc, g

-- name: states
select d.state, count(*) from danger_seen($1::boolean) d
where ($2::int8range is null or d.scope && $2) and not d.exercise and (d.state <> 'draft' or d.reported_account is null or d.reported_account = $3::uuid) group by 1

-- name: card_hazard
select h.id::text, coalesce(h.code, ''), coalesce(h.name, ''), coalesce(h.hazard, ''), coalesce(h.level, 0)::int, coalesce(h.threatened_persons, 0)::int, coalesce(h.threatened_households, 0)::int,
  coalesce(h.measure, ''), coalesce(h.address, ''), coalesce(h.monitor, ''), coalesce(h.evacuation_shelter::text, ''), h.geom, h.scope, coalesce(s.demo, false)
from hazards h left join dataset s on s.id = h.dataset where h.id = $1::uuid

-- name: card_shelter
-- The shelter that was named for it, else the nearest that is not closed.
select coalesce(s.name, ''), coalesce(s.address, ''), coalesce(s.capacity, 0)::int, coalesce(st_distance(s.geom::geography, $2::geometry::geography), -1)
from shelters s
where case when $1::uuid is not null then s.id = $1 else coalesce(s.state, '') not in ('closed', 'full', 'damaged') and s.valid_to is null and s.geom && st_expand($2::geometry, 0.3) end
order by s.geom <-> $2::geometry limit 1

-- name: card_people
-- Who answers for it: for the object itself, then for the smallest area around it.
select r.kind, coalesce(r.unit, ''), coalesce(r.post, ''), coalesce(r.person, '')
from responsibility r
where (r.layer = $1 and r.feature = $2::uuid or r.feature is null and r.scope @> $3::int8range) and (r.valid_to is null or r.valid_to >= current_date)
order by (r.feature is null), upper(r.scope) - lower(r.scope), r.kind, r.id limit 4
