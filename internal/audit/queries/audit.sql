Statements of the log. Writing goes through functions of the schema only.

-- name: seal
select audit.seal_next($1)

-- name: claims
select set_config('app.actor', 'audit', $1), set_config('app.role', 'system', $1), set_config('app.read', '{(,)}', $1)

-- name: setting
select value from setting where key = $1

-- name: head
select h.no, encode(h.hash, 'hex'), s.at, coalesce(s.count, 0) from audit.head h left join audit.seal s on s.no = h.no

-- name: verify_seals
select no, at, (extract(epoch from at) * 1000000)::bigint, encode(prev, 'hex'), seqs, count, encode(digest, 'hex'), upto, xid::text, settled, encode(hash, 'hex')
from audit.seal where no > $1 order by no limit $2

-- name: verify_entries
select s.no, e.seq, encode(e.hash, 'hex'),
  array[e.seq::text, (extract(epoch from e.at) * 1000000)::bigint::text, e.xid::text, e.request, e.account::text, e.actor, e.name, e.role,
    e.grant_id, e.kind, e.session, e.peer, e.action, e.object, e.area, e.scope::text, e.reason, e.outcome,
    e.before::text, e.after::text, e.first_seq::text, e.last_seq::text]
from audit.seal s, unnest(s.seqs) r(one), audit.entry e
where s.no > $1 and s.no <= $2 and e.seq >= lower(r.one) and e.seq < upper(r.one)
order by s.no, e.seq

-- name: verify_unsealed
select e.seq, encode(e.hash, 'hex'),
  array[e.seq::text, (extract(epoch from e.at) * 1000000)::bigint::text, e.xid::text, e.request, e.account::text, e.actor, e.name, e.role,
    e.grant_id, e.kind, e.session, e.peer, e.action, e.object, e.area, e.scope::text, e.reason, e.outcome,
    e.before::text, e.after::text, e.first_seq::text, e.last_seq::text]
from unnest($1::bigint[], $2::bigint[]) gap(lo, hi), audit.entry e
where e.seq >= gap.lo and e.seq < gap.hi
order by e.seq

-- name: verify_head
select h.no, encode(h.hash, 'hex'), f.no, coalesce(r.no, 0), coalesce(encode(r.hash, 'hex'), '')
from audit.head h, audit.forward f left join lateral (select no, hash from audit.retired order by no desc limit 1) r on true

-- name: search
select e.seq, e.at, e.xid::text, e.request, coalesce(e.account::text, ''), e.actor, coalesce(e.name, ''), e.role, e.grant_id, e.kind, e.session, e.peer,
  e.action, e.object, e.area, e.reason, e.outcome, e.before, e.after, e.first_seq, e.last_seq, encode(e.hash, 'hex')
from audit.entry e
where coalesce(e.scope <@ current_setting('app.read')::int8multirange, false)
  and ($1::bigint is null or e.seq < $1)
  and ($2::timestamptz is null or e.at >= $2) and ($3::timestamptz is null or e.at < $3)
  and ($4 = '' or e.actor = $4)
  and ($5 = '' or e.action = $5 or starts_with(e.action, $5 || '.'))
  and ($6 = '' or e.object = $6 or starts_with(e.object, $6 || '/'))
  and ($7 = '' or e.outcome = $7)
  and ($8 = '' or position(lower($8) in lower(concat_ws(' ', e.actor, e.name, e.action, e.object, e.area, e.reason, e.peer, e.before::text, e.after::text))) > 0)
order by e.seq desc limit $9

-- name: sealed_above
select coalesce(max(s.settled), 0), coalesce((
  select range_agg(r.one) from audit.seal x, unnest(x.seqs) r(one) where x.upto > (select max(y.settled) from audit.seal y)), '{}')
from audit.seal s
