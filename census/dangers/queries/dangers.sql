Hidden dangers: reading and writing rows.

-- name: danger_position
select pg_current_xact_id()::text || '.' || coalesce((select max(seq) from change_log where xid = pg_current_xact_id()), 0)::text

-- name: dangers
-- Drafts are their author's only; those without one came with a data set.
select d.id::text, d.version, coalesce(d.code, ''), coalesce(d.name, ''), coalesce(d.kind, ''), coalesce(d.level, 0)::int, d.state, coalesce(d.source, ''), coalesce(d.description, ''),
  coalesce(d.grade_basis, ''), coalesce(d.interim_measure, ''), coalesce(d.responsible_unit, ''), coalesce(d.rectifier, ''), coalesce(d.first_reviewer, ''), coalesce(d.reviewer, ''),
  d.listed, d.listed_at, d.unlisted_at, d.found_at, d.due_at, d.first_due_at, d.rectified_at, d.closed_at, d.fixed_on_spot, d.second_review,
  coalesce(d.subject::text, ''), coalesce(d.subject_layer, ''), coalesce(d.reopens::text, ''),
  coalesce(d.plan_responsibility, ''), coalesce(d.plan_measures, ''), coalesce(d.plan_funds, ''), coalesce(d.plan_deadline, ''), coalesce(d.plan_contingency, ''),
  coalesce(d.admin_code, ''), d.scope, d.geom, coalesce(d.competent_dept, ''), d.created_at, d.recorded_at, d.recorded_by,
  danger_overdue(d.state, d.due_at, d.rectified_at, $14), case when $1 then danger_is_assigned(d.responsible_unit, d.scope) else false end, coalesce(s.demo, false),
  coalesce(d.reported_account::text, ''), coalesce(d.graded_account::text, ''), coalesce(d.plan_account::text, ''), coalesce(d.approved_account::text, ''),
  coalesce(d.rectifier_account::text, ''), coalesce(d.first_reviewer_account::text, ''), coalesce(d.reviewer_account::text, ''), coalesce(d.listed_account::text, '')
from danger_seen($1::boolean) d left join dataset s on s.id = d.dataset
where ($2::uuid is null or d.id = $2)
  and ($3::text[] is null or d.state = any ($3))
  and ($4::int = 0 or d.level = $4)
  and ($5::boolean is null or danger_overdue(d.state, d.due_at, d.rectified_at, $14) = $5)
  and ($6::text = '' or d.responsible_unit = $6)
  and ($7::int8range is null or d.scope && $7)
  and ($8::text = '' or d.kind = $8)
  and ($9::text = '' or d.name ilike $9 or d.code ilike $9 or d.description ilike $9 or d.responsible_unit ilike $9)
  and ($10::float8[] is null or st_intersects(d.geom, st_makeenvelope(($10::float8[])[1], ($10::float8[])[2], ($10::float8[])[3], ($10::float8[])[4], 4490)))
  and ($11::boolean is null or d.listed = $11)
  and ($12::uuid is null or d.reported_account = $12)
  and ($13::timestamptz is null or d.due_at < $13)
  and (d.state <> 'draft' or d.reported_account is null or d.reported_account = $15::uuid)
  and ($16::uuid is null or d.id < $16)
  and ($18::uuid[] is null or d.id = any ($18))
  and (not d.exercise or $2::uuid is not null or $18::uuid[] is not null) -- drills are in no list
order by d.id desc limit $17

-- name: danger_after
-- Of an area, by id: what a device is sent.
select d.id::text from danger_seen($1::boolean) d
where ($2::int8range is null or d.scope && $2) and d.id > $3::uuid and d.state <> 'draft'
  and (d.state not in ('closed', 'rejected') or d.recorded_at > now() - interval '30 days')
order by d.id limit $4

-- name: danger_lock
select d.state from dangers d where d.id = $1 for update

-- name: danger_place
-- The unit a new danger belongs to: as said, or the grid around the place, or what the
-- trigger will find.
select coalesce($1::text, danger_place($2::geometry), ''), coalesce(code_scope($1::text), code_scope(danger_place($2::geometry)), scope_at($2::geometry))

-- name: danger_subject
select x.layer from (select 'hazards' as layer from hazards h where h.id = $1::uuid union all select 'enterprises' from enterprises e where e.id = $1::uuid
  union all select 'shelters' from shelters h where h.id = $1::uuid union all select 'waterworks' from waterworks w where w.id = $1::uuid
  union all select 'key_places' from key_places k where k.id = $1::uuid union all select 'facilities' from facilities f where f.id = $1::uuid) x limit 1

-- name: danger_insert
insert into dangers (id, dataset, source_key, state, kind, name, description, source, interim_measure, found_at, fixed_on_spot, subject, subject_layer, admin_code, geom, reopens, reported_account, competent_dept)
values ($1, $2::uuid, $3, $4, $5, nullif($6, ''), nullif($7, ''), nullif($8, ''), nullif($9, ''), $10, $11, $12::uuid, nullif($13, ''), nullif($14, ''), $15, $16::uuid, $17::uuid, nullif($18, ''))

-- name: danger_write
-- The whole of what changes in a life: the triggers say what of it may.
update dangers set state = $2, name = nullif($3, ''), kind = nullif($4, ''), description = nullif($5, ''), source = nullif($6, ''), found_at = $7, fixed_on_spot = $8,
  subject = $9::uuid, subject_layer = nullif($10, ''), geom = $11, level = nullif($12::int, 0)::smallint, grade_basis = nullif($13, ''), interim_measure = nullif($14, ''), responsible_unit = nullif($15, ''),
  due_at = $16, first_due_at = $17, rectified_at = $18, closed_at = $19, rectifier = nullif($20, ''), first_reviewer = nullif($21, ''), reviewer = nullif($22, ''),
  listed = $23, listed_at = $24, unlisted_at = $25, second_review = $26,
  plan_responsibility = nullif($27, ''), plan_measures = nullif($28, ''), plan_funds = nullif($29, ''), plan_deadline = nullif($30, ''), plan_contingency = nullif($31, ''),
  graded_account = $32::uuid, plan_account = $33::uuid, approved_account = $34::uuid, rectifier_account = $35::uuid, first_reviewer_account = $36::uuid, reviewer_account = $37::uuid, listed_account = $38::uuid,
  code = nullif($39, '')
where id = $1

-- name: danger_delete
delete from dangers where id = $1

-- name: danger_new_number
select danger_number($1::int8range, $2::int)

-- name: danger_dataset
select d.dataset::text from dangers d join dataset s on s.id = d.dataset where d.id = $1 and s.demo

-- name: danger_rectifiers
select array(select x::text from unnest(danger_rectifiers($1::uuid)) x)

-- name: action_add
insert into danger_action (danger, action, from_state, to_state, note, evidence, fields, account, name, captured_at)
values ($1, $2, nullif($3, ''), $4, $5, $6, $7, $8::uuid, nullif($9, ''), $10)

-- name: actions
select seq, action, coalesce(from_state, ''), to_state, note, evidence, fields, coalesce(account::text, ''), actor, coalesce(name, ''), role, captured_at, at
from danger_action where danger = $1 order by seq

-- name: action_created
-- What the record was made from, for whoever sends the same again.
select coalesce(fields ->> 'body', '') from danger_action where danger = $1 and action in ('created', 'reported') order by seq limit 1

-- name: extension_add
insert into danger_extension (id, danger, old_due_at, new_due_at, reason, asked_account, asked_name) values ($1, $2, $3, $4, $5, $6::uuid, nullif($7, ''))

-- name: extensions
select id::text, old_due_at, new_due_at, reason, asked_by, coalesce(asked_name, ''), asked_at, coalesce(decision, ''), coalesce(note, ''), coalesce(decided_by, ''), coalesce(decided_name, ''), decided_at,
  coalesce(asked_account::text, ''), coalesce(decided_account::text, '')
from danger_extension where danger = $1 and ($2::uuid is null or id = $2) order by asked_at, id

-- name: extension_decide
update danger_extension set decision = $2, note = nullif($3, ''), decided_account = $4::uuid, decided_by = $5, decided_name = nullif($6, ''), decided_at = $7 where id = $1 and decision is null

-- name: linked
-- Records before and after, as far as they are seen.
select d.id::text, coalesce(d.code, ''), coalesce(d.name, ''), d.state, d.created_at from danger_seen($1::boolean) d
where case when $2 then d.id = $3::uuid else d.reopens = $3::uuid end order by d.id

-- name: danger_former
-- Which of these the asker could see once, as history has them: a draft of another never.
select distinct h.id::text from dangers_history h where h.id = any ($1::uuid[])
