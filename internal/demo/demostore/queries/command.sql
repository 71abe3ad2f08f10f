The command centre of the demo county.

-- name: command_plan
insert into contingencies (id, dataset, title, kind, hazard, area, unit, document_number, lead, issued_on, review_due, name)
values ($2, $1, $3, $4, nullif($5, ''), $6, $7, nullif($8, ''), nullif($9, ''), $10::date, $11::date, '县应急管理局') on conflict (id) do nothing

-- name: command_clause
insert into contingency_clauses (contingency, seq, level, minutes, action, unit, text)
select $1::uuid, $2::integer, nullif($3::integer, 0), nullif($4::integer, 0), $5::text, $6::text, $7::text where not exists (select from contingency_clauses k where k.contingency = $1 and k.seq = $2)

-- name: command_stale
-- Told again at a later hour: the storm is always of today.
with a as (delete from response_tasks t using response r where t.response = r.id and r.dataset = $1 and r.started_at < $2::timestamptz - interval '18 h'),
  b as (delete from papers where dataset = $1 and created_at < $2::timestamptz - interval '18 h')
delete from duty_sitting where dataset = $1 and since < $2::timestamptz - interval '18 h'

-- name: command_stale_response
delete from response where dataset = $1 and started_at < $2::timestamptz - interval '18 h'

-- name: command_response
-- The incident is the worst of the storm that is open.
insert into response (id, dataset, title, kind, level, area, incident, contingency, condition, lead, state, signed_by, document_number, started_at, adjusted_at, name)
values ($2, $1, $3, $4, 3, '990100', (select i.id from incidents i where i.dataset = $1 and i.state in ('verified', 'responding') and not coalesce(i.exercise, false) and i.kind in ('flood', 'landslide', 'waterlogging', 'debris_flow')
  order by i.level nulls last, i.occurred_at desc, i.id limit 1), $5, $6, $7, 'active', $8, '示汛〔2026〕2 号', $9, $10, $11)
on conflict (id) do nothing

-- name: command_acts
insert into response_act (response, act, at, recorded_at, level, from_level, condition, signed_by, document_number, name)
select r.id, v.act, v.at, v.at, v.level, v.was, case v.act when 'start' then r.condition else '雨强加大，多处积水' end, r.signed_by, v.number, r.name
from response r, lateral (values ('start', r.started_at, 4, null::smallint, '示汛〔2026〕1 号'), ('adjust', r.adjusted_at, 3, 4::smallint, '示汛〔2026〕2 号')) v(act, at, level, was, number)
where r.id = $1 and not exists (select from response_act a where a.response = r.id)

-- name: command_tasks
-- Every clause that applies, some answered in time, some late, some not yet.
insert into response_tasks (dataset, response, incident, clause, contingency, seq, action, unit, text, level, minutes, area, sent_at, due_at, state, acknowledged_at, acknowledged_by, done_at, done_by, logged_by, name)
select $2, r.id, r.incident, k.id, c.title, row_number() over w, k.action, k.unit, k.text, k.level, k.minutes, c.area, s.sent, s.sent + make_interval(mins => k.minutes),
  (array['done', 'acknowledged', 'done', 'waiting', 'acknowledged'])[1 + n.n],
  case when n.n <> 3 then s.sent + make_interval(mins => 3 + n.n * 4) end, case when n.n <> 3 then k.unit || '值班室' end,
  case when n.n in (0, 2) then s.sent + make_interval(mins => least(30, coalesce(k.minutes, 20) - 5 + n.n * 4)) end, case when n.n in (0, 2) then k.unit || '值班室' end, case when n.n <> 3 then r.name end, r.name
from response r join contingencies c on c.dataset = $2 and c.state = 'valid' and c.hazard = 'flood' and (c.area = '990100' or c.area = any ($3)) join contingency_clauses k on k.contingency = c.id and k.retired_at is null and (k.level is null or k.level >= r.level),
  lateral (select case when k.level = 3 then r.adjusted_at else r.started_at end as sent) s, lateral (select (k.seq * 2 + length(c.area)) % 5 as n) n
where r.id = $1
window w as (order by k.minutes nulls last, c.kind, c.title, k.seq)
on conflict (coalesce(response, incident), clause) where clause is not null do nothing

-- name: command_paper
-- Reported first, and still to be signed.
insert into papers (id, dataset, kind, number, title, area, incident, response, addressee, state, blocks, figures, frozen_at, sha256, reported_at, reported_by, consulted, consulted_on_duty, sign_due_at, name, created_at)
select $2, $1, 'flash', paper_number('flash', code_scope('990100'), extract(year from r.adjusted_at)::integer), '关于强降雨防范应对情况的快报', '990100', r.incident, r.id, '市应急管理局', 'reported', $3::jsonb, $4::jsonb, r.adjusted_at + interval '20 min', encode(sha256(convert_to($3::text || $4::text, 'UTF8')), 'hex'),
  r.adjusted_at + interval '20 min', r.name, r.signed_by, true, r.adjusted_at + interval '24 h', r.name, r.adjusted_at + interval '10 min'
from response r where r.id = $5 and not exists (select from papers p where p.id = $2) on conflict (id) do nothing

-- name: command_seat
insert into duty_sitting (dataset, area, since, account, name) values ($1, '990100', $2, $1, $3) on conflict (area) where until is null do nothing

-- name: remove_command_papers
delete from papers where dataset = $1

-- name: remove_command_tasks
delete from response_tasks where dataset = $1 or response in (select id from response where dataset = $1)

-- name: remove_command_response
delete from response where dataset = $1

-- name: remove_command_plans
delete from contingencies where dataset = $1

-- name: remove_command_seat
delete from duty_sitting where dataset = $1
