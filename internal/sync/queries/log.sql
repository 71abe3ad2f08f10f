The log of operations, and how far each device is.

-- name: turn
-- One operation of a device at a time, whichever request brings it.
select pg_advisory_xact_lock(hashtextextended('sync ' || $1::text || ' ' || $2::text, 0))

-- name: known
-- One's own operation as it stands; another's is not seen here, and the insert will say so.
select hash, status, answer, coalesce(version, 0), coalesce(object::text, ''), kind from sync_op where op_id = $1 and account = $2

-- name: known_all
select op_id::text, hash, status, answer, coalesce(version, 0), coalesce(object::text, ''), kind from sync_op where op_id = any ($1::uuid[]) and account = $2 and status <> 'waiting'

-- name: begun
select sync_begun($1, $2, $3)

-- name: place
-- The smallest unit around the shape.
select sync_place($1::geometry)

-- name: follows
-- Whether an earlier operation of his on the record waits for a person.
select exists (select from sync_op where object = $1 and account = $2 and kind = $3 and status = 'quarantined' and op_id <> $4)

-- name: was_deleted
select sync_was_deleted($1, $2)

-- name: held
select coalesce(sync_held($1, $2, $3, $4), case when $5 then sync_held($1, $2, $3, null) end)

-- name: add_op
insert into sync_op (op_id, hash, account, name, device, device_seq, kind, object, op, body, status, first, answer, marks, scope, grant_id, version, captured_at, received_at, wait_until, settled_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12, $13, $14, $15, $16, $17, $18, $19, case when $11 = 'waiting' then null else clock_timestamp() end)

-- name: settle_op
-- What waited has its turn.
update sync_op set status = $2, answer = $3, marks = $4, scope = $5, grant_id = $6, version = $7, wait_until = null, settled_at = clock_timestamp() where op_id = $1 and status = 'waiting'

-- name: advance
select applied, coalesce(ready::text, '') from sync_advance($1, $2, $3)

-- name: add_case
insert into sync_case (op_id, sort, scope, code, reason, fields, geometry, due_at)
values ($1, $2, $3, $4, $5, $6, $7, case when sync_township_desk($3, $8) then $9 else now() end)

-- name: position
select pg_current_xact_id()::text || '.' || coalesce((select max(seq) from change_log where xid = pg_current_xact_id()), 0)::text

-- name: tell
select sync_tell($1, $2, $3, $4, $5, $6)

-- name: tell_object
select sync_tell_object($1, $2, $3, $4, $5, $6)

-- name: waiting_op
select op_id::text, account::text, device, body, received_at from sync_op where op_id = $1 and status = 'waiting'

-- name: overdue
-- For each device the first of what waited too long, or has its turn because whoever was
-- to go on with it did not live to.
select distinct on (o.account, o.device) o.op_id::text, o.account::text, o.device, o.device_seq > coalesce(d.applied, 0) + 1
from sync_op o left join sync_device d on d.account = o.account and d.device = o.device
where o.status = 'waiting' and (o.wait_until <= $1 or o.device_seq <= d.applied + 1)
order by o.account, o.device, o.device_seq limit 100

-- name: person
select a.username, a.name, coalesce(a.unit, ''), g.id::text, g.role, g.area, g.valid_from, g.valid_to
from auth.account a left join auth.role_grant g on g.account = a.id and g.revoked_at is null and g.valid_from <= now() and (g.valid_to is null or g.valid_to > now())
and a.state = 'active'
where a.id = $1
