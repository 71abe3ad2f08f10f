What came from the field and was sent there. A row somebody else changed is left as it is.

-- name: field_report
insert into incident_reports as t (id, dataset, kind, urgency, state, grid, description, trapped, affected, houses, geom, scope, home, captured_at, received_at, name,
  seen_at, seen_by, taken_at, taken_by, ended_at, ended_by, note)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::geometry, code_scope($6), code_scope($6), $12::timestamptz, $12::timestamptz, $13,
  case when $5 <> 'received' then $12::timestamptz + interval '50 s' end, case when $5 <> 'received' then $14 end,
  case when $5 in ('taken', 'closed') then $12::timestamptz + interval '70 s' end, case when $5 in ('taken', 'closed') then $14 end,
  case when $5 = 'closed' then $12::timestamptz + interval '80 min' end, case when $5 = 'closed' then $14 end, case when $5 = 'closed' then '已处置' end)
on conflict (id) do update set captured_at = excluded.captured_at, received_at = excluded.received_at
where t.dataset = $2 and t.state = 'received' and t.updated_by = feed_actor() and t.captured_at is distinct from excluded.captured_at

-- name: field_task
insert into tasks as t (id, dataset, title, kind, object_kind, object, state, due_at, note, result, reason, place, geom, grid, scope, assignee, assignee_actor, assignee_name, accepted_at, done_at, handed_back_at, name, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8::timestamptz, $9, nullif($10, ''), nullif($11, ''), $12, $13::geometry, $14, code_scope($14),
  case when $7 <> 'sent' then $1::uuid end, case when $7 <> 'sent' then 'demo' end, case when $7 <> 'sent' then $15 end,
  case when $7 <> 'sent' then $17::timestamptz + interval '20 min' end, case when $7 = 'done' then $17::timestamptz + interval '3 h' end, case when $7 = 'handed_back' then $17::timestamptz + interval '1 h' end,
  $16, $17::timestamptz)
on conflict (id) do update set due_at = excluded.due_at where t.dataset = $2 and t.updated_by = feed_actor() and t.due_at is distinct from excluded.due_at

-- name: field_notice
insert into notices (id, dataset, kind, title, body, level, hazard, areas, scopes, issued_at, expires_at, name)
select $1, $2, $3, $4, $5, nullif($6, 0), nullif($7, ''), $8::text[], (select range_agg(code_scope(c)) from unnest($8::text[]) c), $9, $10, $11
on conflict (id) do nothing

-- name: field_route
insert into evacuation_routes (id, dataset, title, area, shelter, shelter_name, assembly, persons, note, approved_by, approved_at, valid_from, geom)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, '县防汛抗旱指挥部', $10::timestamptz::date, $10::timestamptz::date, $11::geometry)
on conflict (id) do nothing

-- name: field_patrols
insert into patrols (id, dataset, kind, result, grid, geom, scope, captured_at, received_at, device, name)
select p.id, $1, p.kind, p.result, p.grid, st_setsrid(st_makepoint(p.x, p.y), 4490), code_scope(p.grid), p.at, p.at, 'demo', p.name
from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::float8[], $7::float8[], $8::timestamptz[], $9::text[]) p(id, kind, result, grid, x, y, at, name)
on conflict (id) do nothing

-- name: field_check
insert into shelter_checks (id, dataset, shelter, checked_at, result, sign, water, power, access, problem, scope, captured_at, received_at, device, name)
values ($1, $2, $3, $4, case when $5 = '' then 'ok' else 'problem' end, true, $5 = '', true, $5 = '', nullif($5, ''), code_scope($6), $4, $4, 'demo', $7)
on conflict (id) do nothing

-- name: field_household
insert into restricted.household (dataset, source_key, admin_code, scope, head, phone, address, persons, elderly, children, disabled, must_move, move)
select $1, $2, $3, code_scope($3), $4, $5, $6, $7, $8, $9, $10, true, $11
where not exists (select from restricted.household h where h.dataset = $1 and h.source_key = $2)

-- name: remove_field_notice_acks
delete from notice_acks a where a.dataset = $1 or a.dataset is null and a.scope <@ code_scope('990100')

-- name: remove_field_notices
delete from notices n where n.dataset = $1 or n.dataset is null and n.scopes <@ int8multirange(code_scope('990100'))

-- name: remove_field_tasks
delete from tasks t where t.dataset = $1 or t.dataset is null and t.scopes <@ int8multirange(code_scope('990100'))

-- name: remove_field_reports
delete from incident_reports r where r.dataset = $1 or r.dataset is null and r.scopes <@ int8multirange(code_scope('990100'))

-- name: remove_field_patrols
delete from patrols p where p.id = any (array(select id from patrols where dataset = $1 or dataset is null and scope <@ code_scope('990100') limit 2000))

-- name: remove_field_checks
delete from shelter_checks c where c.dataset = $1 or c.dataset is null and c.scope <@ code_scope('990100')

-- name: remove_field_routes
delete from evacuation_routes r where r.dataset = $1 or r.dataset is null and r.scope <@ code_scope('990100')

-- name: remove_field_households
delete from restricted.household h where h.dataset = $1
