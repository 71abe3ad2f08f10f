Call-outs: where they are, who is on the list.

-- name: position
select pg_current_xact_id()::text || '.' || coalesce((select max(seq) from change_log where xid = pg_current_xact_id()), 0)::text

-- name: horizon
-- Whatever committed before this is in what is read from here on.
select pg_snapshot_xmin(pg_current_snapshot())::text || '.0'

-- name: alert
select a.geom, a.scope, a.level, a.exercise or lower(coalesce(a.status, '')) = 'exercise', coalesce(a.state, ''), coalesce(a.headline, a.event, a.name, '')
from alerts a where a.id = $1

-- name: incident
select i.geom, i.scope, coalesce(i.level, i.level_proposed), i.exercise, i.state, coalesce(i.name, i.place, '')
from incidents i where i.id = $1

-- name: around
-- A point stands for what lies around it.
select st_buffer(($1::geometry)::geography, $2::float8)::geometry(Geometry, 4490)

-- name: units
-- The units of a rank that the area touches: by its shape, else by codes.
select a.code, a.name, ($1::geometry is null or st_covers($1::geometry, a.geom))
from admin a
where a.valid_to is null and a.rank = $3
  and ($1::geometry is null or a.geom && $1::geometry and st_intersects(a.geom, $1::geometry) and not st_touches(a.geom, $1::geometry))
  and ($2::int8multirange is null or a.scope <@ $2::int8multirange)
order by a.code limit $4

-- name: dangers
-- What threatens each village inside the area. (The scope of a village is worked out once,
-- not for every row it is compared with: there may be hundreds of the one and thousands of the other.)
select v.code, min(h.level), sum(h.threatened_persons)::integer
from (select c as code, code_scope(c) as scope from unnest($1::text[]) c offset 0) v join hazards h on h.scope <@ v.scope
where h.valid_to is null and not h.exercise and ($2::geometry is null or h.geom is null or st_intersects(h.geom, $2::geometry))
group by v.code

-- name: grids
select v.code, g.id::text, g.code, coalesce(g.worker, ''), coalesce(g.name, ''), $2::geometry is null or g.geom && $2::geometry and st_intersects(g.geom, $2::geometry) and not st_touches(g.geom, $2::geometry)
from (select c as code, code_scope(c) as scope from unnest($1::text[]) c offset 0) v join grids g on g.scope <@ v.scope
where g.valid_to is null and g.code is not null
order by v.code, g.code

-- name: households
-- Those that have to move, by where the list has them.
select v.code, h.id::text, h.admin_code, coalesce(h.persons, 0), coalesce(h.elderly, 0) + coalesce(h.disabled, 0)
from (select c as code, code_scope(c) as scope from unnest($1::text[]) c offset 0) v join restricted.household h on h.scope <@ v.scope
where h.must_move
order by v.code, coalesce(h.disabled, 0) desc, coalesce(h.elderly, 0) desc, coalesce(h.children, 0) desc, h.id

-- name: people
-- Who answers for the villages, and for the grids where somebody is written down.
select coalesce(r.admin_code, ''), coalesce(r.feature::text, ''), r.kind, coalesce(r.person, ''), coalesce(r.post, ''), coalesce(r.deputy, ''), coalesce(r.deputy_post, ''), coalesce(c.id::text, '')
from responsibility r left join restricted.contact c on c.responsibility = r.id
where (r.layer is null and r.admin_code = any ($1::text[]) and r.kind in ('administrative', 'patrol') or r.layer = 'grids' and r.feature = any ($2::uuid[]))
  and (r.valid_from is null or r.valid_from <= $3::date) and (r.valid_to is null or r.valid_to >= $3::date)
order by r.id

-- name: numbers
select n.id::text, coalesce(n.phone, ''), coalesce(n.deputy_phone, ''), coalesce(n.head, '') from restricted.numbers($1::uuid[]) n

-- name: township
-- The duty desk nearest to a village that is manned now.
select d.unit || coalesce(' ' || nullif(d.post, ''), ''), d.person, coalesce(c.id::text, '')
from duty_roster d left join restricted.contact c on c.duty = d.id
where d.role = 'officer' and d.starts_at <= $2 and d.ends_at > $2 and d.scope @> code_scope($1)
order by upper(d.scope) - lower(d.scope), c.id is null, d.starts_at, d.id limit 1

-- name: insert_callout
insert into callouts (id, kind, title, reason, alert, incident, areas, level, exercise, decision, consulted, started_at, geom, scope, scopes, account, actor, name)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13::geometry, code_scope($14), (select range_agg(code_scope(c)) from unnest($15::text[]) c), $16, $17, $18)

-- name: insert_village
insert into callout_villages (callout, code, name, place, level, threatened, elderly, households, to_move, to_move_source, whole)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)

-- name: insert_target
insert into call_targets (id, callout, village, village_name, phase, role, place, level, name, post, contact, phone_masked, grid, household, persons, elderly,
  deputy_name, deputy_post, deputy_contact, deputy_masked, escalation, parent, root, opened_at, due_at, scope, account, actor, name_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, code_scope($3), $26, $27, $28)

-- name: callouts
-- $1 are the areas of the asker's desk.
select c.id::text, c.kind, c.title, c.reason, coalesce(c.alert::text, ''), coalesce(c.incident::text, ''), c.areas, c.level, c.exercise, c.state, coalesce(c.decision::text, ''), coalesce(c.consulted, ''),
  coalesce((select d.state from decision.decision d where d.id = c.decision), ''), c.started_at, c.ended_at, coalesce(c.ended_by, ''), coalesce(c.end_reason, ''), coalesce(c.end_note, ''),
  c.geom, c.scope, coalesce(c.account::text, ''), c.actor, c.name,
  (select count(*) from callout_villages v where v.callout = c.id and v.scopes && $1::int8multirange), t.roots, t.reached, t.clear, c.version, c.updated_at
from callouts c cross join lateral (
  select count(*) filter (where x.phase = 'call' and x.escalation = 0) roots, count(*) filter (where x.phase = 'all_clear') clear,
    count(*) filter (where x.phase = 'call' and x.escalation = 0 and (x.state in ('answered', 'repeated')
      or exists (select from call_targets y where y.root = x.id and y.escalation = 1 and y.state in ('answered', 'repeated')))) reached
  from call_targets x where x.callout = c.id and x.scopes && $1::int8multirange) t
where c.scopes && $1::int8multirange and ($2::uuid[] is null or c.id = any ($2))
  and ($3::uuid is null or c.alert = $3 or c.alert in (select x.id from alerts x join alerts y on coalesce(x.chain, x.id) = coalesce(y.chain, y.id) where y.id = $3)) and ($4::uuid is null or c.incident = $4)
  and (not $5::boolean or c.state = 'active') and ($6::boolean is null or c.exercise = $6)
order by c.started_at desc, c.id desc limit $7

-- name: lock_callout
select state from callouts where id = $1 for update

-- name: end_callout
update callouts set state = 'ended', ended_at = $2, ended_by = $3, end_reason = $4, end_note = $5 where id = $1 and state = 'active'

-- name: told
-- Whom a call-out was told to, or tried to be: the same people hear that it is over.
insert into call_targets (callout, village, village_name, phase, role, place, level, name, post, contact, phone_masked, grid, household, persons, elderly,
  escalation, parent, root, opened_at, due_at, scope, account, actor, name_by)
select t.callout, t.village, t.village_name, 'all_clear', t.role, t.place, t.level, t.name, t.post, t.contact, t.phone_masked, t.grid, t.household, t.persons, t.elderly,
  0, null, t.id, $2, $3, t.scope, $4, $5, $6
from call_targets t where t.callout = $1 and t.phase = 'call' and t.calls > 0 and t.escalation < 2

-- name: cancelled
-- Call-outs of warnings that were cancelled meanwhile: what was updated since is told by the
-- last of its chain.
select c.id::text from callouts c join alerts a on a.id = c.alert
where c.state = 'active' and (a.state = 'cancelled'
  or a.state = 'updated' and exists (select from alerts x where x.chain = coalesce(a.chain, a.id) and x.state = 'cancelled')
     and not exists (select from alerts x where x.chain = coalesce(a.chain, a.id) and x.state = 'active'))
