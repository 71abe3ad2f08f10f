Sending by syslog: seals in their order, each after its entries; the greatest number
stands for the seal itself.

-- name: forward_lock
select pg_try_advisory_lock(7815265491820146)

-- name: forward_start
select no, seq, back_no, back_seq from audit.forward

-- name: forward_next
with near as materialized (
  -- no more seals than fill the batch
  select * from (select x.*, sum(x.count + 1) over (order by x.no) - x.count as before from audit.seal x where x.no >= $1 order by x.no limit 200) y
  where y.no = $1 or y.before <= $3::bigint + 1
)
select m.no, m.seq, m.at, m.action, m.outcome, m.actor, m.name, m.account, m.role, m.grant_id, m.kind, m.session, m.peer, m.request,
  m.object, m.area, m.reason, m.first, m.last, m.hash, m.count
from (
  select s.no, e.seq, e.at, e.action, e.outcome, e.actor, coalesce(e.name, '') as name, coalesce(e.account::text, '') as account, e.role, e.grant_id, e.kind,
    e.session, e.peer, e.request, e.object, e.area, e.reason, coalesce(e.xid || '.' || e.first_seq, '') as first, coalesce(e.xid || '.' || e.last_seq, '') as last,
    encode(e.hash, 'hex') as hash, 0::bigint as count
  from near s, unnest(s.seqs) r(one), audit.entry e
  where e.seq >= lower(r.one) and e.seq < upper(r.one) and (s.no > $1 or e.seq > $2)
  union all
  select s.no, 9223372036854775807, s.at, 'audit.seal', 'done', '', '', '', '', '', '', '', '', '', '', '', '', '', '', encode(s.hash, 'hex'), s.count
  from near s where s.no > $1 or 9223372036854775807 > $2
) m
order by m.no, m.seq limit $3::bigint

-- name: forward_moved
update audit.forward set no = $1, seq = $2, back_no = $3, back_seq = $4, target = $5, at = now()

-- name: forward_lag
select coalesce(sum(case when s.no > $1 then s.count + 1
    when $2 < 9223372036854775807 then 1 + (select count(*) from unnest(s.seqs) r(one), audit.entry e where e.seq >= lower(r.one) and e.seq < upper(r.one) and e.seq > $2)
    else 0 end), 0)::bigint,
  min(s.at) filter (where s.no > $1 or $2 < 9223372036854775807)
from audit.seal s where s.no >= $1
