-- What it rained before the last word of each gauge, kept: a picture of a thousand gauges
-- would have to add up a day of every one of them whenever somebody looks.

-- rain_until adds up the day before a gauge's word: over 1, 3, 6, 12 and 24 hours, in which
-- of those hours it spoke (a bit for each), how often, and the hour before the last.
-- The question and what is kept both come from here.
create function rain_until(p_station uuid, p_at timestamptz)
returns table (sums float8[], heard bigint, words bigint, before float8)
language sql stable as $$
  select array[sum(h.total) filter (where h.hour < 1), sum(h.total) filter (where h.hour < 3), sum(h.total) filter (where h.hour < 6),
           sum(h.total) filter (where h.hour < 12), sum(h.total)]::float8[],
    bit_or(1::bigint << h.hour), sum(h.n)::bigint, (sum(h.total) filter (where h.hour = 1))::float8
  from (select floor(date_part('epoch', p_at - o.at) / 3600)::int as hour, sum(o.value::numeric) as total, count(*) as n
        from observations o
        where o.station = p_station and o.at > p_at - interval '24 hours' and o.at <= p_at and o.measure = 'rain'
        group by 1) h
$$;

-- The sums hold while counted is what changes is: whoever adds, changes or takes away an
-- observation counts changes up in the same transaction, so no reader sees the one without
-- the other. even says that every observation summed has the row's own scope and data set,
-- and is seen by whoever sees the row; where they differ nobody uses the sums.
create table station_rain (
  station  uuid primary key,
  changes  bigint not null default 1,
  counted  bigint,
  at       timestamptz,          -- the word they end at
  sums     float8[],             -- over 1, 3, 6, 12 and 24 hours
  own      float8[],             -- the same as the gauge itself said
  heard    bigint,
  words    bigint,
  before   float8,
  even     boolean not null default false,
  dataset  uuid,
  scope    int8range not null check (not isempty(scope))
) with (fillfactor = 50);
comment on table station_rain is '各站最近一次观测前的累计雨量';
select row_guard('station_rain', 'app.read', false);

create function observations_changed() returns trigger
language plpgsql security definer set search_path = public, pg_temp
set app.read = '{[1000000000000000,3000000000000000)}' set app.write = '{[1000000000000000,3000000000000000)}' set app.demo = 'off' as $$
begin
  -- In one order everywhere: two deliveries of the same stations wait and do not lock.
  insert into station_rain as r (station, scope)
  select c.station, (array_agg(c.scope))[1] from changed c where starts_with(c.measure, 'rain') group by c.station order by c.station
  on conflict (station) do update set changes = r.changes + 1;
  return null;
end
$$;
revoke all on function observations_changed() from public;
create trigger added after insert on observations referencing new table as changed for each statement execute function observations_changed();
create trigger removed after delete on observations referencing old table as changed for each statement execute function observations_changed();
create trigger changed_from after update on observations referencing old table as changed for each statement execute function observations_changed();
create trigger changed_to after update on observations referencing new table as changed for each statement execute function observations_changed();
