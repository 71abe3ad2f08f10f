Targets and calls.

-- name: targets
select t.id::text, t.callout::text, t.village, t.village_name, t.phase, t.role, t.place, t.level, t.name, t.post, coalesce(t.contact::text, ''), coalesce(t.phone_masked, ''), coalesce(t.grid, ''), coalesce(t.household::text, ''),
  t.persons, t.elderly, coalesce(t.deputy_name, ''), coalesce(t.deputy_post, ''), coalesce(t.deputy_contact::text, ''), coalesce(t.deputy_masked, ''), t.escalation, coalesce(t.parent::text, ''), t.root::text,
  t.state, t.opened_at, t.due_at, t.answered_at, t.passed_on_at, t.scope, t.version
from call_targets t
where t.scopes && $1::int8multirange and ($2::uuid[] is null or t.id = any ($2)) and ($3::uuid is null or t.callout = $3)
  and ($4 = '' or t.state = $4) and ($5 = '' or t.village = $5) and ($6 = '' or t.phase = $6)
  and (not $7::boolean or t.state = 'waiting')
order by t.phase = 'all_clear', t.place, t.escalation, t.id limit $8

-- name: calls
select c.id::text, c.target::text, c.outcome, c.channel, coalesce(c.note, ''), c.at, c.received_at, coalesce(c.account::text, ''), c.name
from calls c where c.scopes && $1::int8multirange and c.target = any ($2::uuid[]) order by c.at, c.id

-- name: calls_by_id
select c.id::text, c.target::text, c.outcome, c.channel, coalesce(c.note, ''), c.at, c.received_at, coalesce(c.account::text, ''), c.name
from calls c where c.scopes && $1::int8multirange and c.id = any ($2::uuid[])

-- name: lock_target
select c.state from call_targets t join callouts c on c.id = t.callout where t.id = $1 for update of t

-- name: call
select c.target::text, c.outcome from calls c where c.id = $1

-- name: insert_call
insert into calls (id, target, callout, village, outcome, channel, at, note, received_at, scope, account, actor, name)
select $1, t.id, t.callout, t.village, $3, $4, $5, nullif($6, ''), $7, t.scope, $8, $9, $10 from call_targets t where t.id = $2
on conflict (id) do nothing

-- name: stand
update call_targets set state = $2, answered_at = $3, calls = $4 where id = $1

-- name: passed_on
update call_targets set state = case when state = 'waiting' then 'escalated' else state end, passed_on_at = $2 where id = $1

-- name: township_target
select id::text, state from call_targets where callout = $1 and village = $2 and escalation = 2 for update

-- name: reopen
update call_targets set state = 'waiting', opened_at = $2, due_at = $3, answered_at = null where id = $1

-- name: close_chain
-- Who was opened because another did not answer need not be called any more.
update call_targets t set state = 'closed'
where t.root = $1 and t.id <> $2 and t.state = 'waiting' and t.escalation = 1

-- name: close_township
update call_targets t set state = 'closed'
where t.callout = $1 and t.village = $2 and t.escalation = 2 and t.state = 'waiting'
  and not exists (select from call_targets x where x.callout = $1 and x.village = $2 and x.phase = 'call' and x.escalation = 0 and x.passed_on_at is not null
    and x.state not in ('answered', 'repeated') and not exists (select from call_targets y where y.root = x.id and y.escalation = 1 and y.state in ('answered', 'repeated')))

-- name: late
select t.id::text from call_targets t join callouts c on c.id = t.callout
where t.state = 'waiting' and t.phase = 'call' and t.escalation < 2 and t.due_at < $1 and c.state = 'active'
order by t.due_at limit $2 for update of t skip locked
