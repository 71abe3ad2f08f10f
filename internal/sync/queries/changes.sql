What devices are sent.

-- name: changed
-- Of the kinds sent down what touched the areas, of those of which everybody has his own
-- ($10) all there is, and the asker's own: receipts, and what sends him a record anew.
select c.xid, c.seq, c.layer, coalesce(c.id::text, ''), c.op::text, c.old_scope, c.new_scope
from change_log c
where (c.xid, c.seq) > ($1::xid8, $2::bigint) and (c.xid, c.seq) <= ($3::xid8, $4::bigint)
  and (c.layer = any ($5) and (c.layer = any ($10) or coalesce(c.old_scope && $6::int8multirange, false) or coalesce(c.new_scope && $6::int8multirange, false))
    or c.layer = 'sync_receipt' and exists (select from sync_receipt r where r.op_id = c.id and r.actor = $7)
    or c.layer = any ($9) and c.actor = $7)
order by c.xid, c.seq limit $8

-- name: receipts
select op_id::text, coalesce(object::text, ''), kind, status, coalesce(seen_by, ''), seen_at, coalesce(reason_zh, ''), coalesce(reason_en, '')
from sync_receipt where actor = $1 and op_id = any ($2::uuid[])

-- name: receipts_since
select op_id::text, coalesce(object::text, ''), kind, status, coalesce(seen_by, ''), seen_at, coalesce(reason_zh, ''), coalesce(reason_en, '')
from sync_receipt where actor = $1 and at > $2 order by at desc limit 2000
