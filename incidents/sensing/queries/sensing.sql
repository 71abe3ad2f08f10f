Stations and what they say.

-- name: resolve
-- $3 are the areas the sender may write; the floor has what he may see.
select n.name, s.id::text, coalesce(s.kind, ''), s.scope
from (select i::text as name, i as id, null::text as code from unnest($1::uuid[]) i
      union all select c, null, c from unnest($2::text[]) c) n
join sensors s on s.id = n.id or s.code = n.code
where (s.valid_to is null or s.valid_to > now()) and s.scope <@ $3::int8multirange

-- name: month
select observations_month($1::timestamptz)

-- name: insert
with given as (
  select i, station, measure, at, value, quality, scope
  from unnest($1::int[], $2::uuid[], $3::text[], $4::timestamptz[], $5::float8[], $6::text[], $7::int8range[]) with ordinality as u(i, station, measure, at, value, quality, scope, ord)
), added as (
  insert into observations (station, at, measure, value, quality, source, dataset, scope)
  select g.station, g.at, g.measure, g.value, g.quality, $8, s.dataset, g.scope
  from given g left join sensors s on s.id = g.station
  order by g.station, g.at, g.measure
  on conflict (station, at, measure) do nothing
  returning station, at, measure
)
select g.i from given g join added a using (station, at, measure)

-- name: standing
select g.i, o.value = g.value
from unnest($1::int[], $2::uuid[], $3::text[], $4::timestamptz[], $5::float8[]) g(i, station, measure, at, value)
join observations o on o.station = g.station and o.at = g.at and o.measure = g.measure

-- name: newest
-- The newest of each station that its kind is about; what comes late moves nothing back.
insert into station_now as n (station, measure, value, at, source, dataset, scope)
select distinct on (g.station) g.station, g.measure, g.value, g.at, $6, s.dataset, g.scope
from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::float8[], $5::int8range[]) g(station, measure, at, value, scope)
join sensors s on s.id = g.station
where g.measure = any (case s.kind when 'rain' then array['rain', 'rain_1h', 'rain_3h', 'rain_6h', 'rain_12h', 'rain_24h']
    when 'river_level' then array['level'] when 'reservoir_level' then array['level'] when 'sewer_level' then array['level'] when 'waterlogging' then array['level'] else array['value'] end)
order by g.station, g.at desc, g.measure
on conflict (station) do update set measure = excluded.measure, value = excluded.value, at = excluded.at, source = excluded.source, scope = excluded.scope, silent = false
where excluded.at > n.at

-- name: stations
-- $1 is the time; sums end at a station's last observation before it. What has never been
-- observed shows what its layer says.
select s.id::text, coalesce(s.code, ''), coalesce(s.name, ''), coalesce(s.kind, ''), coalesce(s.unit, ''), coalesce(s.measure, ''), coalesce(s.object_name, ''), coalesce(s.operator, ''), s.freshness_s,
  s.threshold_blue, s.threshold_yellow, s.threshold_orange, s.threshold_red, s.geom, s.scope, s.exercise,
  coalesce(l.at, k.at), coalesce(v.value, k.value), b.value,
  t.warning, t.guarantee, t.flood_limit, t.villages, coalesce(t.version, 0), coalesce(t.source, ''),
  coalesce(c.sums, r.sums), coalesce(c.own, w.own), coalesce(c.heard, r.heard, 0), coalesce(c.words, r.words, 0), coalesce(c.before, r.before)
from sensors s
cross join lateral (select case s.kind when 'rain' then array['rain', 'rain_1h', 'rain_3h', 'rain_6h', 'rain_12h', 'rain_24h']
    when 'river_level' then array['level'] when 'reservoir_level' then array['level'] when 'sewer_level' then array['level'] when 'waterlogging' then array['level'] else array['value'] end as main) m
left join station_threshold t on t.station = s.id
-- In the order of the key, so that no more than the last word is read; it may name several measures.
left join lateral (
  select o.at from observations o
  where o.station = s.id and o.at <= $1 and o.at > $1::timestamptz - interval '400 days' and o.measure = any (m.main)
  order by o.at desc, o.measure desc limit 1) l on true
left join lateral (
  select o.value from observations o where o.station = s.id and o.at = l.at and o.measure = any (m.main) order by o.measure limit 1) v on true
left join lateral (select s.value_at as at, s.value where l.at is null and s.value_at <= $1 and s.value is not null) k on true
left join lateral (
  select o.value from observations o
  where s.kind is distinct from 'rain' and o.station = s.id and o.at <= l.at - interval '50 minutes' and o.at > l.at - interval '2 hours' and o.measure = any (m.main)
  order by o.at desc limit 1) b on true
-- The sums of the day are kept for the last word; what is not, or is not of this word, is
-- added up here.
left join lateral (select * from station_rain k where k.station = s.id and k.even and k.counted = k.changes offset 0) c on s.kind = 'rain' and c.at = l.at
left join lateral rain_until(case when s.kind = 'rain' and c.station is null then s.id end, l.at) r on true
left join lateral (
  select array[max(o.value) filter (where o.measure = 'rain_1h'), max(o.value) filter (where o.measure = 'rain_3h'), max(o.value) filter (where o.measure = 'rain_6h'),
    max(o.value) filter (where o.measure = 'rain_12h'), max(o.value) filter (where o.measure = 'rain_24h')] as own
  from observations o where o.station = s.id and o.at = l.at and s.kind = 'rain' and c.station is null) w on true
where (s.valid_from is null or s.valid_from <= $1) and (s.valid_to is null or s.valid_to > $1)
  and ($2::text[] is null or s.kind = any ($2))
  and ($3::float8[] is null or s.geom && st_makeenvelope(($3::float8[])[1], ($3::float8[])[2], ($3::float8[])[3], ($3::float8[])[4], 4490))
  and ($4::uuid[] is null or s.id = any ($4))
  and ($5::int8range is null or s.scope && $5)
order by s.fid limit $6

-- name: rain_due
-- Locked: whoever adds to one of these waits, and what was added before is seen below.
select station::text from station_rain where counted is distinct from changes order by station limit $1 for no key update skip locked

-- name: rain_count
update station_rain r set counted = r.changes, at = l.at, sums = u.sums, own = w.own, heard = coalesce(u.heard, 0), words = coalesce(u.words, 0), before = u.before,
  even = l.at is not null and not exists (select from observations o
    where o.station = d.station and o.at > l.at - interval '24 hours' and o.at <= l.at and (o.scope <> l.scope or o.dataset is distinct from l.dataset)),
  dataset = l.dataset, scope = coalesce(l.scope, r.scope)
from unnest($1::uuid[]) d(station)
left join lateral (
  select o.at, o.scope, o.dataset from observations o
  where o.station = d.station and o.at > $2::timestamptz - interval '400 days' and o.measure in ('rain', 'rain_1h', 'rain_3h', 'rain_6h', 'rain_12h', 'rain_24h')
  order by o.at desc, o.measure desc limit 1) l on true
left join lateral rain_until(d.station, l.at) u on true
left join lateral (
  select array[max(o.value) filter (where o.measure = 'rain_1h'), max(o.value) filter (where o.measure = 'rain_3h'), max(o.value) filter (where o.measure = 'rain_6h'),
    max(o.value) filter (where o.measure = 'rain_12h'), max(o.value) filter (where o.measure = 'rain_24h')] as own
  from observations o where o.station = d.station and o.at = l.at) w on true
where r.station = d.station

-- name: units
-- Counties, townships and villages around stations.
select code, coalesce(name, code), population, rank, scope from admin where rank between 3 and 5 and valid_to is null and ($1::int8multirange && scope or code = any ($2))

-- name: series
-- Steps that nothing was heard in are null: a gap in a chart is no zero. A step is named
-- by its end.
select b.ends, o.total::float8, o.last, o.least, o.most
from (select generate_series($3::timestamptz + $5::interval, $4::timestamptz, $5::interval) as ends) b
left join lateral (
  select sum(x.value::numeric) as total, (array_agg(x.value order by x.at desc))[1] as last, min(x.value) as least, max(x.value) as most
  from observations x where x.station = $1 and x.measure = $2 and x.at > b.ends - $5::interval and x.at <= b.ends) o on true
order by b.ends

-- name: raw
select at, value from observations where station = $1 and measure = $2 and at > $3 and at <= $4 order by at limit $5

-- name: threshold
select coalesce(t.version, 0), t.warning, t.guarantee, t.flood_limit, coalesce(t.villages, '[]'), coalesce(t.source, ''), s.scope, coalesce(s.kind, '')
from sensors s left join station_threshold t on t.station = s.id where s.id = $1

-- name: threshold_lock
select pg_advisory_xact_lock(hashtext('onemap.station_threshold'), hashtext($1::text))

-- name: threshold_put
insert into station_threshold as t (station, warning, guarantee, flood_limit, villages, source, dataset, scope)
select s.id, $2, $3, $4, $5, $6, s.dataset, s.scope from sensors s where s.id = $1
on conflict (station) do update set warning = excluded.warning, guarantee = excluded.guarantee, flood_limit = excluded.flood_limit, villages = excluded.villages,
  source = excluded.source, scope = excluded.scope, version = t.version + 1, updated_at = clock_timestamp(), updated_by = feed_actor()
where t.version = $7

-- name: flush_lock
select pg_try_advisory_xact_lock(hashtext('onemap.sensing.flush'))

-- name: flush_due
select station::text, at from station_now where shown is distinct from at order by at desc limit $1

-- name: flush_write
-- A value that stands as it was is not written again until its age would mislead.
update sensors s set value = g.value, value_at = g.at, state = g.state
from unnest($1::uuid[], $2::float8[], $3::timestamptz[], $4::text[]) g(id, value, at, state)
where s.id = g.id and (s.value is distinct from g.value or s.state is distinct from g.state or s.value_at is null or s.value_at < g.at - interval '4 minutes')

-- name: flush_done
update station_now n set shown = g.at from unnest($1::uuid[], $2::timestamptz[]) g(id, at) where n.station = g.id

-- name: fall_silent
-- No data is no zero: the value goes, the time stays.
with gone as (
  update station_now n set silent = true
  where n.station in (select x.station from station_now x where not x.silent and x.at < $1::timestamptz - make_interval(secs => $2) and x.shown = x.at order by x.at limit $3)
    and exists (select from sensors s where s.id = n.station
      and n.at < $1::timestamptz - make_interval(secs => case when s.kind in ('rain', 'river_level', 'reservoir_level', 'sewer_level', 'waterlogging') then $2 else greatest($2, coalesce(s.freshness_s, 0)) end))
  returning n.station
)
update sensors s set value = null, state = 'no_data' from gone where s.id = gone.station and s.state is distinct from 'no_data'

-- name: fresh_ids
select station::text from station_now where at > $1::timestamptz - interval '1 hour'
union select s.id::text from sensors s join dataset d on d.id = s.dataset where d.demo and s.kind in ('rain', 'river_level', 'reservoir_level')

-- name: silent_ids
select station::text from station_now where silent and at > $1::timestamptz - interval '7 days' order by station

-- name: poll_claim
-- One node asks a source; another passes it by.
insert into observation_poll as p (source, next_at) values ($1, $2::timestamptz + make_interval(secs => $3))
on conflict (source) do update set next_at = $2::timestamptz + make_interval(secs => $3) where p.next_at <= $2::timestamptz
returning source

-- name: poll_done
update observation_poll set asked_at = $2, heard_at = case when $5::text is null then $2 else heard_at end, accepted = accepted + $3, rejected = rejected + $4, error = $5 where source = $1

-- name: polls
select source, next_at, asked_at, heard_at, accepted, rejected, coalesce(error, '') from observation_poll where source = any ($1)
