Which photos are whole, who sent them, what refers to them.

-- name: blob
select b.size, b.type, exists (select from blob_owner o where o.sha256 = b.sha256 and o.account = $2::uuid)
from blob b where b.sha256 = $1

-- name: owned
select o.sha256, b.size from blob_owner o join blob b using (sha256)
where o.account = $1::uuid and o.sha256 = any ($2::bytea[])

-- name: keep
insert into blob (sha256, size, type, width, height) values ($1, $2, $3, $4, $5) on conflict do nothing

-- name: own
insert into blob_owner (sha256, account, device) values ($1, $2::uuid, $3) on conflict do nothing

-- name: loose
select count(*) from (
  select from blob_owner o where o.account = $1::uuid and not exists (select from blob_ref r where r.sha256 = o.sha256)
  limit $2) loose

-- name: refer
insert into blob_ref (sha256, kind, object, op_id, scope, account)
select s, $2, $3, $4, $5, $6::uuid from unnest($1::bytea[]) s on conflict do nothing

-- name: refs
select kind, object, array_agg(distinct scope) from blob_ref where sha256 = $1
group by kind, object order by max(at) desc limit 50

-- name: row
select blob_row($1, $2::uuid)

-- name: awaited
select exists (select from blob_ref where sha256 = $1 and account = $2::uuid)
