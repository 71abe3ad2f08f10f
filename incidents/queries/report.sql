Reports of 险情 and 灾情.

-- name: position
select pg_current_xact_id()::text || '.' || coalesce((select max(seq) from change_log where xid = pg_current_xact_id()), 0)::text

-- name: horizon
-- Whatever committed before this is in what is read from here on.
select pg_snapshot_xmin(pg_current_snapshot())::text || '.0'

-- name: lock
select 1 from incident_reports where id = $1 for update

-- name: record
select r.id::text, r.version, r.state, to_jsonb(f), r.geom, r.scope, r.updated_by, r.updated_at
from incident_reports r cross join lateral (select r.kind, r.urgency, r.grid, r.description, r.trapped, r.deaths, r.missing, r.injured, r.affected, r.houses, r.loss_wan, r.place,
  r.seen_by, r.seen_at, r.taken_by, r.taken_at, r.ended_by, r.ended_at) f
where r.id = $1

-- name: records_own
select r.id::text, r.version, r.state, to_jsonb(f), r.geom, r.scope, r.updated_by, r.updated_at
from incident_reports r cross join lateral (select r.kind, r.urgency, r.grid, r.description, r.trapped, r.deaths, r.missing, r.injured, r.affected, r.houses, r.loss_wan, r.place,
  r.seen_by, r.seen_at, r.taken_by, r.taken_at, r.ended_by, r.ended_at) f
where r.actor = $1 and ($2::uuid[] is null or r.id = any ($2)) and ($3::uuid is null or r.id > $3)
  and ($2::uuid[] is not null or r.received_at > now() - interval '30 days')
order by r.id limit $4

-- name: own
select id::text from incident_reports where actor = $1 and id = any ($2::uuid[])

-- name: place
select place_scope($1::geometry)

-- name: insert
-- The keys of the fields are columns; what is not there stays null.
insert into incident_reports (id, kind, urgency, grid, description, trapped, deaths, missing, injured, affected, houses, loss_wan, place,
  geom, position, accuracy_m, doubts, scope, home, captured_at, received_at, device, photos, account, actor, name)
select $1, r.kind, r.urgency, r.grid, r.description, r.trapped, r.deaths, r.missing, r.injured, r.affected, r.houses, r.loss_wan, r.place,
  $3::geometry, $4::geometry, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15
from jsonb_populate_record(null::incident_reports, $2) r

-- name: update
-- The keys of the fields are columns; those not there keep what they have.
update incident_reports t set
  (kind, urgency, grid, description, trapped, deaths, missing, injured, affected, houses, loss_wan, place)
    = (select r.kind, r.urgency, r.grid, r.description, r.trapped, r.deaths, r.missing, r.injured, r.affected, r.houses, r.loss_wan, r.place from jsonb_populate_record(t, $2) r),
  geom = coalesce($3::geometry, t.geom), scope = coalesce($4::int8range, t.scope),
  photos = t.photos || array(select p from unnest($5::text[]) p where p <> all (t.photos))
where t.id = $1

-- name: reports
-- $1 are the areas the asker has a desk for; $2 one report, or null.
select r.id::text, r.kind, r.urgency, r.state, coalesce(r.grid, ''), coalesce(r.description, ''), r.trapped, r.deaths, r.missing, r.injured, r.affected, r.houses, r.loss_wan, coalesce(r.place, ''),
  r.geom, r.position, r.accuracy_m, r.doubts, r.scope, r.home, r.captured_at, r.received_at,
  r.photos || array(select p from unnest(field_photos('incident_reports', r.id)) p where p <> all (r.photos)), coalesce(r.account::text, ''), r.actor, r.name,
  r.seen_at, coalesce(r.seen_account::text, ''), coalesce(r.seen_by, ''), r.taken_at, coalesce(r.taken_account::text, ''), coalesce(r.taken_by, ''), r.ended_at, coalesce(r.ended_by, ''),
  coalesce(r.note, ''), r.version, r.updated_at
from incident_reports r
where r.scopes && $1::int8multirange
  and ($2::uuid[] is null or r.id = any ($2))
  and ($3 = '' or r.state = $3) and ($4 = '' or r.urgency = $4)
  and ($5::timestamptz is null or r.received_at >= $5)
  and ($6::int8range is null or r.scopes && int8multirange($6))
  and (not $7::boolean or r.urgency = 'urgent' and r.taken_at is null and r.ended_at is null)
  and ($8::timestamptz is null or (r.received_at, r.id) < ($8, $9::uuid))
order by r.received_at desc, r.id desc limit $10

-- name: readable
select exists (select from incident_reports r where r.id = $1 and (r.scopes && coalesce($2::int8multirange, '{}') or r.actor = $3))

-- name: alarms
select count(*) from incident_reports r
where r.scopes && $1::int8multirange and r.urgency = 'urgent' and r.taken_at is null and r.ended_at is null

-- name: see
update incident_reports set state = 'seen', seen_at = $2, seen_account = $3, seen_by = $4
where id = $1 and seen_at is null and state = 'received' and account is distinct from $3

-- name: take
update incident_reports set state = 'taken', taken_at = $2, taken_account = $3, taken_by = $4,
  seen_at = coalesce(seen_at, $2), seen_account = case when seen_at is null then $3 else seen_account end, seen_by = coalesce(seen_by, $4)
where id = $1 and taken_at is null and ended_at is null and ($5::bigint is null or version = $5)

-- name: end
update incident_reports set state = $5, ended_at = $2, ended_account = $3, ended_by = $4, note = nullif($6, ''),
  seen_at = coalesce(seen_at, $2), seen_account = case when seen_at is null then $3 else seen_account end, seen_by = coalesce(seen_by, $4)
where id = $1 and ended_at is null and version = $7
