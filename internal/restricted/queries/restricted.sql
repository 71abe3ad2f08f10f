The app role cannot read the columns; it calls the functions of the schema.

-- name: list
select id::text, kind, coalesce(admin_code, ''), coalesce(layer, ''), coalesce(feature::text, ''), coalesce(role, ''), coalesce(unit, ''), coalesce(post, ''),
  coalesce(person, ''), coalesce(deputy_post, ''), coalesce(deputy, ''), starts_at, ends_at, fields
from restricted.list($1, $2, $3::uuid, $4::uuid, $5)

-- name: ask
select restricted.ask($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9, $10)::text

-- name: reveal
select restricted.reveal($1::uuid)

-- name: ask_households
select restricted.ask_households($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)::text

-- name: households_clear
delete from restricted.household where scope <@ code_scope($1) and must_move and dataset is null

-- name: households_add
insert into restricted.household (admin_code, scope, head, address, persons, elderly, children, disabled, phone, must_move, move)
select x.area, code_scope(x.area), x.head, x.address, x.persons, x.elderly, x.children, x.disabled, x.phone, true, x.move
from unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::int[], $6::int[], $7::int[], $8::text[], $9::text[]) x(area, head, address, persons, elderly, children, disabled, phone, move)

-- name: households
select id::text, admin_code, coalesce(head, ''), coalesce(address, ''), coalesce(persons, 0), coalesce(elderly, 0), coalesce(children, 0), coalesce(disabled, 0), coalesce(phone, ''), coalesce(move, '')
from restricted.households($1::uuid, $2)

-- name: duty_desk
select name, phone from restricted.duty_desk($1, $2)

-- name: ask_all
select restricted.ask_all($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)::text

-- name: contacts_in_clear
-- Who answers for a feature is found by the unit it lies in.
select c.id::text, kind, coalesce(admin_code, (select u.code from restricted.contact x join responsibility r on r.id = x.responsibility join admin u on u.scope = r.scope and u.valid_to is null where x.id = c.id limit 1),
  (select u.code from restricted.contact x join responsibility r on r.id = x.responsibility join grids u on u.scope = r.scope and u.valid_to is null where x.id = c.id limit 1), ''), coalesce(layer, ''), coalesce(feature::text, ''), coalesce(role, ''), coalesce(unit, ''), coalesce(post, ''),
  coalesce(person, ''), coalesce(deputy_post, ''), coalesce(deputy, ''), starts_at, ends_at, fields
from restricted.contacts_in_clear($1::uuid, $2) c

-- name: households_in_clear
select id::text, admin_code, coalesce(head, ''), coalesce(address, ''), coalesce(persons, 0), coalesce(elderly, 0), coalesce(children, 0), coalesce(disabled, 0), coalesce(phone, ''), coalesce(move, '')
from restricted.households_in_clear($1::uuid, $2)
