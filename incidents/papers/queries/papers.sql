Papers.

-- name: position
select pg_current_xact_id()::text || '.' || coalesce((select max(seq) from change_log where xid = pg_current_xact_id()), 0)::text

-- name: horizon
-- Whatever committed before this is in what is read from here on.
select pg_snapshot_xmin(pg_current_snapshot())::text || '.0'

-- name: papers
-- $1 are the areas the asker reads what is sensitive in; $2 some papers, or null; $3 kind,
-- $4 state, $5 incident, $6 response, $7 an area, $8 whether exercises, $9 and $10 after which.
select p.id::text, p.kind, coalesce(p.number, ''), p.title, p.area, coalesce(p.incident::text, ''), coalesce(p.response::text, ''), p.addressee, p.period_from, p.period_to, p.exercise, p.state,
  p.blocks, p.figures, p.estimates, p.frozen_at, coalesce(p.sha256, ''), p.reviewed_at, p.reported_at, p.signed_at, coalesce(p.reviewed_by, ''), coalesce(p.reported_by, ''), coalesce(p.signed_by, ''),
  coalesce(p.reported_account::text, ''), coalesce(p.consulted, ''), p.consulted_on_duty, p.sign_due_at, p.late, coalesce(p.note, ''), coalesce(p.account::text, ''), p.actor, p.name, p.editors, p.version, p.created_at, p.updated_at, p.updated_by
from papers p
where p.scope && $1::int8multirange and ($2::uuid[] is null or p.id = any ($2))
  and ($3 = '' or p.kind = $3) and ($4 = '' or p.state = $4) and ($5::uuid is null or p.incident = $5) and ($6::uuid is null or p.response = $6)
  and ($7::int8range is null or p.scope && $7) and ($8::boolean is null or p.exercise = $8)
  and ($9::timestamptz is null or (p.created_at, p.id) < ($9, $10::uuid))
order by p.created_at desc, p.id desc limit $11

-- name: unsigned
select count(*)::integer, (count(*) filter (where p.sign_due_at < $2))::integer from papers p where p.scope && $1::int8multirange and p.state = 'reported' and not p.exercise

-- name: lock
select 1 from papers where id = $1 for update

-- name: insert
-- An id of its maker's, so that the same sent twice is one paper.
insert into papers (id, kind, title, area, incident, response, addressee, period_from, period_to, exercise, blocks, account, name)
values (coalesce($1::uuid, uuid_v7()), $2, $3, $4, $5::uuid, $6::uuid, $7, $8, $9, $10, $11, $12, $13)
on conflict (id) do nothing returning id::text

-- name: patch
-- A new wording is reviewed anew.
update papers set title = $3, addressee = $4, blocks = $5, state = 'draft', reviewed_at = null, reviewed_by = null, reviewed_account = null
where id = $1 and version = $2 and state in ('draft', 'reviewed')

-- name: estimate
-- Other figures are reviewed anew.
update papers set blocks = $3, estimates = $4, state = 'draft', reviewed_at = null, reviewed_by = null, reviewed_account = null
where id = $1 and version = $2 and state in ('draft', 'reviewed')

-- name: review
update papers set state = 'reviewed', reviewed_at = $3, reviewed_by = $4, reviewed_account = $5, note = nullif($6, '') where id = $1 and version = $2 and state = 'draft'

-- name: return
update papers set state = 'draft', reviewed_at = null, reviewed_by = null, reviewed_account = null, note = $3 where id = $1 and version = $2 and state in ('draft', 'reviewed')

-- name: number
select coalesce(p.number, paper_number(case when p.exercise then 'drill_' else '' end || p.kind, p.scope, $2)) from papers p where p.id = $1

-- name: report
update papers set state = 'reported', reported_at = $3, reported_by = $4, reported_account = $5, consulted = $6, consulted_on_duty = $7, sign_due_at = $8,
  number = $9, figures = $10, frozen_at = $3, sha256 = $11, note = nullif($12, '')
where id = $1 and version = $2 and state in ('draft', 'reviewed')

-- name: sign
update papers set state = 'signed', signed_at = $3, signed_by = $4, signed_account = $5, signed_actor = $6, number = $7, figures = $8, frozen_at = $3, sha256 = $9, note = nullif($10, '')
where id = $1 and version = $2 and state = 'reviewed'

-- name: sign_after
update papers set state = 'signed', signed_at = $3, signed_by = $4, signed_account = $5, signed_actor = $6, late = sign_due_at < $3, note = coalesce(nullif($7, ''), note)
where id = $1 and version = $2 and state = 'reported'
