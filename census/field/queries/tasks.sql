Tasks: sent by the office, done by one.

-- name: tasks_lock
select 1 from tasks where id = $1 for update

-- name: tasks_get
select t.id::text, t.version, t.state, to_jsonb(f), t.geom, t.scope, t.updated_by, t.updated_at
from tasks t cross join lateral (select t.title, t.kind, t.object_kind, t.object, t.due_at, t.note, t.result, t.reason, t.place, t.grid, t.assignee_name, t.name as sent_by) f
where t.id = $1

-- name: tasks_own
-- His own, and those sent to a grid he works in that nobody has accepted.
select t.id::text, t.version, t.state, to_jsonb(f), t.geom, t.scope, t.updated_by, t.updated_at
from tasks t cross join lateral (select t.title, t.kind, t.object_kind, t.object, t.due_at, t.note, t.result, t.reason, t.place, t.grid, t.assignee_name, t.name as sent_by) f
where (t.assignee_actor = $1 or t.assignee is null and t.grid_scope && $2::int8multirange)
  and ($3::uuid[] is null or t.id = any ($3)) and ($4::uuid is null or t.id > $4)
  and ($3::uuid[] is not null or t.state in ('sent', 'accepted') or t.updated_at > now() - interval '30 days')
order by t.id limit $5

-- name: tasks_former
select t.id::text from tasks t
where t.id = any ($3::uuid[]) and (t.assignee_actor = $1 or $1 = any (t.former) or t.grid_scope && $2::int8multirange
  or exists (select from unnest(t.former) f where f like 'grid:%' and code_scope(substr(f, 6)) && $2::int8multirange))

-- name: tasks
-- $1 are the areas of the asker's desk, $2 and $3 what makes a task his own.
select t.id::text, t.title, t.kind, coalesce(t.object_kind, ''), coalesce(t.object::text, ''), t.state, t.due_at, coalesce(t.note, ''), coalesce(t.result, ''), coalesce(t.reason, ''),
  t.photos || array(select p from unnest(field_photos('tasks', t.id)) p where p <> all (t.photos)),
  coalesce(t.place, ''), t.geom, coalesce(t.grid, ''), t.scope, coalesce(t.grid_scope, t.scope), coalesce(t.assignee::text, ''), coalesce(t.assignee_name, ''), t.accepted_at, t.done_at, t.handed_back_at,
  coalesce(t.account::text, ''), t.name, t.version, t.created_at, t.updated_at
from tasks t
where (t.scopes && $1::int8multirange or t.assignee_actor = $2 or t.actor = $2 or t.assignee is null and t.grid_scope && $3::int8multirange)
  and ($4::uuid[] is null or t.id = any ($4))
  and ($5 = '' or t.state = $5) and ($6 = '' or t.kind = $6)
  and (not $7::boolean or t.assignee_actor = $2 or t.assignee is null and t.grid_scope && $3::int8multirange)
  and ($8::uuid is null or t.object = $8)
  and ($9::int8range is null or t.scopes && int8multirange($9))
  and (not $10::boolean or t.state in ('sent', 'accepted', 'handed_back') and t.due_at < $11)
  and ($12::uuid is null or t.id < $12)
order by t.id desc limit $13

-- name: task_object
-- What a task is about: where it lies, as far as the asker sees it.
select o.scope, case when o.geom is null then null else st_pointonsurface(o.geom) end, coalesce(o.name, '') from (
  select 'shelters' as kind, id, scope, geom, name from shelters where $1 = 'shelters' and id = $2
  union all select 'hazards', id, scope, geom, name from hazards where $1 = 'hazards' and id = $2
  union all select 'dangers', id, scope, geom, name from dangers where $1 = 'dangers' and id = $2
  union all select 'enterprises', id, scope, geom, name from enterprises where $1 = 'enterprises' and id = $2
  union all select 'key_places', id, scope, geom, name from key_places where $1 = 'key_places' and id = $2) o

-- name: task_insert
insert into tasks (id, title, kind, object_kind, object, due_at, note, place, geom, grid, scope, assignee, assignee_actor, assignee_name, account, actor, name)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9::geometry, $10, $11, $12, $13, $14, $15, $16, $17)

-- name: task_patch
update tasks set title = coalesce($3, title), note = coalesce($4, note), due_at = case when $5::boolean then $6::timestamptz else due_at end
where id = $1 and version = $2

-- name: task_reassign
update tasks set state = 'sent', assignee = $3, assignee_actor = $4, assignee_name = $5, grid = $6, accepted_at = null, handed_back_at = null, reason = null,
  former = array(select distinct f from unnest(former || array_remove(array[assignee_actor, 'grid:' || grid], null)) f)
where id = $1 and version = $2 and state in ('sent', 'accepted', 'handed_back')

-- name: task_result
update tasks set result = $2, photos = photos || array(select p from unnest($3::text[]) p where p <> all (photos)) where id = $1 and state in ('sent', 'accepted')

-- name: task_accept
update tasks set state = 'accepted', assignee = $2, assignee_actor = $3, assignee_name = $4, accepted_at = $5 where id = $1 and state = 'sent'

-- name: task_done
update tasks set state = 'done', done_at = $2, result = $3, photos = photos || array(select p from unnest($4::text[]) p where p <> all (photos))
where id = $1 and state = 'accepted'

-- name: task_hand_back
update tasks set state = 'handed_back', handed_back_at = $2, reason = $3 where id = $1 and state in ('sent', 'accepted')

-- name: task_withdraw
update tasks set state = 'withdrawn', reason = nullif($2, '') where id = $1 and state in ('sent', 'accepted', 'handed_back')

-- name: assignees
-- People who may be sent somewhere: their grants lie inside the asker's areas.
select a.id::text, a.username, a.name, coalesce(nullif(g.area, ''), coalesce(a.unit, '')), g.scope, g.role
from auth.role_grant g join auth.account a on a.id = g.account
where g.role in ('grid_worker', 'duty_officer', 'unit') and a.state = 'active' and g.revoked_at is null
  and g.valid_from <= $2 and (g.valid_to is null or g.valid_to > $2)
  and g.scope <@ $1::int8multirange and ($3::int8range is null or g.scope && $3) and ($4::uuid is null or a.id = $4)
  and ($5 = '' or a.name ilike $5 or a.username ilike $5)
order by g.role <> 'grid_worker', g.area, a.name, a.id limit $6
