Live incidents: the rows, and what belongs to them.

-- name: incident_unit
-- The smallest unit around a shape; everywhere, with no name, where there is none.
select u.s, coalesce((select a.name from admin a where a.scope = u.s and a.valid_to is null limit 1), '')
from (select coalesce(case when sync_place($1::geometry) = every_scope() then scope_at(st_pointonsurface($1::geometry)) else sync_place($1::geometry) end, every_scope()) as s) u

-- name: incident_named
select code, scope, title, weight from incident_named($1::text)

-- name: incidents
-- $1 single ones, $2 states, $3 kind, $4 area, $5 level, $6 text, $7 exercise, $8 since, $9-$10 the cursor.
select i.id::text, i.fid, i.version, coalesce(i.code, ''), coalesce(i.name, ''), coalesce(i.kind, ''), coalesce(i.type_code, ''), coalesce(i.class, ''), i.state,
  coalesce(i.level, 0)::int, coalesce(i.level_proposed, 0)::int, i.level_reason, coalesce(i.level_by, ''), coalesce(i.level_note, ''), i.level_at, i.exercise,
  i.occurred_at, i.known_at, i.closed_at, i.verified_at, i.responding_at, i.archived_at, coalesce(i.place, ''), coalesce(i.description, ''), coalesce(i.source, ''),
  i.persons_reported, i.deaths, i.missing, i.injured, i.affected, i.evacuated, i.loss_wan, i.magnitude, i.figures_at, i.scope, i.geom,
  coalesce(i.merged_into::text, ''), coalesce(i.merged_state, ''), coalesce(i.source_report::text, ''),
  (select count(*) from incident_entry e where e.incident = i.id)::int,
  (select count(*) from incident_sketches k where k.incident = i.id and (k.valid_to is null or k.valid_to > $12))::int,
  (select count(*) from incidents o where o.merged_into = i.id)::int,
  coalesce((select jsonb_agg(jsonb_build_object('kind', e.kind, 'channel', e.channel, 'to_level', e.to_level, 'at', e.sent_at)) from incident_entry e where e.incident = i.id and e.corrects is null), '[]'),
  coalesce((select jsonb_agg(to_jsonb(c)) from incident_clock c where c.incident = i.id), '[]'),
  coalesce(n.reporter, ''), coalesce(p.contact::text, ''), coalesce(p.masked, ''), i.recorded_at, i.recorded_by, coalesce(d.demo, false)
from incidents i left join dataset d on d.id = i.dataset left join incident_intake n on n.incident = i.id left join lateral restricted.caller(array[i.id]) p on $13
where ($1::uuid[] is null or i.id = any ($1))
  and ($2::text[] is null or i.state = any ($2))
  and ($3::text = '' or i.kind = $3)
  and ($4::int8range is null or i.scope && $4)
  and ($5::int = 0 or i.level = $5)
  and ($6::text = '' or i.name ilike $6 or i.code ilike $6 or i.place ilike $6 or i.description ilike $6)
  and ($7::boolean is null or i.exercise = $7)
  and ($8::timestamptz is null or i.known_at >= $8)
  and ($9::timestamptz is null or (coalesce(i.known_at, i.created_at), i.id) < ($9, $10::uuid))
order by coalesce(i.known_at, i.created_at) desc, i.id desc limit $11

-- name: incidents_open
-- What the counts and the clocks of all that is open depend on. Drills are counted only
-- where they alone are asked for: a list of both counts what is real.
select coalesce(i.kind, ''), i.state, coalesce(i.level, 0)::int, coalesce(i.level_proposed, 0)::int, i.occurred_at, i.known_at, i.closed_at, i.responding_at, i.archived_at,
  coalesce((select jsonb_agg(jsonb_build_object('kind', e.kind, 'channel', e.channel, 'to_level', e.to_level, 'at', e.sent_at)) from incident_entry e where e.incident = i.id and e.corrects is null), '[]'),
  coalesce((select jsonb_agg(to_jsonb(c)) from incident_clock c where c.incident = i.id), '[]')
from incidents i
where i.state in ('received', 'verified', 'responding') and i.exercise = coalesce($1::boolean, false) and ($2::int8range is null or i.scope && $2)

-- name: incident_lock
select i.state, i.version from incidents i where i.id = $1 for update

-- name: incident_body
select n.body, coalesce(n.account::text, ''), n.actor from incident_intake n where n.incident = $1

-- name: incident_of_report
select i.id::text from incidents i where i.source_report = $1

-- name: incident_new_number
select incident_number($1::int8range, $2::int, $3::boolean)

-- name: incident_insert
insert into incidents (id, code, name, kind, class, type_code, state, exercise, occurred_at, known_at, place, description, source, persons_reported,
  deaths, missing, injured, affected, evacuated, loss_wan, figures_at, level_proposed, level_reason, admin_code, geom, source_report, emergency_dept, magnitude)
values ($1, $2, $3, $4, $5, nullif($6, ''), 'received', $7, $8, $9, nullif($10, ''), nullif($11, ''), $12, $13,
  $14, $15, $16, $17, $18, $19, $20, nullif($21::int, 0)::smallint, $22, nullif($23, ''), $24, $25::uuid, null, $26)

-- name: incident_write
-- The whole of what changes in a life: the trigger says what of it may.
update incidents set name = $2, kind = $3, class = $4, type_code = nullif($5, ''), state = $6, occurred_at = $7, known_at = $8, closed_at = $9, verified_at = $10, responding_at = $11, archived_at = $12,
  place = nullif($13, ''), description = nullif($14, ''), source = nullif($15, ''), persons_reported = $16, deaths = $17, missing = $18, injured = $19, affected = $20, evacuated = $21, loss_wan = $22,
  figures_at = $23, level = nullif($24::int, 0)::smallint, level_proposed = nullif($25::int, 0)::smallint, level_reason = $26, level_by = nullif($27, ''), level_at = $28, level_account = coalesce($29::uuid, level_account), level_note = nullif($30, ''),
  merged_into = $31::uuid, merged_state = nullif($32, ''), magnitude = $33
where id = $1

-- name: incident_place
-- The unit follows from the place.
update incidents set geom = $2, admin_code = null, place = coalesce(nullif($3, ''), place) where id = $1

-- name: intake_add
insert into incident_intake (incident, body, reporter, account, name) values ($1, $2, nullif($3, ''), $4::uuid, $5)

-- name: intake_reporter
update incident_intake set reporter = nullif($2, '') where incident = $1

-- name: caller_put
select restricted.put_caller($1, $2)

-- name: event_add
insert into incident_event (incident, kind, at, detail, fields, ref, scope, account, name)
select i.id, $2, $3, $4, $5, nullif($6, ''), i.scope, $7::uuid, $8 from incidents i where i.id = $1

-- name: events
select e.id::text, e.incident::text, e.kind, e.at, e.recorded_at, e.detail, e.fields, coalesce(e.ref, ''), e.actor, e.name, e.role
from incident_event e
where ($1::uuid is null or e.incident = $1) and ($2::uuid[] is null or e.id = any ($2))
order by e.at, e.seq limit 5000

-- name: entry_next
select coalesce(max(e.seq), 0) + 1 from incident_entry e where e.incident = $1

-- name: entry_add
insert into incident_entry (id, incident, seq, kind, channel, to_level, content, figures, sent_at, corrects, late, sha256, account, name)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::uuid, $11, $12, $13::uuid, $14)

-- name: entries
select e.id::text, e.incident::text, e.seq, e.kind, e.channel, e.to_level, e.content, e.figures, e.sent_at, e.recorded_at, coalesce(e.corrects::text, ''), e.late, e.sha256, e.actor, e.name
from incident_entry e where ($1::uuid is null or e.incident = $1) and ($2::uuid is null or e.id = $2) order by e.incident, e.seq

-- name: clock_put
insert into incident_clock (incident, name, starts_at, due_at, done_at, late, chosen, rule_version, note, account, by_name)
values ($1, $2, $3, $4, $5, $6, $7, $8, nullif($9, ''), $10::uuid, $11)
on conflict (incident, name) do update set starts_at = excluded.starts_at, due_at = excluded.due_at, done_at = excluded.done_at, late = excluded.late, chosen = excluded.chosen,
  rule_version = excluded.rule_version, note = coalesce(excluded.note, incident_clock.note), account = excluded.account, actor = excluded.actor, by_name = excluded.by_name, at = clock_timestamp()

-- name: sketches
select k.id::text, k.fid, k.version, k.incident::text, coalesce(k.kind, ''), coalesce(k.name, ''), coalesce(k.note, ''), k.geom, k.valid_from, k.valid_to, k.recorded_at, k.recorded_by, k.scope
from incident_sketches k where k.incident = $1 and ($2::uuid is null or k.id = $2) order by k.valid_from nulls first, k.fid

-- name: sketch_add
insert into incident_sketches (id, incident, kind, name, note, geom, valid_from, valid_to, admin_code, exercise)
select $1, i.id, $3, $4, nullif($5, ''), $6, $7, $8, nullif($9, ''), i.exercise from incidents i where i.id = $2

-- name: sketch_write
update incident_sketches set kind = $3, name = $4, note = nullif($5, ''), geom = $6, valid_from = $7, valid_to = $8, admin_code = nullif($9, ''),
  scope = case when $9 = '' then null else code_scope($9) end
where id = $1 and incident = $2

-- name: sketch_remove
delete from incident_sketches where id = $1 and incident = $2

-- name: sketch_lock
select k.version from incident_sketches k where k.id = $1 and k.incident = $2 for update

-- name: incidents_near
-- What may be the same: of the same kind, near in time, and near in place or named alike.
select i.id::text, coalesce(case when i.geom is not null and $3::geometry is not null then st_distance(i.geom::geography, $3::geometry::geography) end, -1)::float8,
  coalesce(extract(epoch from (i.known_at - $2)) / 60, 0)::float8
from incidents i
where i.kind = $1 and i.exercise = $7 and i.state in ('received', 'verified', 'responding') and i.known_at between $2 - make_interval(hours => $5) and $2 + make_interval(hours => $5)
  and (i.geom is not null and $3::geometry is not null and i.geom && st_expand($3::geometry, $4 / 80000.0) and st_dwithin(i.geom::geography, $3::geometry::geography, $4)
    or $6 <> '' and (i.place = $6 or length($6) >= 4 and similarity(i.place, $6) > 0.45))
  and ($8::uuid is null or i.id <> $8)
order by 2, 1 limit 20

-- name: incident_kpi
-- What happened in a period, by the township it lies in; drills and what was merged are out.
select coalesce(t.code, ''), coalesce(t.name, ''), coalesce(i.kind, ''), i.state, coalesce(i.level, 0)::int, coalesce(i.level_proposed, 0)::int, i.occurred_at, i.known_at, i.closed_at, i.responding_at, i.archived_at,
  coalesce((select jsonb_agg(jsonb_build_object('kind', e.kind, 'channel', e.channel, 'to_level', e.to_level, 'at', e.sent_at)) from incident_entry e where e.incident = i.id and e.corrects is null), '[]'),
  coalesce((select jsonb_agg(to_jsonb(c)) from incident_clock c where c.incident = i.id), '[]')
from incidents i left join lateral (select a.code, a.name from admin a where a.rank = 4 and a.valid_to is null and a.scope @> i.scope order by a.fid limit 1) t on true
where not i.exercise and i.state <> 'merged' and i.known_at >= $1 and i.known_at < $2 and ($3::int8range is null or i.scope && $3)
