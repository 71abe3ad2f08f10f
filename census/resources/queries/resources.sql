Teams, dispatches, stock and road blocks.

-- name: position
select pg_current_xact_id()::text || '.' || coalesce((select max(seq) from change_log where xid = pg_current_xact_id()), 0)::text

-- name: horizon
-- Whatever committed before this is in what is read from here on.
select pg_snapshot_xmin(pg_current_snapshot())::text || '.0'

-- name: teams
-- Where it is sent, and what it plays in an exercise: the one keeps it, the other does not.
select t.id::text, coalesce(t.name, ''), coalesce(t.kind, ''), coalesce(t.state, ''), coalesce(t.specialities, ''), coalesce(t.unit, ''), coalesce(t.admin_code, ''), t.scope, t.members, t.ready_min,
  t.geom, t.position_at, coalesce(d.id::text, ''), coalesce(d.state, ''), coalesce(e.id::text, ''), coalesce(e.state, ''), t.exercise, t.version
from teams t left join dispatches d on d.team = t.id and d.state in ('sent', 'acknowledged', 'departed', 'arrived') and not d.exercise
  left join dispatches e on e.team = t.id and e.state in ('sent', 'acknowledged', 'departed', 'arrived') and e.exercise
where (t.valid_to is null or t.valid_to > now())
  and ($1::uuid[] is null or t.id = any ($1)) and ($2::int8range is null or t.scope && $2) and ($3 = '' or t.state = $3) and ($4 = '' or t.kind = $4)
  and (not t.exercise or $1::uuid[] is not null)
order by t.name, t.id limit $5

-- name: team_lock
select t.id from teams t where t.id = $1 for update

-- name: track_add
insert into team_positions (team, at, geom, accuracy_m, state, scope)
select t.id, $2, $3, $4, nullif($5, ''), t.scope from teams t where t.id = $1 on conflict (team, at) do nothing

-- name: team_move
-- Where it is based is kept beside; whose it is stays whose it was, however far it goes.
update teams t set geom = $2, position_at = $3, state = coalesce(nullif($4, ''), t.state),
  attrs = case when t.attrs ? 'base' or t.geom is null then t.attrs else t.attrs || jsonb_build_object('base', jsonb_build_array(st_x(t.geom), st_y(t.geom))) end,
  admin_code = coalesce(t.admin_code, (select a.admin_code from admin a where a.scope = t.scope and a.valid_to is null order by a.fid limit 1))
where t.id = $1 and (t.position_at is null or t.position_at < $3)

-- name: team_state
update teams t set state = $2 where t.id = $1 and t.state is distinct from $2

-- name: track
select p.at, p.geom, p.accuracy_m, coalesce(p.state, '') from team_positions p where p.team = $1 and p.at >= $2 order by p.at desc limit $3

-- name: source
-- Whom or what is sent, as far as the asker sees it.
select o.kind, o.name, o.scope, o.geom, o.exercise from (
  select 'team' as kind, t.id, coalesce(t.name, '') as name, t.scope, t.geom, t.exercise from teams t where $1 = 'team' and t.id = $2
  union all select 'warehouse', w.id, coalesce(w.name, ''), w.scope, st_pointonsurface(w.geom), w.exercise from warehouses w where $1 = 'warehouse' and w.id = $2) o

-- name: incident
select coalesce(i.place, i.name, ''), case when i.geom is null then null else st_pointonsurface(i.geom) end, i.exercise, i.state from incidents i where i.id = $1

-- name: dispatch_add
insert into dispatches (id, team, warehouse, source, incident, task, place, items, exercise, sent_at, due_at, geom, scope, target, account, name)
values ($1, $2, $3, $4, $5, $6, nullif($7, ''), $8, $9, $10, $11, $12::geometry, $13, place_scope($12::geometry), $14, $15)

-- name: dispatch_real
-- Whether a team is out, not in an exercise.
select exists (select from dispatches d where d.team = $1 and d.state in ('sent', 'acknowledged', 'departed', 'arrived') and not d.exercise)

-- name: drill_end
-- What a team plays ends when it is sent in earnest.
update dispatches set state = case state when 'arrived' then 'returned' else 'cancelled' end, ended_at = $2, note = $3
where team = $1 and exercise and state in ('sent', 'acknowledged', 'departed', 'arrived') returning id::text, state

-- name: dispatches
select d.id::text, coalesce(d.team::text, ''), coalesce(d.warehouse::text, ''), d.source, coalesce(d.incident::text, ''), d.task, coalesce(d.place, ''), d.state, coalesce(d.note, ''), d.items, d.exercise,
  d.sent_at, d.due_at, d.acknowledged_at, d.departed_at, d.arrived_at, d.ended_at, coalesce(d.acknowledged_by, ''), d.name, coalesce(d.account::text, ''), d.geom, d.scope, d.version, d.updated_at
from dispatches d
where ($1::uuid[] is null or d.id = any ($1)) and ($2::uuid is null or d.incident = $2) and ($3::uuid is null or d.team = $3) and ($4::uuid is null or d.warehouse = $4)
  and ($5::int8range is null or d.scopes && int8multirange($5)) and (not $6::boolean or d.state in ('sent', 'acknowledged', 'departed', 'arrived'))
  and ($7::boolean is null or d.exercise = $7) and ($8::int8multirange is null or d.scopes && $8)
order by d.sent_at desc, d.id desc limit $9

-- name: dispatch_lock
select d.id from dispatches d where d.id = $1 for update

-- name: dispatch_step
update dispatches set state = $2, note = coalesce(nullif($3, ''), note),
  acknowledged_at = case when $2 = 'acknowledged' then $4 else acknowledged_at end, acknowledged_by = case when $2 = 'acknowledged' then $5 else acknowledged_by end,
  departed_at = case when $2 = 'departed' then $4 else departed_at end, arrived_at = case when $2 = 'arrived' then $4 else arrived_at end,
  ended_at = case when $2 in ('returned', 'cancelled') then $4::timestamptz end
where id = $1

-- name: stores
select w.id::text, coalesce(w.name, ''), coalesce(w.grade, ''), coalesce(w.admin_code, ''), case when w.geom is null then null else st_pointonsurface(w.geom) end
from warehouses w
where (w.valid_to is null or w.valid_to > now()) and not w.exercise and ($1::uuid is null or w.id = $1) and ($2::int8range is null or w.scope && $2)
order by w.grade, w.name, w.id limit 2000

-- name: stock
select s.warehouse::text, s.item, s.unit, s.qty::float8, s.rotate_on, s.updated_at from stock s
where s.warehouse = any ($1::uuid[]) order by s.warehouse, s.item, s.unit

-- name: stock_begin
insert into stock (warehouse, item, unit, qty, geom, scope, account, name)
select w.id, $2, $3, 0, case when w.geom is null then null else st_pointonsurface(w.geom) end, w.scope, $4, $5 from warehouses w where w.id = $1
on conflict (warehouse, item, unit) do nothing

-- name: stock_has
select s.qty::float8 from stock s where s.warehouse = $1 and s.item = $2 and s.unit = $3

-- name: stock_change
update stock set qty = qty + $4::float8::numeric(14,3), rotate_on = coalesce($5::date, rotate_on)
where warehouse = $1 and item = $2 and unit = $3 and qty + $4::float8::numeric(14,3) >= 0 returning qty::float8

-- name: move_find
select m.warehouse::text, m.item, m.unit, m.qty::float8, m.after::float8 from stock_moves m where m.id = $1

-- name: move_add
insert into stock_moves (id, warehouse, item, unit, qty, after, reason, dispatch, geom, scope, account, name)
select $1, w.id, $3, $4, $5::float8::numeric(14,3), $6::float8::numeric(14,3), $7, $8, case when w.geom is null then null else st_pointonsurface(w.geom) end, w.scope, $9, $10 from warehouses w where w.id = $2

-- name: moves
select m.id::text, m.warehouse::text, m.item, m.unit, m.reason, coalesce(m.dispatch::text, ''), m.name, m.qty::float8, m.after::float8, m.created_at
from stock_moves m where m.warehouse = $1 order by m.created_at desc, m.id desc limit $2

-- name: blocks
-- Trunk is what the road named is, or the road that lies nearest.
select b.id::text, coalesce(b.name, ''), coalesce(b.cause, ''), coalesce(b.road, ''), coalesce(b.state, ''), coalesce(b.detour, ''), coalesce(b.admin_code, ''), b.geom, b.scope,
  b.blocked_at, b.expected_at, b.reopened_at,
  coalesce(b.road ~ '^[GS][0-9]{1,4}([^0-9]|$)' or (select r.class from roads r where b.geom is not null and r.geom && st_expand(b.geom, $6::float8 / 80000) and r.valid_to is null
    order by (r.ref = b.road or r.name = b.road) desc nulls last, st_distance(r.geom, b.geom) limit 1) = any ($5::text[]), false),
  b.exercise, b.version, b.recorded_at, b.recorded_by
from road_blocks b
where ($1::uuid[] is null or b.id = any ($1)) and ($2::int8range is null or b.scope && $2)
  and (not $3::boolean or b.state is distinct from 'reopened') and (not b.exercise or $1::uuid[] is not null)
  and ($1::uuid[] is not null or b.state is distinct from 'reopened' or b.blocked_at > $4::timestamptz)
order by (b.state is distinct from 'reopened') desc, b.blocked_at desc nulls last, b.id limit $7

-- name: block_lock
select b.id from road_blocks b where b.id = $1 for update

-- name: block_place
select scope_at($1::geometry)

-- name: block_add
insert into road_blocks (id, name, cause, road, state, detour, blocked_at, expected_at, reopened_at, geom, exercise)
values ($1, nullif($2, ''), nullif($3, ''), nullif($4, ''), $5, nullif($6, ''), $7, $8, $9, $10, $11)

-- name: block_change
update road_blocks set name = nullif($3, ''), cause = nullif($4, ''), road = nullif($5, ''), state = $6, detour = nullif($7, ''), blocked_at = $8, expected_at = $9, reopened_at = $10, geom = $11
where id = $1 and version = $2
