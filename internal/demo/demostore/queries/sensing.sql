What the demo county's gauges say: rain that comes and goes, rivers that follow it.

-- name: gauges_levels
insert into station_threshold (station, warning, guarantee, flood_limit, villages, source, dataset, scope)
select s.id, case when s.kind = 'river_level' then s.threshold_blue end, case when s.kind = 'river_level' then s.threshold_orange end, case when s.kind = 'reservoir_level' then s.threshold_blue end,
  case when v.code is null then '[]' else jsonb_build_array(jsonb_build_object('code', v.code, 'measure', 'level', 'prepare', s.threshold_yellow, 'evacuate', s.threshold_red, 'persons', null)) end,
  '示例值', s.dataset, s.scope
from sensors s left join lateral (select a.code from admin a where a.rank = 5 and a.valid_to is null and a.scope @> s.scope limit 1) v on true
where s.dataset = $1 and s.kind in ('river_level', 'reservoir_level') and s.threshold_blue is not null
on conflict (station) do nothing

-- name: gauges_months
select observations_month($1::timestamptz), observations_month($2::timestamptz)

-- name: gauges_say
-- Every step between two times, the same whenever it is asked: nothing comes twice.
insert into observations (station, at, measure, value, source, dataset, scope)
select s.id, t.at, case s.kind when 'rain' then 'rain' else 'level' end,
  case s.kind
    when 'rain' then round((s.value * $4::float8 / 180 * 1.6 * greatest(0, sin(extract(epoch from t.at) / 8000 + (s.fid % 5) * 0.3)) ^ 2)::numeric, 1)
    else round((s.value + 0.15 * sin(extract(epoch from t.at) / 9000 + s.fid % 5))::numeric, 2) end,
  '示例县自动站', s.dataset, s.scope
from sensors s cross join generate_series(date_bin(make_interval(mins => $4::int), $2::timestamptz, '2020-01-01Z'), $3::timestamptz, make_interval(mins => $4::int)) t(at)
where s.dataset = $1 and s.kind in ('rain', 'river_level', 'reservoir_level') and s.value is not null and s.state <> 'no_data' and not s.exercise
on conflict (station, at, measure) do nothing

-- name: remove_gauges
with a as (delete from alarms where dataset = $1 returning 1), q as (delete from alarm_quiet where dataset = $1 returning 1), n as (delete from station_now where dataset = $1 returning 1), t as (delete from station_threshold where dataset = $1 returning 1)
delete from observations where dataset = $1
