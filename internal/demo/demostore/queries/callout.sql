The call-out of the demonstration: drawn up from the county's own registers.

-- name: field_callout
insert into callouts (id, dataset, kind, title, reason, areas, level, started_at, scope, scopes, actor, name)
select $1, $2, $3, $4, $5, $6, 2, $7, code_scope('990100'), (select range_agg(code_scope(c)) from unnest($6::text[]) c), 'demo', $8
where cardinality($6::text[]) > 0 and not exists (select from callouts c where c.id = $1)

-- name: field_callout_villages
insert into callout_villages (callout, dataset, code, name, place, level, threatened, elderly, households, to_move, to_move_source)
select $1, $2, v.code, a.name, v.n - 1, h.level, h.threatened, m.elderly, m.households, coalesce(m.persons, h.threatened), case when m.persons is not null then 'households' when h.threatened is not null then 'hazards' end
from unnest($3::text[]) with ordinality v(code, n) join admin a on a.code = v.code and a.valid_to is null
cross join lateral (select min(x.level) level, sum(x.threatened_persons)::integer threatened from hazards x where x.valid_to is null and x.scope <@ code_scope(v.code)) h
cross join lateral (select sum(x.persons)::integer persons, sum(x.elderly)::integer elderly, count(*)::integer households from restricted.household x where x.must_move and x.scope <@ code_scope(v.code)) m
on conflict do nothing

-- name: field_callout_targets
-- Of each nine the first six have answered, the seventh did not, the others wait.
with people as (
  select 0 part, v.code, v.n place, r.person name, r.post, c.id contact, r.deputy, r.deputy_post, null::text grid, null::uuid household, null::integer persons, null::integer elderly, 'village_head' role
  from unnest($3::text[]) with ordinality v(code, n) join responsibility r on r.admin_code = v.code and r.layer is null and r.kind = 'administrative' and r.dataset = $2 left join restricted.contact c on c.responsibility = r.id
  union all
  select 1, v.code, v.n, g.worker, coalesce(g.name, '网格员') || ' · 由' || r.post || r.person || '转接', c.id, r.deputy, r.deputy_post, g.code, null, null, null, 'grid_worker'
  from unnest($3::text[]) with ordinality v(code, n) join grids g on g.scope <@ code_scope(v.code) and g.valid_to is null and g.worker is not null and g.dataset = $2
  join responsibility r on r.admin_code = v.code and r.layer is null and r.kind = 'patrol' and r.dataset = $2 left join restricted.contact c on c.responsibility = r.id
  union all
  select 2, v.code, v.n, '', '包户', h.id, null, null, h.admin_code, h.id, h.persons, h.elderly, 'household_keeper'
  from unnest($3::text[]) with ordinality v(code, n) join restricted.household h on h.scope <@ code_scope(v.code) and h.must_move and h.dataset = $2
), list as materialized (
  select uuid_v7() id, p.*, row_number() over (order by p.part, p.place, p.grid, p.household) - 1 k from people p
)
insert into call_targets (id, dataset, callout, village, village_name, role, place, level, name, post, contact, phone_masked, grid, household, persons, elderly, deputy_name, deputy_post, deputy_contact, deputy_masked,
  root, state, opened_at, due_at, answered_at, passed_on_at, calls, scope, actor, name_by)
select l.id, $2, $1, l.code, a.name, l.role, l.k, w.level, coalesce(nullif(l.name, ''), n.head, ''), l.post, l.contact, n.phone, l.grid, l.household, l.persons, l.elderly, l.deputy, l.deputy_post,
  case when l.deputy is not null then l.contact end, n.deputy_phone, l.id, s.state, $4::timestamptz, now() + interval '6 hours',
  case when s.state in ('answered', 'repeated') then $4::timestamptz + l.k * interval '20 seconds' end, case when s.state = 'no_answer' then now() end, case when s.state = 'waiting' then 0 else 1 end, code_scope(l.code), 'demo', $5
from list l join admin a on a.code = l.code and a.valid_to is null join callout_villages w on w.callout = $1 and w.code = l.code
left join lateral restricted.numbers(array[l.contact]) n on true
cross join lateral (select case when l.k % 9 in (0, 1, 2, 4) then 'repeated' when l.k % 9 in (3, 5) then 'answered' when l.k % 9 = 6 then 'no_answer' else 'waiting' end state) s
where not exists (select from call_targets t where t.callout = $1)

-- name: field_callout_deputies
insert into call_targets (id, dataset, callout, village, village_name, role, place, level, name, post, contact, phone_masked, grid, escalation, parent, root, state, opened_at, due_at, scope, actor, name_by)
select uuid_v7(), t.dataset, t.callout, t.village, t.village_name, t.role, t.place, t.level, t.deputy_name, coalesce(t.deputy_post, ''), t.deputy_contact, t.deputy_masked, t.grid, 1, t.id, t.id, 'waiting', now(), now() + interval '6 hours', t.scope, 'demo', t.name_by
from call_targets t where t.callout = $1 and t.state = 'no_answer' and t.deputy_name is not null and t.escalation = 0
  and not exists (select from call_targets x where x.parent = t.id)

-- name: field_callout_calls
insert into calls (id, dataset, target, callout, village, outcome, channel, at, scope, actor, name)
select uuid_v7(), t.dataset, t.id, t.callout, t.village, t.state, case when t.place % 5 = 3 then 'radio' else 'phone' end, coalesce(t.answered_at, t.opened_at + interval '4 minutes'), t.scope, 'demo', t.name_by
from call_targets t where t.callout = $1 and t.state in ('answered', 'repeated', 'no_answer') and not exists (select from calls c where c.target = t.id)

-- name: field_callout_moved
-- What the villages have reported: most of them nearly done, one cut off, one with some who
-- will not go.
insert into evacuation_entries (id, dataset, callout, village, mode, moved, refused, returned, shelter, shelter_name, persons, road_cut, power_cut, network_cut, at, channel, note, scope, actor, name)
select uuid_v7(), $2, $1, v.code, 'total', x.moved, case when v.place = 2 then least(2, v.to_move - x.moved) end, case when v.place = 3 then least(1, x.moved) end, s.id, s.name, case when s.id is not null then x.moved end,
  case when v.place = 4 then true end, case when v.place = 4 then true end, case when v.place = 4 then true end, greatest($3::timestamptz + (10 + 4 * v.place) * interval '1 minute', now() - (3 + case when v.place = 4 then 45 else 3 * v.place end) * interval '1 minute'), case when v.place % 2 = 0 then 'app' else 'phone' end,
  case when v.place = 4 then '进村道路塌方，手机无信号，用卫星电话报' end, code_scope(v.code), 'demo', $4
from callout_villages v cross join lateral (select v.to_move * (array[100, 80, 60, 90, 30, 50, 20, 0])[v.place % 8 + 1] / 100 moved) x
left join lateral (select h.id, h.name from shelters h where h.valid_to is null and h.scope <@ code_scope(left(v.code, 9)) order by h.geom <-> (select a.geom from admin a where a.code = v.code and a.valid_to is null limit 1), h.id limit 1) s on true
where v.callout = $1 and v.to_move is not null and v.place % 8 < 7 and not exists (select from evacuation_entries e where e.callout = $1 and e.village = v.code)

-- name: remove_field_callouts
delete from callouts c where c.dataset = $1 or c.dataset is null and c.scope <@ code_scope('990100')
