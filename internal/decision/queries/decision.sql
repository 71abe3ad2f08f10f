The ledger. Row-level security keeps it to the asker's area; the constraints and the
trigger of the table hold whatever is asked here.

-- name: add
insert into decision.decision (action, object, area, state, made_by, made_name, grant_id, role, text, reason, detail, consulted)
values ($1, $2, $3, $4, $5::uuid, $6, $7, $8, $9, $10, $11, $12)
returning id::text

-- name: get
select id::text, action, object, area, state, made_by::text, made_name, role, grant_id, made_at, text, reason, detail, consulted,
  coalesce(decided_by::text, ''), coalesce(decided_name, ''), coalesce(decided_role, ''), decided_at, coalesce(note, ''), version,
  state = 'pending_countersign' and made_at < now() - make_interval(hours => $2::integer)
from decision.decision where id = $1::uuid and scope && current_setting('app.read')::int8multirange

-- name: lock
select id from decision.decision where id = $1::uuid and scope && current_setting('app.read')::int8multirange for update

-- name: decide
update decision.decision set state = $2, decided_by = $3::uuid, decided_name = $4, decided_role = $5, note = nullif($6, '')
where id = $1::uuid

-- name: list
select id::text, action, object, area, state, made_by::text, made_name, role, grant_id, made_at, text, reason, detail, consulted,
  coalesce(decided_by::text, ''), coalesce(decided_name, ''), coalesce(decided_role, ''), decided_at, coalesce(note, ''), version,
  state = 'pending_countersign' and made_at < now() - make_interval(hours => $1::integer)
from decision.decision
where scope && current_setting('app.read')::int8multirange
  and ($2 = '' or state = $2) and ($3 = '' or action = $3)
  and (not $4::boolean or (state = 'pending_countersign' and made_at < now() - make_interval(hours => $1::integer)))
  and ($5::uuid is null or id < $5::uuid)
order by id desc limit $6

-- name: on_duty
select distinct person from duty_roster
where role = 'leader' and starts_at <= now() and ends_at > now() and scope && $1::int8range
order by person limit 20

-- name: hours
select coalesce((select greatest((value #>> '{}')::numeric::integer, 1) from setting where key = 'countersign_hours' and jsonb_typeof(value) = 'number'), 24)

-- name: layer
select visibility from layer where layer = $1 for no key update

-- name: layer_set_visibility
select layer_set_visibility($1, $2)
