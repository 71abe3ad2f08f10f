A call-out whose warning was updated.

-- name: chain_head
-- What is in force now of the chain a call-out was ordered for.
select a.id::text, coalesce(a.identifier, ''), coalesce(a.headline, a.event, a.name, ''), a.sent_at, a.geom, a.scope, a.level
from alerts a join alerts x on coalesce(x.chain, x.id) = coalesce(a.chain, a.id)
where x.id = $1 and a.state = 'active'
order by a.sent_at desc nulls last, a.id desc limit 1

-- name: listed
select v.code, v.name, v.whole, v.added_at, coalesce(v.added_by, ''), v.left_at, coalesce(v.left_by, '')
from callout_villages v where v.callout = $1 order by v.place

-- name: last_place
select coalesce(max(place) + 1, 0) from callout_villages where callout = $1

-- name: widen
-- $2 are the codes that came, $3 the smallest unit around all of them.
update callouts set scopes = scopes + coalesce((select range_agg(code_scope(c)) from unnest($2::text[]) c), '{}'),
  scope = case when code_scope($3) @> scope then code_scope($3) when $3 is null then every_scope() else scope end
where id = $1

-- name: codes
select array_agg(v.code order by v.code) from callout_villages v where v.callout = $1

-- name: put_on
update callout_villages set left_at = null, left_by = null, left_alert = null where callout = $1 and code = any ($2::text[]) and left_at is not null

-- name: mark_left
update callout_villages set left_at = $3, left_by = $4, left_alert = $5 where callout = $1 and code = any ($2::text[]) and left_at is null

-- name: insert_late_village
insert into callout_villages (callout, code, name, place, level, threatened, elderly, households, to_move, to_move_source, whole, added_at, added_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)

-- name: rank_villages
-- The worst first, whenever it came.
update callout_villages v set place = r.n
from (select code, (row_number() over (order by coalesce(level, 9), coalesce(threatened, -1) desc, coalesce(elderly, -1) desc, code) - 1)::integer n
      from callout_villages where callout = $1) r
where v.callout = $1 and v.code = r.code and v.place <> r.n

-- name: rank_targets
-- Heads, then grid workers, then households; in each the worst village first. Who stands in
-- for somebody stands where he stood.
update call_targets t set place = r.n
from (select x.id, (row_number() over (order by array_position(array['village_head', 'grid_worker', 'household_keeper'], x.role), v.place, x.place, x.id) - 1)::integer n
      from call_targets x join callout_villages v on v.callout = x.callout and v.code = x.village
      where x.callout = $1 and x.phase = 'call' and x.escalation = 0) r
where t.callout = $1 and t.phase = 'call' and t.root = r.id and t.place <> r.n
