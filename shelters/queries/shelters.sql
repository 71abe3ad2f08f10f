Shelters: reading and changing.

-- name: position
select pg_current_xact_id()::text || '.' || coalesce((select max(seq) from change_log where xid = pg_current_xact_id()), 0)::text

-- name: horizon
-- Whatever committed before this is in what is read from here on.
select pg_snapshot_xmin(pg_current_snapshot())::text || '.0'

-- name: shelters
-- What is promised and who is there is of what is real; where exercises are asked for ($6),
-- beside it what theirs come to. Nobody checked in there for half a day is another exercise.
select s.id::text, coalesce(s.name, ''), coalesce(s.state, ''), coalesce(s.admin_code, ''), coalesce(s.class, ''), coalesce(s.address, ''), s.scope, s.capacity, s.occupancy, s.reserved,
  s.confirmed_at, s.exercise, case when s.geom is null then null else st_pointonsurface(s.geom) end, s.version, s.recorded_at, s.recorded_by, e.there, e.promised
from shelters s left join lateral (select
  coalesce((select c.after from shelter_checkins c where c.shelter = s.id and c.exercise and c.created_at > $7::timestamptz - interval '12 hours' order by c.created_at desc, c.id desc limit 1), 0)::int as there,
  (select coalesce(sum(r.n - r.arrived), 0)::int from shelter_reservations r where r.shelter = s.id and r.exercise and r.state = 'held' and r.until > $7) as promised) e on $6
where (s.valid_to is null or s.valid_to > now())
  and ($1::uuid[] is null or s.id = any ($1))
  and ($2::int8range is null or s.scope && $2)
  and ($3::float8[] is null or s.geom && st_makeenvelope(($3::float8[])[1], ($3::float8[])[2], ($3::float8[])[3], ($3::float8[])[4], 4490))
  and ($4 = '' or s.state = $4)
  and (not s.exercise or $1::uuid[] is not null)
order by (s.state in ('open', 'full')) desc nulls last, s.name, s.id limit $5

-- name: lock
select s.id from shelters s where s.id = $1 for update

-- name: patch
update shelters s set state = coalesce($3, s.state), occupancy = coalesce($4, s.occupancy), confirmed_at = $5
where s.id = $1 and s.version = $2

-- name: people
update shelters s set occupancy = $2, reserved = $3, state = $4, confirmed_at = greatest(s.confirmed_at, $5) where s.id = $1

-- name: set_reserved
update shelters s set reserved = $2 where s.id = $1 and s.reserved <> $2

-- name: expire
update shelter_reservations set state = 'expired', ended_at = $2, ended_by = 'onemap' where shelter = $1 and state = 'held' and until <= $2

-- name: promised
select coalesce(sum(n - arrived), 0)::int from shelter_reservations where shelter = $1 and state = 'held' and not exercise

-- name: overdue
select distinct shelter::text from shelter_reservations where state = 'held' and until <= $1 limit 500

-- name: reservation_add
insert into shelter_reservations (id, shelter, n, party, until, geom, scope, account, name, exercise)
select $1, s.id, $3, $4, $5, st_pointonsurface(s.geom), s.scope, $6, $7, $8 from shelters s where s.id = $2

-- name: reservations
select r.id::text, r.shelter::text, r.party, r.state, r.n, r.arrived, r.until, r.created_at, r.ended_at, r.name, coalesce(r.ended_by, ''), coalesce(r.account::text, ''), r.scope, r.exercise
from shelter_reservations r
where ($1::uuid is null or r.id = $1) and ($2::uuid is null or r.shelter = $2) and (not $3::boolean or r.state = 'held') and ($5::boolean is null or r.exercise = $5)
order by r.created_at desc, r.id desc limit $4

-- name: reservation_end
update shelter_reservations set state = $2, ended_at = $3, ended_by = $4 where id = $1 and state = 'held'

-- name: reservation_arrive
update shelter_reservations set arrived = least(n, arrived + $2), state = case when arrived + $2 >= n then 'filled' else state end,
  ended_at = case when arrived + $2 >= n then $3::timestamptz end, ended_by = case when arrived + $2 >= n then $4 end
where id = $1 and state = 'held'

-- name: checkin_find
select c.shelter::text, c.in_n, c.out_n, c.after, coalesce(c.account::text, ''), c.actor, c.exercise from shelter_checkins c where c.id = $1

-- name: checkin_add
insert into shelter_checkins (id, shelter, reservation, in_n, out_n, party, at, after, geom, scope, account, name, exercise)
select $1, s.id, $3, $4, $5, nullif($6, ''), $7, $8, st_pointonsurface(s.geom), s.scope, $9, $10, $11 from shelters s where s.id = $2

-- name: checkins
select c.id::text, coalesce(c.party, ''), coalesce(c.reservation::text, ''), c.name, c.in_n, c.out_n, c.after, c.at, c.created_at, c.exercise
from shelter_checkins c where c.shelter = $1 and ($3::boolean is null or c.exercise = $3) order by c.created_at desc, c.id desc limit $2
