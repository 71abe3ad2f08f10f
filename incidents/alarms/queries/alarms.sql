Alarms.

-- name: position
select pg_current_xact_id()::text || '.' || coalesce((select max(seq) from change_log where xid = pg_current_xact_id()), 0)::text

-- name: horizon
select pg_snapshot_xmin(pg_current_snapshot())::text || '.0'

-- name: quiet_hit
-- A rule that covers the signal swallows it and counts. Red is asked of no rule.
update alarm_quiet q set suppressed = suppressed + $5
where q.id = (select x.id from alarm_quiet x where x.scope @> $1::int8range and (x.kind is null or x.kind = $2) and $3::int >= x.least and $3::int > 1 and x.until > $4
    and (x.daily_from is null or case when x.daily_from <= x.daily_to then $6::time >= x.daily_from and $6::time < x.daily_to else $6::time >= x.daily_from or $6::time < x.daily_to end)
  order by x.until desc, x.id limit 1)
returning q.id

-- name: recent
-- The same, closed a moment ago, and not worse now.
select id::text from alarms where state = 'closed' and key = $1 and scope = $2 and closed_at > $3::timestamptz - make_interval(secs => $4) and level <= $5 order by closed_at desc limit 1

-- name: begin
insert into alarms (kind, key, area, scope, title, detail, level, count, suppressed, first_at, last_at, ref_kind, ref_id, geom, exercise, dataset, escalate_at)
values ($1, $2, nullif($3::text, ''), $4, $5, nullif($6, ''), $7, $8::bigint, $8::bigint - 1, $9::timestamptz, $9::timestamptz, nullif($10, ''), nullif($11, ''), $12::geometry, $13,
  (select d.id from dataset d where d.demo and exists (select from admin a where a.code = left($3::text, 6) and a.dataset = d.id) limit 1),
  $14::timestamptz + make_interval(secs => $15::float8))
on conflict (key, scope) where state <> 'closed' do nothing
returning id::text

-- name: standing
select id::text, level, title, coalesce(detail, ''), coalesce(ref_id, ''), cleared_at is not null from alarms where key = $1 and scope = $2 and state <> 'closed'

-- name: begin_count
insert into alarm_count (alarm, dataset, scope, count, suppressed, last_at) select a.id, a.dataset, a.scope, $2::bigint, $2::bigint - 1, $3::timestamptz from alarms a where a.id = $1

-- name: count
update alarm_count set count = count + $2::bigint, suppressed = suppressed + $2::bigint, last_at = greatest(last_at, $3::timestamptz) where alarm = $1

-- name: counted_at
select last_at from alarm_count where alarm = $1

-- name: worse
-- What gets worse rings again, whoever acknowledged the lesser.
update alarms set level = $2, title = $3, detail = coalesce(nullif($4, ''), detail), state = 'open', acked_at = null, acked_account = null, acked_by = null,
  assigned_at = null, assigned_by = null, assignee = null, assignee_name = null, cleared_at = null, escalation = 0, escalate_at = $5::timestamptz + make_interval(secs => $6::float8)
where id = $1 and state <> 'closed' and level > $2

-- name: retell
-- It still holds, and is told otherwise than before; no worse.
update alarms set title = $2, detail = nullif($3, ''), ref_kind = nullif($4, ''), ref_id = nullif($5, ''), geom = coalesce($6::geometry, geom), level = $7, cleared_at = null
where id = $1 and state <> 'closed'

-- name: clear
-- What is over is marked; what was acknowledged besides is closed.
update alarms set cleared_at = $3, state = case when state = 'acknowledged' then 'closed' else state end,
  closed_at = case when state = 'acknowledged' then $3 else closed_at end, closed_by = case when state = 'acknowledged' then '条件解除' else closed_by end, escalate_at = null
where kind = any ($1) and state <> 'closed' and cleared_at is null and not (key = any ($2))

-- name: worker_lock
select pg_try_advisory_xact_lock(hashtext('onemap.alarms'), $1)

-- name: fold
update alarms a set count = c.count, suppressed = c.suppressed, last_at = greatest(a.last_at, c.last_at)
from alarm_count c
where c.alarm = a.id and a.id in (select x.id from alarms x join alarm_count y on y.alarm = x.id
  where y.count <> x.count and x.updated_at < $1::timestamptz - make_interval(secs => $2) order by x.id limit 200 for update of x skip locked)

-- name: escalate
update alarms a set escalation = a.escalation + 1, escalate_at = case when a.escalation + 1 < $2 then a.escalate_at + (a.escalate_at - a.first_at) else null end
where a.id in (select x.id from alarms x where x.escalate_at <= $1 and x.state in ('open', 'assigned') and x.escalation < $2 order by x.escalate_at limit 100 for update skip locked)
returning a.id::text

-- name: alarms
select a.id::text, a.kind, a.key, coalesce(a.area, ''), a.title, coalesce(a.detail, ''), a.state, a.level, coalesce(c.count, a.count), coalesce(c.suppressed, a.suppressed), a.first_at, greatest(a.last_at, c.last_at),
  coalesce(a.ref_kind, ''), coalesce(a.ref_id, ''), a.geom, a.exercise, a.acked_at, a.assigned_at, a.closed_at, a.cleared_at, coalesce(a.acked_account::text, ''), coalesce(a.acked_by, ''), coalesce(a.assigned_by, ''),
  coalesce(a.assignee::text, ''), coalesce(a.assignee_name, ''), coalesce(a.closed_by, ''), coalesce(a.note, ''), a.escalate_at, a.escalation, a.scope, a.version, a.updated_at
from alarms a left join alarm_count c on c.alarm = a.id
where a.scope && $1::int8multirange
  and ($2::uuid[] is null or a.id = any ($2))
  and ($3 = 'all' or case $3 when '' then a.state <> 'closed' else a.state = $3 end)
  and ($4 = '' or a.kind = $4) and ($5::int8range is null or a.scope && $5)
  and ($6 = 'all' or a.exercise = ($6 = 'true'))
  and ($7::text is null or (case when a.state = 'open' then 0 else 1 end, a.level, -extract(epoch from a.first_at), a.id) > ($8::int, $9::smallint, $10::numeric, $7::uuid))
order by case when a.state = 'open' then 0 else 1 end, a.level, -extract(epoch from a.first_at), a.id limit $11

-- name: totals
select a.level, count(*) filter (where a.state = 'open'), coalesce(sum(coalesce(c.suppressed, a.suppressed)), 0)::bigint
from alarms a left join alarm_count c on c.alarm = a.id
where a.scope && $1::int8multirange and a.state <> 'closed' and not a.exercise group by a.level

-- name: quiets
select id::text, coalesce(kind, ''), coalesce(area, ''), reason, by_name, least, coalesce(to_char(daily_from, 'HH24:MI'), ''), coalesce(to_char(daily_to, 'HH24:MI'), ''), until, created_at, suppressed, scope
from alarm_quiet where until > $2 and scope && $1::int8multirange order by until, id limit 200

-- name: quiet_add
insert into alarm_quiet (kind, area, scope, least, daily_from, daily_to, until, reason, by_account, by_name, dataset)
values (nullif($1, ''), $2::text, $3, $4, nullif($5, '')::time, nullif($6, '')::time, $7, $8, $9, $10,
  (select d.id from dataset d where d.demo and exists (select from admin a where a.code = left($2::text, 6) and a.dataset = d.id) limit 1))
returning id::text, created_at

-- name: quiet_find
select coalesce(kind, ''), coalesce(area, ''), reason, scope, suppressed from alarm_quiet where id = $1 and until > $2 for update

-- name: quiet_end
update alarm_quiet set until = $2 where id = $1

-- name: lock
select 1 from alarms where id = $1 for update

-- name: acknowledge
update alarms set state = 'acknowledged', acked_at = $2, acked_account = $3, acked_by = $4, note = coalesce(nullif($5, ''), note), escalate_at = null where id = $1 and state = 'open'

-- name: person
-- Somebody who works there: his grant lies in the alarm's area or around it.
select a.name from auth.account a where a.id = $1 and a.state = 'active' and exists (select from auth.role_grant g where g.account = a.id and g.revoked_at is null
  and g.valid_from <= $3 and (g.valid_to is null or g.valid_to > $3) and g.role in ('duty_officer', 'commander', 'grid_worker', 'unit') and g.scope && $2::int8range)

-- name: assign
update alarms set state = 'assigned', assigned_at = $2, assigned_by = $4, assignee = $6, assignee_name = $7, note = coalesce(nullif($5, ''), note),
  acked_at = coalesce(acked_at, $2), acked_account = coalesce(acked_account, $3), acked_by = coalesce(acked_by, $4), escalate_at = $2::timestamptz + make_interval(secs => $8::float8)
where id = $1 and state <> 'closed'

-- name: close
update alarms set state = 'closed', closed_at = $2, closed_by = $4, note = coalesce(nullif($5, ''), note), acked_at = coalesce(acked_at, $2), acked_account = coalesce(acked_account, $3), acked_by = coalesce(acked_by, $4), escalate_at = null
where id = $1 and state <> 'closed' and version = $6

-- name: unattended
-- 险情 nobody took in time, by the township it lies in; what lies in none by itself.
select coalesce(t.code, ''), coalesce(t.name, ''), count(*), min(r.received_at), max(r.received_at), (array_agg(r.id::text order by r.received_at))[1],
  (array_agg(r.geom order by r.received_at) filter (where r.geom is not null))[1], coalesce(sum(r.trapped), 0)::int
from incident_reports r
left join lateral (select a.code, a.name from admin a where a.rank in (3, 4) and a.valid_to is null and a.scope @> r.scope order by a.rank desc, a.fid limit 1) t on true
where r.urgency = 'urgent' and r.taken_at is null and r.ended_at is null and r.received_at < $1::timestamptz - make_interval(secs => $2)
group by 1, 2 limit 500

-- name: alerts
-- Warnings in force, orange and red: the worst where there are too many. One that an update
-- replaced rings no more, the update does.
select a.id::text, coalesce(a.headline, a.name, a.event, ''), a.level, coalesce(a.admin_code, ''), coalesce(a.effective, a.sent_at, a.recorded_at), st_pointonsurface(a.geom), a.exercise, a.scope
from alerts a
where a.level <= 2 and a.state = 'active' and (a.expires is null or a.expires > $1) and (a.effective is null or a.effective <= $1) and coalesce(a.msg_type, '') <> 'Cancel' order by a.level, a.id desc limit 200
