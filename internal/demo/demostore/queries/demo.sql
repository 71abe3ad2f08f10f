Everything the demo county owns hangs on its data set.

-- name: dataset
insert into dataset (name, title, source_dept, source_date, classification, demo)
values ('demo', '示例县(演示数据)', '演示数据生成器', $1, 'internal', true)
on conflict (name) do update set source_date = excluded.source_date
returning id, demo

-- name: find
select d.id, (select value from setting where key = 'demo')
from dataset d where d.name = 'demo' and d.demo

-- name: other_data
select exists (select from dataset where not demo) or exists (select from admin where dataset is null)

-- name: plan
insert into plan (id, series, version_no, hazard, kind, title, admin_code, scope, exhaustive, state, method, document_no, effective_from, dataset,
                  parent, responsible, effective_to, area, unit, created_at, submitted_at, approved_at, published_at)
values ($1, $2, $11, $3, $4, $5, $6, code_scope($6), true, case when $14::timestamptz is null then 'published' else 'superseded' end, $7, $8, $9::timestamptz::date, $10,
        $12, nullif($13, ''), $14::timestamptz::date, $15, 'village', $9::timestamptz - interval '60 days', $9::timestamptz - interval '20 days', $9::timestamptz - interval '10 days', $9::timestamptz)
on conflict (id) do nothing

-- name: alias
insert into admin_alias (admin_code, alias, kind) values ($1, $2, $3) on conflict do nothing

-- name: zone_figures
-- People by areal weighting of the cells; whole numbers by largest remainder, so that the
-- zones of a plan add up to its people.
with counted as (
  select z.id, z.plan, st_area(z.geom::geography) / 1e6 as km2, p.people
  from zones z cross join lateral (
    select sum(c.population * case when st_covers(z.geom, c.geom) then 1
                                   when st_intersects(z.geom, c.geom) then st_area(st_intersection(z.geom, c.geom)) / nullif(st_area(c.geom), 0) else 0 end) as people
    from population c where c.geom && z.geom and c.dataset = $1) p
  where z.dataset = $1 and z.plan is not null),
ranked as (
  select id, km2, floor(people) as whole, round(sum(people) over w) - sum(floor(people)) over w as missing,
         row_number() over (partition by plan order by people - floor(people) desc, id) as place
  from counted window w as (partition by plan))
update zones z set area_km2 = r.km2, population = r.whole + case when r.place <= r.missing then 1 else 0 end
from ranked r where r.id = z.id
  and (z.area_km2, z.population) is distinct from (r.km2, (r.whole + case when r.place <= r.missing then 1 else 0 end)::integer)

-- name: responsibility
insert into responsibility (dataset, source_key, kind, layer, feature, admin_code, scope, unit, post, person, deputy_post, deputy)
values ($1, $2, $3, $4, $5, case when $4::text is null then $6 end, code_scope($6), $7, $8, $9, $10, $11)
on conflict (dataset, source_key) do update set kind = excluded.kind, layer = excluded.layer, feature = excluded.feature,
  admin_code = excluded.admin_code, scope = excluded.scope, unit = excluded.unit, post = excluded.post, person = excluded.person,
  deputy_post = excluded.deputy_post, deputy = excluded.deputy
returning id

-- name: responsibility_contact
insert into restricted.contact (responsibility, phone, deputy_phone)
select r.id, p.phone, p.deputy from unnest($2::text[], $3::text[], $4::text[]) p(key, phone, deputy)
join responsibility r on r.dataset = $1 and r.source_key = p.key
where not exists (select from restricted.contact c where c.responsibility = r.id)

-- name: duty
insert into duty_roster (dataset, source_key, admin_code, scope, role, unit, post, person, starts_at, ends_at)
values ($1, $2, $3, code_scope($3), $4, $5, $6, $7, $8, $9)
on conflict (dataset, source_key) do update set role = excluded.role, unit = excluded.unit, post = excluded.post, person = excluded.person,
  starts_at = excluded.starts_at, ends_at = excluded.ends_at

-- name: duty_contact
insert into restricted.contact (duty, phone)
select r.id, p.phone from unnest($2::text[], $3::text[]) p(key, phone)
join duty_roster r on r.dataset = $1 and r.source_key = p.key
where not exists (select from restricted.contact c where c.duty = r.id)

-- name: setting
insert into setting (key, value) values ($1, $2)
on conflict (key) do update set value = excluded.value, updated_at = now(), updated_by = feed_actor()

-- name: layers
select l.layer, c.column_name
from layer l join information_schema.columns c on c.table_schema = l.table_schema and c.table_name = l.table_name
where l.own and l.table_schema = 'public' and l.table_name = l.layer
order by l.layer, c.ordinal_position

-- name: put
insert into %[1]s (dataset, source_key, geom, %[2]s)
select $1, $2, $3::geometry, %[3]s from jsonb_populate_record(null::%[1]s, $4) r
on conflict (dataset, source_key) do update set geom = excluded.geom, %[4]s
where %[1]s.recorded_by = feed_actor()

-- name: remove_history
delete from %[1]s where ctid = any (array(select ctid from %[1]s where dataset = $1 limit 20000))

-- name: remove_alias
delete from admin_alias a where a.admin_code like '990100%'

-- name: reset_home
update setting set value = '{"code": "", "title": ""}', updated_at = now() where key = 'home' and value ->> 'code' = '990100'

-- name: reset_watermark
update setting set value = '""', updated_at = now() where key = 'watermark' and value = '"演示数据"'

-- name: remove_setting
delete from setting where key = 'demo'

-- name: danger_action
-- Once: what was done is not done again.
insert into danger_action (danger, action, from_state, to_state, note, actor, name, role, at)
select $1, $2, $3, $4, $5, 'demo', $6, $7, $8
where exists (select from dangers d where d.id = $1) and not exists (select from danger_action a where a.danger = $1 and a.action = $2 and a.at = $8)

-- name: measure
insert into measure (id, dataset, source_key, code, title, kind, content, basis, unit, person, state, due_on, done_on, admin_code, scope)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::timestamptz, $13::timestamptz, $14, code_scope($14))
on conflict do nothing

-- name: danger_measure
insert into danger_measure (danger, measure) select d.id, $1 from dangers d where d.id = any ($2::uuid[]) on conflict do nothing

-- name: number
insert into number_counter (kind, county_code, year, last) values ($1, '990100', $2, $3)
on conflict (kind, county_code, year) do update set last = greatest(number_counter.last, excluded.last)

-- name: remove_measure
delete from measure m using dataset s where s.id = m.dataset and s.name = 'demo' and s.demo
