Jobs. Row security keeps questions to the asker's own; the program's claims see all.

-- name: add
insert into job (id, kind, title_zh, title_en, object, account, name, node)
values ($1::uuid, $2, $3, $4, $5, $6::uuid, $7, $8::uuid)

-- name: get
-- The last column: its node has not been heard of for so long that it is over.
select id::text, kind, title_zh, title_en, object, state, done, total, what, result, error, actor, name, created_at, started_at, finished_at,
  finished_at is null and heartbeat < now() - make_interval(secs => $3::float8)
from job where id = $1::uuid and ($2::uuid is null or account = $2::uuid)

-- name: list
select id::text, kind, title_zh, title_en, object, state, done, total, what, null::jsonb, error, actor, name, created_at, started_at, finished_at,
  finished_at is null and heartbeat < now() - make_interval(secs => $6::float8)
from job
where ($1::uuid is null or account = $1::uuid)
  and ($2 = '' or state = $2) and ($3 = '' or kind = $3) and ($4 = '' or object = $4)
order by id desc limit $5

-- name: begin
update job set state = 'running', started_at = now(), heartbeat = now()
where id = $1::uuid and state = 'queued' and not cancel_asked

-- name: progress
update job set done = $2, total = $3, what = $4, heartbeat = now() where id = $1::uuid and finished_at is null

-- name: beat
update job set heartbeat = now() where node = $1::uuid and finished_at is null
returning id::text, cancel_asked

-- name: ask_cancel
update job set cancel_asked = true where id = $1::uuid and finished_at is null

-- name: end
update job set state = $2, result = $3, error = $4, finished_at = greatest(now(), created_at), done = case when $2 = 'done' and total > 0 then total else done end
where id = $1::uuid and finished_at is null

-- name: end_node
update job set state = 'failed', error = $2, finished_at = greatest(now(), created_at) where node = $1::uuid and finished_at is null

-- name: sweep
update job set state = 'failed', error = $2, finished_at = greatest(now(), created_at)
where finished_at is null and heartbeat < now() - make_interval(secs => $1::float8)
returning id::text

-- name: purge
delete from job where finished_at < now() - make_interval(days => $1::integer)
