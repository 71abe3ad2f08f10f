The desks.

-- name: cases
-- $3: areas of his desks; $4: those of a township's desk, which are first.
select c.id::text, c.op_id::text, c.sort, c.scope, c.code, c.reason, c.fields, c.geometry, c.created_at, c.due_at, c.state, coalesce(c.outcome, ''), c.choices, coalesce(c.note, ''),
  c.decided_at, coalesce(c.decided_by, ''), coalesce(c.decided_name, ''),
  o.kind, coalesce(o.object::text, ''), o.actor, o.name, o.device, o.captured_at, o.received_at, o.body, o.account::text, o.status, o.marks
from sync_case c join sync_op o using (op_id)
where c.sort = $1 and c.state = $2 and c.scope <@ $3::int8multirange and (c.state = 'done' or c.due_at <= $5 or c.scope <@ $4::int8multirange)
  and ($6::int8multirange is null or c.scope && $6)
  and ($7::timestamptz is null or case when $2 = 'done' then (c.decided_at, c.id) < ($7, $8::uuid) else (c.created_at, c.id) > ($7, $8::uuid) end)
order by case when $2 = 'done' then c.decided_at end desc, case when $2 = 'done' then c.id end desc, c.created_at, c.id
limit $9

-- name: case
select c.id::text, c.op_id::text, c.sort, c.scope, c.code, c.reason, c.fields, c.geometry, c.created_at, c.due_at, c.state, coalesce(c.outcome, ''), c.choices, coalesce(c.note, ''),
  c.decided_at, coalesce(c.decided_by, ''), coalesce(c.decided_name, ''),
  o.kind, coalesce(o.object::text, ''), o.actor, o.name, o.device, o.captured_at, o.received_at, o.body, o.account::text, o.status, o.marks
from sync_case c join sync_op o using (op_id)
where c.sort = $1 and c.id = $2 and c.scope <@ $3::int8multirange

-- name: case_news
select id::text, sort, state, coalesce(outcome, ''), scope, due_at from sync_case where id = any ($1::uuid[]) and scope <@ $2::int8multirange

-- name: lock_case
-- One decides at a time.
select state from sync_case where id = $1 for update

-- name: decide
update sync_case set state = 'done', outcome = $2, choices = $3, note = $4, decided_at = clock_timestamp(), decided_by = feed_actor(), decided_name = $5 where id = $1 and state = 'open'

-- name: op_became
update sync_op set status = $2, version = coalesce($3, version) where op_id = $1

-- name: wrote
-- What whoever wrote a record is called, where he did it from a device.
select name from sync_op where object = $1 and actor = $2 and name <> '' order by received_at desc limit 1
