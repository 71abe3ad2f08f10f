The board: villages, what was reported of them, who of them was reached.

-- name: villages
select v.callout::text, v.code, v.name, v.place, v.level, v.households, v.whole, v.to_move, coalesce(v.to_move_source, ''), v.added_at, v.left_at
from callout_villages v
where v.callout = any ($1::uuid[]) and v.scopes && $2::int8multirange
  and ($3::geometry is null or exists (select from admin a where a.code = v.code and a.valid_to is null
    and a.geom && $3::geometry and st_intersects(a.geom, $3::geometry) and not st_touches(a.geom, $3::geometry)))
order by v.callout, v.place

-- name: chains
select r.callout::text, r.village, count(*), count(*) filter (where c.reached), count(*) filter (where c.repeated),
  count(*) filter (where not c.reached and c.refused), count(*) filter (where not c.reached and c.waiting), count(*) filter (where not c.reached and c.late)
from call_targets r cross join lateral (
  select bool_or(t.escalation < 2 and t.state in ('answered', 'repeated')) reached, bool_or(t.escalation < 2 and t.state = 'repeated') repeated,
    bool_or(t.state = 'refused') refused, bool_or(t.state = 'waiting') waiting, bool_or(t.state = 'escalated' or t.state = 'waiting' and t.due_at < $3) late
  from call_targets t where t.root = r.id and t.phase = 'call') c
where r.callout = any ($1::uuid[]) and r.phase = 'call' and r.escalation = 0 and r.scopes && $2::int8multirange
group by r.callout, r.village

-- name: heard
select c.callout::text, c.village, max(c.at)
from calls c join call_targets t on t.id = c.target
where c.callout = any ($1::uuid[]) and c.scopes && $2::int8multirange and c.outcome in ('answered', 'repeated') and t.escalation < 2
group by c.callout, c.village

-- name: entries
select e.id::text, e.callout::text, e.village, e.mode, e.to_move, e.moved, e.refused, e.returned, e.missing, coalesce(e.shelter::text, ''), coalesce(e.shelter_name, s.name, ''), e.persons,
  e.road_cut, e.power_cut, e.network_cut, e.at, e.received_at, e.channel, coalesce(e.note, ''), coalesce(e.account::text, ''), e.actor, e.name
from evacuation_entries e left join shelters s on s.id = e.shelter
where e.callout = any ($1::uuid[]) and e.scopes && $2::int8multirange and ($3 = '' or e.village = $3)
order by e.at, e.id limit $4

-- name: entries_by_id
select e.id::text, e.callout::text, e.village, e.mode, e.to_move, e.moved, e.refused, e.returned, e.missing, coalesce(e.shelter::text, ''), coalesce(e.shelter_name, s.name, ''), e.persons,
  e.road_cut, e.power_cut, e.network_cut, e.at, e.received_at, e.channel, coalesce(e.note, ''), coalesce(e.account::text, ''), e.actor, e.name
from evacuation_entries e left join shelters s on s.id = e.shelter
where e.id = any ($1::uuid[]) and e.scopes && $2::int8multirange

-- name: village
select v.name from callout_villages v where v.callout = $1 and v.code = $2

-- name: entry
select e.callout::text, e.village, e.actor from evacuation_entries e where e.id = $1

-- name: shelter
select exists (select from shelters s where s.id = $1)

-- name: insert_entry
insert into evacuation_entries (id, callout, village, mode, to_move, moved, refused, returned, missing, shelter, shelter_name, persons, road_cut, power_cut, network_cut, at, channel, note, device, received_at, geom, scope, account, actor, name)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21::geometry, $22::int8range, $23, $24, $25)
on conflict (id) do nothing

-- name: entry_lock
select 1 from evacuation_entries where id = $1

-- name: entry_record
select e.id::text, e.version, '', to_jsonb(f), null::geometry, e.scope, e.updated_by, e.updated_at
from evacuation_entries e cross join lateral (select e.callout, e.village, e.mode, e.to_move, e.moved, e.refused, e.returned, e.missing, e.shelter, e.shelter_name, e.persons, e.road_cut, e.power_cut, e.network_cut, e.note) f
where e.id = $1

-- name: callouts_down
-- What a grid worker's phone is sent: the call-outs of the areas he works in.
select c.id::text, c.version, c.state, to_jsonb(f), c.geom, c.scope, c.updated_by, c.updated_at
from callouts c cross join lateral (select c.kind, c.title, c.level, c.exercise, c.started_at, c.ended_at, c.end_reason,
  (select coalesce(string_agg(v.code || ' ' || v.name, ',' order by v.place), '') from callout_villages v where v.callout = c.id and v.scopes && $1::int8multirange) villages) f
where c.scopes && $1::int8multirange and ($2::uuid[] is null or c.id = any ($2)) and ($3::uuid is null or c.id > $3)
  and ($2::uuid[] is not null or c.state = 'active' or c.ended_at > now() - interval '3 days')
order by c.id limit $4

-- name: callouts_former
select c.id::text from callouts c where c.id = any ($1::uuid[]) and c.scopes && $2::int8multirange
