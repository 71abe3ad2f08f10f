The horizon and the rows below it come from one statement: rows of one snapshot,
horizon of the same. The left join returns the horizon even when nothing is new.

-- name: read
with h as materialized (select pg_snapshot_xmin(pg_current_snapshot()) as xmin)
select h.xmin, c.xid, c.seq, c.at, c.layer, c.fid, c.id, c.op, c.row_count, c.old_bbox, c.new_bbox, c.old_scope, c.new_scope, c.actor
from h left join lateral (
  select * from change_log
  where (xid, seq) > ($1::xid8, $2::bigint) and xid < h.xmin
  order by xid, seq limit $3::int) c on true
order by c.xid, c.seq

-- name: replay
select c.xid, c.seq, c.at, c.layer, c.fid, c.id, c.op, c.row_count, c.old_bbox, c.new_bbox, c.old_scope, c.new_scope, c.actor
from change_log c
where (xid, seq) > ($1::xid8, $2::bigint) and (xid, seq) <= ($3::xid8, $4::bigint)
order by xid, seq limit $5::int

-- name: start
with h as materialized (select pg_snapshot_xmin(pg_current_snapshot()) as xmin)
select f.feed_id, h.xmin, coalesce(c.xid, '0'::xid8), coalesce(c.seq, 0)
from feed_state f cross join h left join lateral (
  select xid, seq from change_log where xid < h.xmin order by xid desc, seq desc limit 1) c on true

-- name: end
-- The id the next transaction will have: all that committed lie below it.
select pg_snapshot_xmax(pg_current_snapshot())

-- name: dropped
select dropped_xid from feed_state

-- name: holder
select coalesce(extract(epoch from clock_timestamp() - min(since)), 0)::float8,
       coalesce((array_agg(pid order by since))[1], 0)
from (select xact_start as since, pid from pg_stat_activity where backend_xid is not null and xact_start is not null
      union all
      select prepared, 0 from pg_prepared_xacts) writers

-- name: maintain
select change_log_maintain()

-- name: notify
select pg_notify('onemap_feed', '')
