What a change looked like, for invalidation. Own tables only: they have history.

-- name: new_shapes
select t.{geom} from {table} t where t.{id} = any($1::uuid[]) and t.{geom} is not null

-- name: old_shapes
select h.{geom} from {history} h
join unnest($1::uuid[], $2::text[]::xid8[], $3::bigint[]) as c (id, xid, seq)
  on h.{id} = c.id and h.ended_xid = c.xid and h.ended_seq = c.seq
where h.{geom} is not null

-- name: foreign_facts
-- feed: a trigger of ours reports changes; valid: a check of the table forbids invalid shapes.
select l.layer,
       exists (select from pg_trigger g where g.tgrelid = c.oid and g.tgname = 'onemap_feed_insert' and g.tgenabled <> 'D'),
       exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'c' and k.convalidated
               and pg_get_constraintdef(k.oid) ~* '(st_isvalid|geom_ok)\(')
from layer l
join pg_namespace n on n.nspname = l.table_schema
join pg_class c on c.relnamespace = n.oid and c.relname = l.table_name
where not l.own

-- name: figures
-- By data set, so that nothing is told of sources this asker has no row of.
with r as (select {dataset} as dataset, count(*) as n, ST_Extent(t.{geom}) as box from {table} t where {where} group by 1)
select b.n, ST_XMin(b.box), ST_YMin(b.box), ST_XMax(b.box), ST_YMax(b.box),
       (select max(d.source_date) from dataset d join r on d.id = r.dataset)
from (select coalesce(sum(r.n), 0)::bigint as n, ST_Transform(ST_SetSRID(ST_Extent(r.box::geometry)::geometry, {srid}), 4490) as box from r) b
