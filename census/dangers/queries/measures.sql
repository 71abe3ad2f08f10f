Measures, and what they are linked with.

-- name: measures
select m.id::text, m.version, coalesce(m.code, ''), m.title, m.kind, m.content, m.basis, m.unit, m.person, m.state, m.due_on, m.done_on, m.note, m.admin_code, m.scope,
  m.created_at, m.created_by, coalesce(m.created_account::text, ''), m.updated_at, m.updated_by, (select count(*) from danger_measure l where l.measure = m.id), coalesce(s.demo, false)
from measure m left join dataset s on s.id = m.dataset
where ($1::uuid is null or m.id = $1) and ($2::text = '' or m.state = $2) and ($3::text = '' or m.kind = $3) and ($4::text = '' or m.unit = $4)
  and ($5::int8range is null or m.scope && $5) and ($6::text = '' or m.title ilike $6 or m.content ilike $6 or m.code ilike $6)
  and ($7::uuid is null or exists (select from danger_measure l where l.measure = m.id and l.danger = $7))
  and ($8::uuid is null or m.id < $8)
order by m.id desc limit $9

-- name: measure_lock
select m.id from measure m where m.id = $1 for update

-- name: measure_insert
insert into measure (id, title, kind, content, basis, unit, person, state, due_on, done_on, note, admin_code, scope, created_account, code)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, code_scope($12), $13::uuid, $14)

-- name: measure_update
update measure set title = $2, kind = $3, content = $4, basis = $5, unit = $6, person = $7, state = $8, due_on = $9, done_on = $10, note = $11 where id = $1

-- name: measure_number
insert into number_counter (kind, county_code, year, last) values ('measure', $1, $2, 1)
on conflict (kind, county_code, year) do update set last = number_counter.last + 1
returning last

-- name: danger_measures
select m.id::text, coalesce(m.code, ''), m.title, m.state, l.at from danger_measure l join measure m on m.id = l.measure where l.danger = $1 order by m.id

-- name: measure_dangers
select d.id::text, coalesce(d.code, ''), coalesce(d.name, ''), d.state, l.at from danger_measure l join dangers d on d.id = l.danger where l.measure = $1 order by d.id

-- name: link_add
insert into danger_measure (danger, measure, account) values ($1, $2, $3::uuid) on conflict do nothing

-- name: link_remove
delete from danger_measure where danger = $1 and measure = $2

-- name: link_list
-- Which measure is linked with which danger, by number, for the two ledgers.
select l.danger::text, l.measure::text, coalesce(d.code, ''), coalesce(m.code, m.title) from danger_measure l join dangers d on d.id = l.danger join measure m on m.id = l.measure order by d.id, m.id
