Warnings: messages taken, targets, receipts, what is passed on.

-- name: position
select pg_current_xact_id()::text || '.' || coalesce((select max(seq) from change_log where xid = pg_current_xact_id()), 0)::text

-- name: horizon
-- Whatever committed before this is in what is read from here on.
select pg_snapshot_xmin(pg_current_snapshot())::text || '.0'

-- name: union
-- The areas of a message as one shape: they may overlap.
select st_multi(st_collectionextract(st_unaryunion($1::geometry), 3))

-- name: coded
-- The shape of administrative codes, and which of them are known.
select st_multi(st_collectionextract(st_union(a.geom), 3)), coalesce(array_agg(distinct a.code), '{}')
from admin a where a.code = any ($1::text[]) and a.valid_to is null

-- name: touched
-- How many of our units a shape touches, and the widest of them.
select count(*)::int, coalesce((array_agg(a.code order by a.rank, a.code))[1], ''), coalesce((array_agg(a.name order by a.rank, a.code))[1], '')
from admin a where a.valid_to is null and a.geom && $1::geometry and st_intersects(a.geom, $1::geometry)

-- name: place
select scope_at($1::geometry)

-- name: touches
-- Whether a shape touches a unit.
select exists (select from admin a where a.code = $2 and a.valid_to is null and a.geom && $1::geometry and st_intersects(a.geom, $1::geometry))

-- name: known_message
select m.alert::text, m.digest, m.msg_type from alert_messages m where m.identifier = $1 and m.sender = $2

-- name: named
-- Alerts that identifiers name, and all of their chains.
with named as (
  select a.id, coalesce(a.chain, a.id) as chain from alerts a
  where a.identifier = any ($1::text[]) or a.id in (select m.alert from alert_messages m where m.identifier = any ($1::text[])))
select a.id::text, coalesce(a.chain, a.id)::text, a.state, a.sent_at, a.expires, a.identifier, a.sender, a.scope
from alerts a
where a.id in (select id from named) or a.chain in (select chain from named)
order by a.sent_at desc nulls last, a.id

-- name: lock
select 1 from alerts where id = any ($1::uuid[]) for update

-- name: end
update alerts set state = $2, ended_at = $3, chain = coalesce(chain, $4::uuid) where id = $1

-- name: insert
insert into alerts (id, identifier, event, event_code, hazard, level, status, msg_type, sender, sent_at, effective, expires, headline, description, instruction, state,
  chain, refs, source, area_desc, geocodes, urgency, certainty, received_at, ended_at, notes, exercise, name, admin_code, geom)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30::geometry)

-- name: message
insert into alert_messages (alert, chain, identifier, sender, msg_type, sent_at, received_at, digest, original, message, exercise, scope, account, name)
select a.id, a.chain, $2, $3, $4, $5, $6, $7, $8, $9, $10, a.scope, $11, $12 from alerts a where a.id = $1
returning id::text

-- name: targets
-- Who is in the area: units of a rank inside the writer's own area; new are those that
-- were not in the area of the message before, $3. Households are
-- counted where the list tells the building, else by the village.
insert into alert_targets (alert, code, name, town, share, whole, population, households, listed, listed_persons, weak, must_move, added)
select al.id, v.code, v.name, t.name, v.share, v.share > 0.9999, round(v.population * v.share)::int, round(v.households * v.share)::int, h.n, h.persons, h.weak, h.must,
  $3::uuid is not null and not exists (select from alert_targets o where o.alert = $3 and o.code = v.code)
from alerts al
cross join lateral (
  select a.code, a.name, a.parent_code, a.population, a.households, a.scope,
    least(1, coalesce(st_area(st_intersection(a.geom, al.geom)) / nullif(st_area(a.geom), 0), 0)) as share
  from admin a
  where a.rank = $2 and a.valid_to is null and a.geom && al.geom and st_intersects(a.geom, al.geom) and a.scope <@ current_setting('app.write')::int8multirange) v
left join lateral (select p.name from admin p where p.code = v.parent_code and p.valid_to is null limit 1) t on true
cross join lateral (
  select count(*)::int n, coalesce(sum(h.persons), 0)::int persons, coalesce(sum(coalesce(h.elderly, 0) + coalesce(h.children, 0) + coalesce(h.disabled, 0)), 0)::int weak,
    count(*) filter (where h.must_move)::int must
  from restricted.household h left join buildings b on b.id = h.building
  where h.scope <@ v.scope and (b.geom is null or st_intersects(b.geom, al.geom))) h
where al.id = $1 and v.share >= 0.001
on conflict do nothing

-- name: has_targets
select exists (select from alert_targets where alert = $1)

-- name: removed
insert into alert_removed (alert, code, name)
select $1, o.code, o.name from alert_targets o
where o.alert = $2 and not exists (select from alert_targets n where n.alert = $1 and n.code = o.code)
on conflict do nothing

-- name: follow
-- A message goes wherever its chain had gone.
insert into alert_outbound (alert, message, kind, destination, title, follows, scope, account, name, created_at, next_at)
select $1, $2, o.kind, o.destination, o.title, true, a.scope, $4, $5, $6, $6
from (select distinct on (o.kind, o.destination) o.kind, o.destination, o.title from alert_outbound o join alerts c on c.id = o.alert
      where c.chain = $3::uuid order by o.kind, o.destination, o.created_at desc) o, alerts a
where a.id = $1
on conflict (message, kind, destination) do nothing

-- name: alerts
select a.id::text, a.fid, coalesce(a.identifier, ''), coalesce(a.event, ''), coalesce(a.event_code, ''), coalesce(a.hazard, ''), a.level, coalesce(a.status, ''), coalesce(a.msg_type, ''), coalesce(a.sender, ''),
  coalesce((select m.message #>> '{infos,0,sender_name}' from alert_messages m where m.alert = a.id and m.message #>> '{infos,0,sender_name}' <> '' order by m.received_at desc, m.id desc limit 1), ''),
  a.sent_at, a.effective, a.expires, a.received_at, a.ended_at, coalesce(a.headline, a.name, ''), coalesce(a.description, ''), coalesce(a.instruction, ''),
  case when a.state = 'active' and a.expires < $8::timestamptz then 'expired' else coalesce(a.state, '') end, coalesce(a.chain, a.id)::text, coalesce(a.source, ''), coalesce(a.area_desc, ''), coalesce(a.urgency, ''), coalesce(a.certainty, ''),
  a.refs, a.geocodes, a.geom, a.exercise, a.scope, a.notes, a.version, t.n, r.reached, r.acked
from alerts a
cross join lateral (select count(*)::int n from alert_targets t where t.alert = a.id) t
cross join lateral (
  select count(distinct r.target) filter (where r.outcome <> 'failed')::int reached, count(distinct r.target) filter (where r.outcome = 'acknowledged')::int acked
  from alert_receipts r where r.message = (select m.id from alert_messages m where m.alert = a.id order by m.received_at desc, m.id desc limit 1)) r
where ($1::uuid[] is null or a.id = any ($1))
  and ($2 = '' or case when a.state = 'active' and a.expires < $8::timestamptz then 'expired' else a.state end = $2)
  and ($3 = 0 or a.level = $3)
  and ($4::int8range is null or a.scope && $4)
  and ($5::boolean is null or a.exercise = $5)
  and ($6::uuid is null or coalesce(a.chain, a.id) = $6)
  and ($7::int8multirange is null or a.scope && $7)
  and ($9::timestamptz is null or (coalesce(a.sent_at, a.created_at), a.id) < ($9, $10::uuid))
order by coalesce(a.sent_at, a.created_at) desc, a.id desc limit $11

-- name: live
select coalesce(a.level, 0), count(*)::int from alerts a
where a.state = 'active' and not a.exercise and (a.expires is null or a.expires >= $1) and (a.effective is null or a.effective <= $1) and ($2::int8range is null or a.scope && $2)
group by 1

-- name: messages
select m.id::text, m.alert::text, m.identifier, m.sender, m.msg_type, m.sent_at, m.received_at, m.name
from alert_messages m where m.chain = $1 order by m.received_at, m.id

-- name: message_json
select m.message from alert_messages m where m.alert = $1 and ($2 = '' or m.identifier = $2) order by m.received_at desc, m.id desc limit 1

-- name: target_rows
select t.code, t.name, coalesce(t.town, ''), t.share, t.whole, t.added, t.population, t.households, t.listed, t.listed_persons, t.weak, t.must_move, t.scope,
  coalesce(l.outcome, ''), coalesce(l.channel, ''), coalesce(l.name, ''), l.at, r.first_reach, r.acked, p.at
from alert_targets t
left join lateral (select st_pointonsurface(a.geom) as at from admin a where a.code = t.code and a.valid_to is null limit 1) p on true
left join lateral (select r.outcome, r.channel, r.name, r.at from alert_receipts r where r.message = $2 and r.target = t.code
  order by (r.outcome = 'acknowledged') desc, (r.outcome = 'reached') desc, r.at desc limit 1) l on true
left join lateral (select min(r.at) filter (where r.outcome <> 'failed') first_reach, min(r.at) filter (where r.outcome = 'acknowledged') acked
  from alert_receipts r where r.message = $2 and r.target = t.code) r on true
where t.alert = $1
order by coalesce(t.must_move, 0) desc, t.population desc nulls last, t.code

-- name: removed_rows
select r.code, r.name from alert_removed r where r.alert = $1 order by r.code

-- name: grids
select coalesce(g.code, ''), coalesce(g.name, ''), coalesce(g.worker, ''), coalesce(g.village_code, left(g.code, 12), '')
from grids g join alerts a on a.id = $1 and g.geom && a.geom and st_intersects(g.geom, a.geom)
where g.valid_to is null order by g.code limit 10000

-- name: latest_message
select m.id::text, m.alert::text, m.identifier, m.sender, m.msg_type, m.sent_at, m.received_at, m.name
from alert_messages m where m.alert = $1 and ($2 = '' or m.identifier = $2) order by m.received_at desc, m.id desc limit 1

-- name: is_target
select exists (select from alert_targets t where t.alert = $1 and t.code = $2)

-- name: receipt
insert into alert_receipts (id, alert, message, target, channel, outcome, at, note, account, name)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (id) do nothing

-- name: same_receipt
select exists (select from alert_receipts r where r.id = $1 and r.alert = $2 and r.target = $3 and r.channel = $4 and r.outcome = $5)

-- name: receipts_by_ids
select r.id::text, r.alert::text, r.target, r.channel, r.outcome, r.at, r.name from alert_receipts r where r.scopes && $1::int8multirange and r.id = any ($2::uuid[])

-- name: queue
insert into alert_outbound (alert, message, kind, destination, title, scope, account, name, created_at, next_at)
select a.id, $2, $3, $4, $5, a.scope, $6, $7, $8, $8 from alerts a where a.id = $1
on conflict (message, kind, destination) do nothing

-- name: outbound
select o.id::text, o.kind, o.destination, o.title, o.state, coalesce(o.last_error, ''), m.identifier, m.msg_type, o.follows, o.attempts, o.created_at, o.sent_at, case when o.state = 'waiting' then o.next_at end, o.name
from alert_outbound o join alert_messages m on m.id = o.message
where o.alert = $1 order by o.created_at, o.id

-- name: due
-- Some of what is due, held for two minutes by whoever asked first.
update alert_outbound o set attempts = o.attempts + 1, next_at = $1::timestamptz + interval '2 minutes'
from alert_messages m
where m.id = o.message and o.id in (
  select d.id from alert_outbound d where d.state = 'waiting' and d.next_at <= $1 order by d.next_at limit 8 for update skip locked)
returning o.id::text, o.kind, o.destination, o.attempts, o.created_at, m.message, m.identifier, m.id::text

-- name: sent
update alert_outbound set state = 'sent', sent_at = $2, last_error = null where id = $1 and state = 'waiting'

-- name: unsent
update alert_outbound set state = $2, next_at = $3, last_error = $4 where id = $1 and state = 'waiting'

-- name: expire
update alerts set state = 'expired' where state = 'active' and expires < $1 and source is not null and dataset is null

-- name: made_before
select exists (select from alerts where identifier = $1) or exists (select from alert_messages where identifier = $1)
