Responses and the duty desk.

-- name: position
select pg_current_xact_id()::text || '.' || coalesce((select max(seq) from change_log where xid = pg_current_xact_id()), 0)::text

-- name: horizon
-- Whatever committed before this is in what is read from here on.
select pg_snapshot_xmin(pg_current_snapshot())::text || '.0'

-- name: responses
-- $1 are the areas the asker reads; $2 some responses, or null; $3 whether they are active,
-- or null; $4 an area; $5 whether exercises; $6 an incident; $7 now.
select r.id::text, r.title, r.kind, r.level, r.state, r.area, coalesce(r.incident::text, ''), coalesce(r.alert::text, ''), coalesce(r.contingency::text, ''),
  r.condition, r.lead, coalesce(r.signed_by, ''), coalesce(r.document_number, ''), r.started_at, r.adjusted_at, r.ended_at, r.exercise,
  coalesce((select jsonb_agg(jsonb_build_object('act', a.act, 'at', a.at, 'recorded_at', a.recorded_at, 'level', a.level, 'from_level', a.from_level, 'condition', a.condition,
    'signed_by', a.signed_by, 'document_number', coalesce(a.document_number, ''), 'note', a.note, 'by', a.name) order by a.id) from response_act a where a.response = r.id), '[]'),
  t.total, t.acknowledged, t.done, t.late,
  (select max(coalesce(p.reported_at, p.signed_at)) from papers p where p.response = r.id and p.frozen_at is not null),
  coalesce(r.account::text, ''), r.name, r.version, r.updated_at, r.updated_by
from response r
cross join lateral (select count(*)::integer total, (count(*) filter (where k.acknowledged_at is not null))::integer acknowledged, (count(*) filter (where k.state = 'done'))::integer done,
  (count(*) filter (where k.state <> 'refused' and coalesce(k.done_at, k.closed_at, $7) > k.due_at))::integer late from response_tasks k where k.response = r.id) t
where r.scope && $1::int8multirange
  and ($2::uuid[] is null or r.id = any ($2))
  and ($3::boolean is null or (r.state = 'active') = $3)
  and ($4::int8range is null or r.scope && $4)
  and ($5::boolean is null or r.exercise = $5)
  and ($6::uuid is null or r.incident = $6)
order by r.state = 'active' desc, case when r.state = 'active' then r.level end, coalesce(r.started_at, r.created_at) desc, r.id
limit $8

-- name: lock
select 1 from response where id = $1 for update

-- name: exists
select exists (select from response where id = $1)

-- name: insert
insert into response (id, title, kind, level, area, incident, alert, contingency, condition, lead, exercise, account, name)
values ($1, $2, $3, $4, $5, $6::uuid, $7::uuid, $8::uuid, $9, $10, $11, $12, $13)

-- name: update
update response set title = $3, kind = $4, level = $5, area = $6, incident = $7::uuid, alert = $8::uuid, contingency = $9::uuid, condition = $10, lead = $11, exercise = $12
where id = $1 and version = $2 and state = 'drafted'

-- name: start
update response set state = 'active', level = $3, started_at = $4, signed_by = $5, document_number = nullif($6, ''), condition = case when $7 = '' then condition else $7 end
where id = $1 and version = $2 and state = 'drafted'

-- name: adjust
update response set level = $3, adjusted_at = $4, signed_by = $5, document_number = coalesce(nullif($6, ''), document_number), condition = case when $7 = '' then condition else $7 end
where id = $1 and version = $2 and state = 'active'

-- name: end
update response set state = 'ended', ended_at = $4, level = $3, signed_by = $5, document_number = coalesce(nullif($6, ''), document_number), condition = case when $7 = '' then condition else $7 end
where id = $1 and version = $2 and state = 'active'

-- name: act
insert into response_act (response, act, at, level, from_level, condition, signed_by, document_number, note, account, name)
values ($1, $2, $3, $4, $5, $6, $7, nullif($8, ''), $9, $10, $11)

-- name: roster
-- Shifts that touch a time, of the areas the asker reads.
select d.id::text, d.admin_code, d.role, d.unit, coalesce(d.post, ''), d.person, d.starts_at, d.ends_at, d.dataset is null
from duty_roster d
where d.scope && $1::int8multirange and d.starts_at < $3 and d.ends_at > $2
  and ($4::int8range is null or d.scope @> $4 or d.scope <@ $4)
order by upper(d.scope) - lower(d.scope) desc, d.admin_code, d.starts_at, case d.role when 'leader' then 0 when 'officer' then 1 else 2 end, d.person, d.id
limit 2000

-- name: roster_clear
-- What came with a data set goes with its data set.
delete from duty_roster where admin_code = $1 and dataset is null and starts_at >= $2 and starts_at < $3

-- name: roster_add
insert into duty_roster (admin_code, scope, role, unit, post, person, starts_at, ends_at) values ($1, code_scope($1), $2, $3, nullif($4, ''), $5, $6, $7)

-- name: sittings
-- Those that touch a time; $4: only those that go on.
select s.id::text, s.area, s.since, s.until, coalesce(s.relieved_by, ''), s.account::text, s.name
from duty_sitting s
where s.scope && $1::int8multirange and s.since < $3 and coalesce(s.until, 'infinity') > $2 and (not $4::boolean or s.until is null)
order by upper(s.scope) - lower(s.scope) desc, s.area, s.since desc, s.id
limit 500

-- name: sit_lock
-- Two who sit down at once come one after the other.
select pg_advisory_xact_lock(hashtextextended('duty_sitting ' || $1, 0))

-- name: stand
update duty_sitting set until = greatest($2, since), relieved_by = nullif($3, '') where area = $1 and until is null

-- name: sit
insert into duty_sitting (area, since, account, name) values ($1, $2, $3, $4)
