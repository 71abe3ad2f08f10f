What devices write and are sent.

-- name: position
select pg_current_xact_id()::text || '.' || coalesce((select max(seq) from change_log where xid = pg_current_xact_id()), 0)::text

-- name: horizon
-- Whatever committed before this is in what is read from here on.
select pg_snapshot_xmin(pg_current_snapshot())::text || '.0'

-- name: scope_at
select sync_place($1::geometry)

-- name: place
select place_scope($1::geometry)

-- name: hazards_lock
select 1 from hazards where id = $1 for update

-- name: hazards_get
select h.id::text, h.version, '', to_jsonb(f), h.geom, h.scope, h.recorded_by, h.recorded_at
from hazards h cross join lateral (select h.name, h.hazard, h.level, h.scale, h.threatened_persons, h.threatened_households, h.measure, h.address, h.description) f
where h.id = $1

-- name: hazards_list
select h.id::text, h.version, '', to_jsonb(f), h.geom, h.scope, h.recorded_by, h.recorded_at
from hazards h cross join lateral (select h.name, h.hazard, h.level, h.scale, h.threatened_persons, h.threatened_households, h.measure, h.address, h.description) f
where h.scope && $1::int8multirange and ($2::uuid[] is null or h.id = any ($2)) and ($3::int8range is null or h.scope && $3) and ($4::uuid is null or h.id > $4)
  and (h.valid_to is null or h.valid_to > now())
order by h.id limit $5

-- name: hazards_insert
insert into hazards (id, name, hazard, level, scale, threatened_persons, threatened_households, measure, address, description, state, found_at, field_verified_at, geom, admin_code)
select $1, r.name, r.hazard, r.level, r.scale, r.threatened_persons, r.threatened_households, r.measure, r.address, r.description, 'new', ($4::timestamptz at time zone $5)::date, $4, $3::geometry, field_grid($3::geometry)
from jsonb_populate_record(null::hazards, $2) r

-- name: hazards_update
update hazards t set
  (name, hazard, level, scale, threatened_persons, threatened_households, measure, address, description)
    = (select r.name, r.hazard, r.level, r.scale, r.threatened_persons, r.threatened_households, r.measure, r.address, r.description from jsonb_populate_record(t, $2) r),
  geom = coalesce($3::geometry, t.geom), field_verified_at = greatest(t.field_verified_at, $4),
  admin_code = case when $3::geometry is null then t.admin_code else field_grid($3::geometry) end
where t.id = $1

-- name: hazards_imported
select dataset is not null from hazards where id = $1

-- name: hazards_delete
delete from hazards where id = $1 and dataset is null

-- name: shelter
select s.scope from shelters s where s.id = $1

-- name: shelter_checks_lock
select 1 from shelter_checks where id = $1 for update

-- name: shelter_checks_get
select c.id::text, c.version, '', to_jsonb(f), c.geom, c.scope, c.updated_by, c.updated_at
from shelter_checks c cross join lateral (select c.shelter, c.checked_at, c.result, c.sign, c.water, c.power, c.access, c.note, c.problem) f
where c.id = $1

-- name: shelter_checks_insert
insert into shelter_checks (id, shelter, checked_at, result, sign, water, power, access, note, problem, geom, scope, captured_at, received_at, device, account, actor, name)
select $1, r.shelter, coalesce(r.checked_at, $5), r.result, r.sign, r.water, r.power, r.access, r.note, r.problem, $3::geometry, $4, $5, $6, $7, $8, $9, $10
from jsonb_populate_record(null::shelter_checks, $2) r

-- name: shelter_checks_update
update shelter_checks t set
  (checked_at, result, sign, water, power, access, note, problem)
    = (select coalesce(r.checked_at, t.checked_at), r.result, r.sign, r.water, r.power, r.access, r.note, r.problem from jsonb_populate_record(t, $2) r),
  geom = coalesce($3::geometry, t.geom)
where t.id = $1 and t.actor = $4

-- name: patrols_lock
select 1 from patrols where id = $1 for update

-- name: patrols_get
select p.id::text, p.version, '', to_jsonb(f), p.geom, p.scope, p.updated_by, p.updated_at
from patrols p cross join lateral (select p.kind, p.result, p.grid, p.started_at, p.ended_at, p.note) f
where p.id = $1

-- name: patrols_insert
insert into patrols (id, kind, result, grid, started_at, ended_at, note, geom, scope, captured_at, received_at, device, account, actor, name)
select $1, r.kind, r.result, r.grid, r.started_at, r.ended_at, r.note, $3::geometry, $4, $5, $6, $7, $8, $9, $10
from jsonb_populate_record(null::patrols, $2) r

-- name: patrols_update
update patrols t set
  (result, started_at, ended_at, note) = (select r.result, r.started_at, r.ended_at, r.note from jsonb_populate_record(t, $2) r),
  geom = coalesce($3::geometry, t.geom)
where t.id = $1 and t.actor = $4

-- name: acks_lock
select 1 from notice_acks where id = $1 for update

-- name: acks_get
select a.id::text, a.version, '', to_jsonb(f), a.geom::geometry, a.scope, a.updated_by, a.updated_at
from notice_acks a cross join lateral (select a.notice, a.read_at) f
where a.id = $1

-- name: acks_insert
insert into notice_acks (id, dataset, notice, read_at, geom, scope, received_at, device, account, actor, name)
select $1, n.dataset, n.id, coalesce(r.read_at, $5), $3::geometry, $4, $6, $7, $8, $9, $10
from jsonb_populate_record(null::notice_acks, $2) r join notices n on n.id = r.notice
