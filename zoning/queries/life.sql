The life cycle: steps, opinions, verdicts.

-- name: event_add
insert into plan_event (plan, from_state, to_state, note, account, name)
values ($1, nullif($2, ''), $3, nullif($4, ''), $5::uuid, nullif($6, ''))

-- name: events
select seq, coalesce(from_state, ''), to_state, coalesce(note, ''), coalesce(account::text, ''), actor, coalesce(name, ''), at
from plan_event where plan = $1 order by seq

-- name: step
update plan set state = $2, version = version + 1, updated_at = now() where id = $1

-- name: step_submit
update plan set state = 'submitted', submitted_at = now(), submitted_by = $2, submitted_account = $3::uuid,
  approved_at = null, approved_by = null, approved_account = null, method = method || coalesce($4::jsonb, '{}'), version = version + 1, updated_at = now() where id = $1

-- name: step_return
update plan set state = 'returned', approved_at = null, approved_by = null, approved_account = null, version = version + 1, updated_at = now() where id = $1

-- name: step_approve
update plan set state = 'approved', approved_at = now(), approved_by = $2, approved_account = $3::uuid, version = version + 1, updated_at = now() where id = $1

-- name: step_withdraw
update plan set state = 'withdrawn', withdrawn_at = now(), withdrawn_by = $2, version = version + 1, updated_at = now() where id = $1

-- name: step_publish
update plan set state = 'published', published_at = now(), published_by = $2, published_account = $3::uuid, document_no = $4, effective_from = $5::date, version = version + 1, updated_at = now() where id = $1

-- name: publish_zones
update zones set published = true, valid_from = $2::timestamptz where plan = $1

-- name: later_versions
-- What of the series would still begin after the day.
select count(*) from plan where series = $1 and id <> $2 and effective_from > $3::date and (effective_to is null or effective_to > effective_from)

-- name: end_versions
-- Whatever of the series still holds on the day ends on it.
with old as (
  select id, state from plan
  where series = $1 and id <> $2 and effective_from <= $3::date and (effective_to is null or effective_to > $3::date))
update plan p set state = case old.state when 'published' then 'superseded' else old.state end, effective_to = $3::date, version = version + 1, updated_at = now()
from old where p.id = old.id
returning p.id::text, old.state

-- name: end_zones
-- valid_from is never after valid_to: what is ended before it began never held.
update zones set valid_to = greatest($2::timestamptz, valid_from) where plan = any ($1::uuid[]) and (valid_to is null or valid_to > $2::timestamptz)

-- name: step_repeal
update plan set state = 'withdrawn', effective_to = least(coalesce(effective_to, 'infinity'), greatest($3::date, effective_from)), withdrawn_at = now(), withdrawn_by = $2, version = version + 1, updated_at = now() where id = $1

-- name: comments
select c.id::text, c.plan::text, c.round, coalesce(c.zone::text, ''), coalesce(z.name, ''), c.geom, coalesce(c.unit, ''), c.body, coalesce(c.answer, ''), coalesce(c.reason, ''),
  coalesce((select a.name from auth.account a where a.id = c.answered_account), c.answered_by, ''), c.answered_at, c.actor, coalesce(c.name, ''), coalesce(c.account::text, ''), c.at, c.version
from plan_comment c left join zones z on z.plan = c.plan and z.zone = c.zone
where c.plan = $1 and ($2::uuid is null or c.id = $2) order by c.at, c.id

-- name: comment_add
insert into plan_comment (plan, round, zone, geom, unit, body, account, name)
values ($1, $2, $3::uuid, $4, nullif($5, ''), $6, $7::uuid, nullif($8, '')) returning id::text

-- name: comment_count
select count(*) from plan_comment where plan = $1

-- name: comment_lock
select version from plan_comment where id = $1 and plan = $2 for update

-- name: comment_answer
update plan_comment set answer = $2, reason = nullif($3, ''), answered_by = $4, answered_account = $5::uuid, answered_at = now(), version = version + 1 where id = $1

-- name: reviews
select r.zone::text, coalesce(z.name, ''), r.verdict, coalesce(r.reason, ''), r.zone_version, coalesce(z.version = r.zone_version, false), coalesce(r.account::text, ''), r.actor, coalesce(r.name, ''), r.at
from plan_review r left join zones z on z.plan = r.plan and z.zone = r.zone
where r.plan = $1 and ($2::uuid is null or r.zone = $2) order by z.code nulls last, z.fid

-- name: review_put
insert into plan_review (plan, zone, verdict, reason, zone_version, account, name)
select z.plan, z.zone, $3, nullif($4, ''), z.version, $5::uuid, nullif($6, '') from zones z where z.plan = $1 and z.zone = $2::uuid
on conflict (plan, zone) do update set verdict = excluded.verdict, reason = excluded.reason, zone_version = excluded.zone_version, account = excluded.account, name = excluded.name, actor = feed_actor(), at = now()

-- name: review_rest
-- Zones nobody has looked at as they are now. One that was sent back and not changed
-- since keeps its verdict.
insert into plan_review (plan, zone, verdict, zone_version, account, name)
select z.plan, z.zone, 'accepted', z.version, $2::uuid, nullif($3, '') from zones z
where z.plan = $1 and not exists (select from plan_review r where r.plan = z.plan and r.zone = z.zone and r.zone_version = z.version)
on conflict (plan, zone) do update set verdict = excluded.verdict, reason = null, zone_version = excluded.zone_version, account = excluded.account, name = excluded.name, actor = feed_actor(), at = now()
