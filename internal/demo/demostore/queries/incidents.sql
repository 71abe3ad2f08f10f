How the incidents of the demo county came to be what they are. Told again, nothing is done twice.

-- name: incident_events
insert into incident_event (incident, kind, at, recorded_at, detail, fields, scope, actor, name, role)
select i.id, e.kind, e.at, e.at, e.detail, e.fields, i.scope, 'demo', e.name, 'duty_officer'
from incidents i cross join lateral (values
  ('received', i.known_at, i.description, jsonb_build_object('number', i.code, 'source', i.source, 'located_by', 'geometry'), '值班员'),
  ('state', i.verified_at, '电话回访核实', jsonb_build_object('from', 'received', 'to', 'verified'), '值班员'),
  ('state', i.responding_at, '通知属地和相关部门处置', jsonb_build_object('from', 'verified', 'to', 'responding'), '值班员'),
  ('level', i.level_at, '', jsonb_build_object('from', 0, 'to', i.level, 'proposed', i.level_proposed), '值班长'),
  ('state', i.closed_at, '现场处置完毕', jsonb_build_object('from', 'responding', 'to', 'closed'), '值班员'),
  ('state', i.archived_at, '', jsonb_build_object('from', 'closed', 'to', 'archived'), '值班员')) e(kind, at, detail, fields, name)
where i.dataset = $1 and e.at is not null and i.known_at > now() - interval '60 days'
  and not exists (select from incident_event o where o.incident = i.id and o.kind = e.kind and o.fields = e.fields)

-- name: incident_first
-- Serious ones were told upwards by telephone; of every fifth it came late.
insert into incident_entry (id, incident, seq, kind, channel, to_level, content, figures, sent_at, recorded_at, late, sha256, actor, name, role)
select md5('first' || i.id)::uuid, i.id, 1, 'first', 'phone', 'province', t.text, jsonb_build_object('affected', coalesce(i.affected, 0)), t.at, t.at, t.at > i.occurred_at + interval '2 hours',
  encode(sha256(convert_to(t.text, 'UTF8')), 'hex'), 'demo', '值班员', 'duty_officer'
from incidents i cross join lateral (select '首报(电话):' || coalesce(i.place, '') || ',' || coalesce(i.description, '') as text,
  i.known_at + case when ('x' || left(md5(i.id::text), 4))::bit(16)::int % 5 = 0 then interval '150 minutes' else interval '35 minutes' end as at) t
where i.dataset = $1 and i.level <= 3 and not i.exercise and t.at < now()
on conflict do nothing

-- name: incident_clocks
-- The roads of what is over were reopened; how long it took is written down.
insert into incident_clock (incident, name, starts_at, due_at, done_at, late, rule_version, actor, by_name)
select i.id, 'road_reopened', i.occurred_at, i.occurred_at + interval '8 hours', t.at, t.at > i.occurred_at + interval '8 hours', 1, 'demo', '值班员'
from incidents i cross join lateral (select least(i.closed_at, i.occurred_at + make_interval(mins => 90 + ('x' || left(md5(i.id::text), 4))::bit(16)::int % 600)) as at) t
where i.dataset = $1 and i.kind = 'road_damage' and i.closed_at is not null and t.at > i.occurred_at
on conflict do nothing

-- name: incident_written
-- What is still going on waits for its report in writing: one clock is red.
insert into incident_entry (id, incident, seq, kind, channel, to_level, content, figures, sent_at, recorded_at, late, sha256, actor, name, role)
select md5('written' || i.id)::uuid, i.id, 2, 'first', 'written', 'province', t.text, '{}', t.at, t.at, t.at > e.sent_at + interval '30 minutes', encode(sha256(convert_to(t.text, 'UTF8')), 'hex'), 'demo', '值班员', 'duty_officer'
from incidents i join incident_entry e on e.incident = i.id and e.seq = 1 and e.channel = 'phone'
cross join lateral (select '首报(书面):' || coalesce(i.place, '') || ',' || coalesce(i.description, '') as text, e.sent_at + interval '22 minutes' as at) t
where i.dataset = $1 and t.at < now() and i.state in ('closed', 'archived')
on conflict do nothing

-- name: incident_follow
insert into incident_event (incident, kind, at, recorded_at, detail, fields, ref, scope, actor, name, role)
select i.id, 'report', e.sent_at, e.sent_at, e.content, jsonb_build_object('seq', e.seq, 'kind', e.kind, 'channel', e.channel, 'to_level', e.to_level, 'late', e.late), e.id::text, i.scope, 'demo', '值班员', 'duty_officer'
from incidents i join incident_entry e on e.incident = i.id
where i.dataset = $1 and not exists (select from incident_event o where o.incident = i.id and o.ref = e.id::text)

-- name: incident_numbers
insert into number_counter (kind, county_code, year, last)
select 'incident', '990100', substr(i.code, 11, 4)::int, max(substr(i.code, 16)::int) from incidents i where i.dataset = $1 and i.code ~ '^SJ-990100-[0-9]{4}-[0-9]+$' group by 3
on conflict (kind, county_code, year) do update set last = greatest(number_counter.last, excluded.last)

-- name: remove_sketches
delete from incident_sketches k where k.dataset is null and k.scope <@ code_scope('990100')

-- name: remove_incidents
-- What people received while the demo county was there goes with it.
delete from incidents i where i.dataset is null and i.scope <@ code_scope('990100')
