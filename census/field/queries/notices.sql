Notices and who has read them.

-- name: notices_down
select n.id::text, n.version, n.state, to_jsonb(f), n.geom, range_merge(n.scopes), n.updated_by, n.updated_at
from notices n cross join lateral (select n.kind, n.title, n.body, n.level, n.hazard, n.areas, n.issued_at, n.expires_at, n.withdrawn_at, n.name as issued_by,
  (select min(a.read_at) from notice_acks a where a.notice = n.id and a.actor = $1) as acknowledged_at) f
where n.scopes && $2::int8multirange and ($3::uuid[] is null or n.id = any ($3)) and ($4::uuid is null or n.id > $4)
  and ($3::uuid[] is not null or n.state = 'issued' and coalesce(n.expires_at, n.issued_at + interval '30 days') > now())
order by n.id limit $5

-- name: notices_former
select n.id::text from notices n where n.id = any ($2::uuid[]) and n.scopes && $1::int8multirange

-- name: notices_read
select distinct notice::text from notice_acks where actor = $1 and id = any ($2::uuid[])

-- name: notices
-- Who was to read it are the grid workers of its areas, as far as the asker's own areas
-- ($2, of his desk) go; without a desk nobody is counted.
select n.id::text, n.kind, n.title, n.body, coalesce(n.level, 0), coalesce(n.hazard, ''), n.areas, n.state, n.issued_at, n.expires_at, n.withdrawn_at, coalesce(n.withdrawn_by, ''), coalesce(n.reason, ''),
  coalesce(n.account::text, ''), n.name, n.scopes, n.version,
  (select min(a.read_at) from notice_acks a where a.notice = n.id and a.actor = $6),
  coalesce(c.expected, 0), coalesce(c.acknowledged, 0)
from notices n left join lateral (
  select count(*) as expected, count(*) filter (where x.read) as acknowledged from (
    select g.account, bool_or(exists (select from notice_acks a where a.notice = n.id and a.account = g.account)) as read
    from auth.role_grant g join auth.account p on p.id = g.account
    where g.role = 'grid_worker' and p.state = 'active' and g.revoked_at is null and g.valid_from <= $7 and (g.valid_to is null or g.valid_to > $7)
      and n.scopes && g.scope and g.scope <@ $2::int8multirange
    group by g.account) x) c on true
where n.scopes && $1::int8multirange and ($3::uuid[] is null or n.id = any ($3))
  and ($4 = '' or n.state = $4) and (not $5::boolean or n.state = 'issued' and (n.expires_at is null or n.expires_at > $7))
  and ($8::uuid is null or n.id < $8)
order by n.id desc limit $9

-- name: notice_readers
-- Everybody who was to read it, and whoever else did, with the first time he did.
select p.id::text, p.name, coalesce(nullif(e.area, ''), coalesce(p.unit, '')), e.area is not null, r.read_at, r.received_at
from (select g.account, min(g.area) as area from auth.role_grant g join notices n on n.id = $1
      where g.role = 'grid_worker' and g.revoked_at is null and g.valid_from <= $3 and (g.valid_to is null or g.valid_to > $3)
        and n.scopes && g.scope and g.scope <@ $2::int8multirange group by g.account) e
full join (select a.account, min(a.read_at) as read_at, min(a.received_at) as received_at from notice_acks a
      where a.notice = $1 and a.scope <@ $2::int8multirange group by a.account) r on r.account = e.account
join auth.account p on p.id = coalesce(e.account, r.account)
where r.account is not null or p.state = 'active'
order by r.read_at nulls first, p.name, p.id limit 2000

-- name: notice_insert
insert into notices (id, kind, title, body, level, hazard, areas, scopes, issued_at, expires_at, account, actor, name)
select $1, $2, $3, $4, nullif($5, 0), nullif($6, ''), $7::text[], (select range_agg(code_scope(c)) from unnest($7::text[]) c), $8, $9, $10, $11, $12

-- name: notice_withdraw
update notices set state = 'withdrawn', withdrawn_at = $3, withdrawn_by = $4, reason = nullif($5, '') where id = $1 and version = $2 and state = 'issued'
