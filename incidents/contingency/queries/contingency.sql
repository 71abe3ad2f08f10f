Contingency plans, clauses and tasks.

-- name: position
select pg_current_xact_id()::text || '.' || coalesce((select max(seq) from change_log where xid = pg_current_xact_id()), 0)::text

-- name: horizon
-- Whatever committed before this is in what is read from here on.
select pg_snapshot_xmin(pg_current_snapshot())::text || '.0'

-- name: plans
-- $1 are the areas the asker reads; $2 one plan, or null; $3 an area; $4 hazards, or null;
-- $5 a kind; $6 a part of the title or the unit; $7 a day before which review was due.
select c.id::text, c.title, c.kind, coalesce(c.hazard, ''), c.area, c.unit, coalesce(c.document_number, ''), coalesce(c.version_text, ''), c.issued_on, c.review_due, coalesce(c.lead, ''), c.state,
  (select count(*)::integer from contingency_clauses k where k.contingency = c.id and k.retired_at is null), c.version, c.updated_at, c.updated_by
from contingencies c
where c.scope && $1::int8multirange and ($2::uuid is null or c.id = $2)
  and ($3::int8range is null or c.scope && $3)
  and ($4::text[] is null or coalesce(c.hazard, 'multi') = any ($4)
       or exists (select from contingency_clauses k where k.contingency = c.id and k.retired_at is null and k.hazard = any ($4)))
  and ($5 = '' or c.kind = $5)
  and ($6 = '' or strpos(c.title, $6) > 0 or strpos(c.unit, $6) > 0)
  and ($7::date is null or c.state = 'valid' and c.review_due < $7)
order by array_position(array['overall', 'special', 'department', 'grassroots', 'enterprise'], c.kind), c.title, c.id
limit $8

-- name: clauses
select k.id::text, k.seq, coalesce(k.hazard, ''), coalesce(k.level, 0), k.action, k.unit, k.minutes, k.text
from contingency_clauses k where k.contingency = $1 and k.retired_at is null order by k.seq

-- name: match
-- What Ⅳ asks for, Ⅲ to Ⅰ ask for too. A plan of the area, of what is around it and of what
-- is inside it applies: the county's plan and those of the townships that are hit.
select k.id::text, k.seq, coalesce(k.hazard, c.hazard, ''), coalesce(k.level, 0), k.action, k.unit, k.minutes, k.text, c.id::text, c.title, c.kind, c.area
from contingencies c join contingency_clauses k on k.contingency = c.id
where c.scope && $1::int8multirange and c.state = 'valid' and k.retired_at is null
  and c.scope && $2::int8range and coalesce(k.hazard, c.hazard, 'multi') = any ($3) and (k.level is null or $4 <= k.level)
  and ($5::uuid[] is null or k.id = any ($5))
order by k.minutes nulls last, array_position(array['overall', 'special', 'department', 'grassroots', 'enterprise'], c.kind), c.title, k.seq, k.id
limit 2000

-- name: lock_plan
select 1 from contingencies where id = $1 for update

-- name: plan_insert
insert into contingencies (id, title, kind, hazard, area, unit, document_number, version_text, issued_on, review_due, lead, state, account, name)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9::date, $10::date, $11, $12, $13, $14)

-- name: plan_update
update contingencies set title = $3, kind = $4, hazard = $5, area = $6, unit = $7, document_number = $8, version_text = $9, issued_on = $10::date, review_due = $11::date, lead = $12, state = $13
where id = $1 and version = $2

-- name: clause_retire
update contingency_clauses set retired_at = clock_timestamp() where id = any ($1)

-- name: clause_insert
insert into contingency_clauses (contingency, seq, hazard, level, action, unit, minutes, text) values ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: tasks
-- $1 are the areas the asker reads; $2 some tasks, or null; $3 a response; $4 an incident;
-- $5 a state; $6 only late ones at $7; $8 whether exercises. What was closed with its response
-- waits for nobody: it is in no state but its own, and late no more than it was then.
select t.id::text, coalesce(t.response::text, ''), coalesce(t.incident::text, ''), coalesce(t.clause::text, ''), t.contingency, t.seq, coalesce(t.level, 0), t.action, t.unit, t.text, t.area, t.minutes, t.exercise,
  t.state, t.sent_at, t.due_at, t.acknowledged_at, t.done_at, t.refused_at, coalesce(t.acknowledged_by, ''), coalesce(t.done_by, ''), coalesce(t.note, ''), coalesce(t.logged_by, ''), t.closed_at, coalesce(t.closed_why, ''), t.version, t.updated_at
from response_tasks t
where t.scope && $1::int8multirange and ($2::uuid[] is null or t.id = any ($2))
  and ($3::uuid is null or t.response = $3) and ($4::uuid is null or t.incident = $4) and ($5 = '' or case when $5 = 'closed' then t.closed_at is not null else t.state = $5 and t.closed_at is null end)
  and (not $6::boolean or t.state <> 'refused' and t.closed_at is null and coalesce(t.done_at, $7::timestamptz) > t.due_at)
  and ($8::boolean is null or t.exercise = $8)
order by t.closed_at is not null, array_position(array['waiting', 'acknowledged', 'refused', 'done'], t.state), t.due_at nulls last, t.seq, t.id
limit $9

-- name: order_lock
-- Two who send for the same response come one after the other.
select pg_advisory_xact_lock(hashtextextended('response_tasks ' || $1, 0))

-- name: tasks_sent
select t.action, t.unit, t.area from response_tasks t where coalesce(t.response, t.incident) = $1::uuid

-- name: task_insert
-- A clause makes one task of a response.
insert into response_tasks (response, incident, clause, contingency, seq, action, unit, text, level, minutes, area, exercise, sent_at, due_at, account, name)
values ($1::uuid, $2::uuid, $3, $4, $5, $6, $7, $8, $9, $10::integer, $11, $12, $13::timestamptz, $13::timestamptz + make_interval(mins => $10::integer), $14, $15)
on conflict (coalesce(response, incident), clause) where clause is not null do nothing

-- name: lock_task
select 1 from response_tasks where id = $1 for update

-- name: acknowledge
update response_tasks set state = 'acknowledged', acknowledged_at = coalesce(acknowledged_at, $3), acknowledged_by = coalesce(acknowledged_by, $4), refused_at = null, note = coalesce(nullif($5, ''), note), logged_by = $6
where id = $1 and ($2::bigint is null or version = $2)

-- name: done
update response_tasks set state = 'done', closed_at = null, closed_why = null, acknowledged_at = coalesce(acknowledged_at, $3), acknowledged_by = coalesce(acknowledged_by, $4), done_at = $3, done_by = $4, note = coalesce(nullif($5, ''), note), logged_by = $6
where id = $1 and ($2::bigint is null or version = $2)

-- name: refuse
update response_tasks set state = 'refused', refused_at = $3, note = $5, logged_by = $6
where id = $1 and ($2::bigint is null or version = $2) and $4::text is not null
