People, grants and tokens as the administrators see them. An area argument is the
int8multirange of who asks; whoever lies outside is absent.

-- name: new_account
insert into auth.account (id, username, name, unit, department, position, phone)
values ($1, $2, $3, nullif($4, ''), nullif($5, ''), nullif($6, ''), nullif($7, ''))

-- name: new_accounts
insert into auth.account (id, username, name, unit, department, position, phone)
select n.id, n.username, n.name, nullif(n.unit, ''), nullif(n.department, ''), nullif(n.position, ''), nullif(n.phone, '')
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) as n(id, username, name, unit, department, position, phone)

-- name: new_activations
insert into auth.activation (hash, account, created_at, expires_at, issuer)
select n.hash, n.account, $3, $4, $5 from unnest($1::bytea[], $2::uuid[]) as n(hash, account)

-- name: taken_usernames
select username from auth.account where username = any($1)

-- name: update_account
update auth.account set name = $2, unit = nullif($3, ''), department = nullif($4, ''), position = nullif($5, ''), phone = nullif($6, ''), state = $7
where id = $1

-- name: set_state
update auth.account set state = $2 where id = $1 and state <> $2

-- name: accounts
select a.id, a.username, a.name, coalesce(a.unit, ''), coalesce(a.department, ''), coalesce(a.position, ''), coalesce(a.phone, ''), a.state,
       c.totp_enabled_at is not null, c.last_sign_in_at, a.version, a.created_at, a.created_by
from auth.account a left join auth.credential c on c.account = a.id
where a.unit_scope <@ $1::int8multirange
  and ($2 = '' or position(lower($2) in lower(a.username || ' ' || a.name || ' ' || coalesce(a.department, ''))) > 0)
  and ($3 = '' or a.state = $3) and a.username > $4
order by a.username limit $5

-- name: account
select a.id, a.username, a.name, coalesce(a.unit, ''), coalesce(a.department, ''), coalesce(a.position, ''), coalesce(a.phone, ''), a.state,
       c.totp_enabled_at is not null, c.last_sign_in_at, a.version, a.created_at, a.created_by
from auth.account a left join auth.credential c on c.account = a.id
where a.id = $1 and (a.unit_scope <@ $2::int8multirange or a.id = $3)

-- name: account_by_name
select id from auth.account where username = $1

-- name: grants_of
select g.id, g.account, g.role, g.area, g.valid_from, g.valid_to, a.username, a.name,
       case when g.revoked_at is not null then 'revoked' when g.valid_to <= $2 then 'expired' when g.valid_from > $2 then 'future' else 'valid' end,
       coalesce(b.username, 'onemap'), g.granted_at, g.reason, coalesce(r.username, ''), g.revoked_at
from auth.role_grant g join auth.account a on a.id = g.account
  left join auth.account b on b.id = g.granted_by left join auth.account r on r.id = g.revoked_by
where g.account = any($1) and g.revoked_at is null and (g.valid_to is null or g.valid_to > $2)
order by g.valid_from, g.id

-- name: grants
select * from (
  select g.id, g.account, g.role, g.area, g.valid_from, g.valid_to, a.username, a.name,
         case when g.revoked_at is not null then 'revoked' when g.valid_to <= $7 then 'expired' when g.valid_from > $7 then 'future' else 'valid' end as state,
         coalesce(b.username, 'onemap'), g.granted_at, g.reason, coalesce(r.username, ''), g.revoked_at
  from auth.role_grant g join auth.account a on a.id = g.account
    left join auth.account b on b.id = g.granted_by left join auth.account r on r.id = g.revoked_by
  where (g.scope <@ $1::int8multirange or g.account = $2)
    and ($3::uuid is null or g.account = $3) and ($4 = '' or g.role = $4) and ($5::uuid is null or g.id < $5)) x
where $6 = '' or x.state = $6
order by x.id desc limit $8

-- name: new_grant
insert into auth.role_grant (id, account, role, area, valid_from, valid_to, reason, granted_by) values ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: find_grant
select account, role, area, scope, valid_from, valid_to, revoked_at from auth.role_grant where id = $1

-- name: revoke_grant
update auth.role_grant set revoked_at = $2, revoked_by = $3, revoke_reason = $4 where id = $1 and revoked_at is null

-- name: held_by
select role, scope from auth.role_grant where account = $1 and revoked_at is null and (valid_to is null or valid_to > $2)

-- name: issuer_holds
select g.role, g.scope from auth.role_grant g join auth.account a on a.id = g.account
where a.id = $1 and a.state = 'active' and g.revoked_at is null and g.valid_from <= $2 and (g.valid_to is null or g.valid_to > $2)

-- name: tokens
select t.id, t.name, t.role, t.area, t.scopes, coalesce(t.network::text, ''), t.created_at, coalesce(a.username, 'onemap'), t.expires_at, t.revoked_at, t.last_used_at
from auth.token t left join auth.account a on a.id = t.created_by
where t.scope <@ $1::int8multirange or t.created_by = $2
order by t.id desc limit 10000

-- name: new_token
insert into auth.token (id, hash, name, role, area, scopes, network, created_at, created_by, stands, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)

-- name: find_token
select name, role, area, scope, created_by, revoked_at from auth.token where id = $1

-- name: revoke_token
update auth.token set revoked_at = $2, revoked_by = $3 where id = $1 and revoked_at is null
