Names in braces are filled in by sql.go with quoted identifiers of the catalogue or
with one of the fixed fragments there; everything from outside is a parameter.

-- name: items
-- Eight decimals are the grid plans are drawn on: a zone made of a village has its border
-- to the last bit.
select m.matched, f.*
from (select count(*) as matched from (select 1 from {source} t where {where} limit {count_limit}) c) m
left join lateral (
  select {key}::text as key, {fid} as fid, {id} as id, {title} as title, {level} as level,
         (select row_to_json(p)::text from (select {fields}) p) as properties,
         st_asgeojson({shape}, 8, 0) as geometry
  from {source} t
  where {where} and {after}
  order by {order} limit {limit}
) f on true

-- name: item
select {key}::text as key, {fid} as fid, {id} as id, {title} as title, {level} as level,
       (select row_to_json(p)::text from (select {fields}) p) as properties,
       st_asgeojson({shape}, 8, 0) as geometry
from {source} t
where {where} limit 1

-- name: by_ids
select {key}::text as key, {fid} as fid, {id} as id, {title} as title, {level} as level,
       (select row_to_json(p)::text from (select {fields}) p) as properties,
       st_asgeojson({shape}, 8, 0) as geometry
from {source} t
where {where}

-- name: identify_layer
(select {index}::int as layer, d.fid, d.id, d.title, d.level, d.properties, d.geometry, d.distance
 from (
   select {fid} as fid, {id} as id, {title} as title, {level} as level,
          (select row_to_json(p)::text from (select {fields}) p) as properties,
          st_asgeojson(case when st_npoints(g.shape) > {max_points} then st_simplify(g.shape, {tolerance}, true) else g.shape end, 6, 0) as geometry,
          case when st_intersects(g.shape, {point}) then 0
               else st_distance(g.shape::geography, {point}::geography) end as distance
   from {source} t, lateral (select {shape} as shape) g
   where {where}
 ) d
 where d.distance <= {radius}
 order by d.level nulls last, d.distance, d.fid
 limit {limit})

-- name: search_layer
(select {index}::int as layer, s.* from (
   select {fid} as fid, {id} as id, t.name as title, t.code as code, {unit} as unit, {scope} as scope, {shape} as shape
   from {source} t where ({match}) and {where} limit {cap}) s)

-- name: search_heads
-- The units a text begins with by their names, with or without 镇, 村 and their like.
select t.code, length(h.head) from {source} t, unnest(array[t.name, regexp_replace(t.name, '(街道|社区|居委会|村委会|[省市县区乡镇村])$', '')]) h(head)
where length(h.head) >= 2 and length(h.head) < length({q}) and starts_with({q}, h.head) and {where}
order by 2 desc, 1 limit 8

-- name: search
select f.layer, f.fid, f.id, f.title, f.code,
       coalesce((select a.name from admin a where a.code = f.unit and a.valid_to is null limit 1),
                (select a.name from admin a where f.unit is null and a.scope = f.scope and a.valid_to is null limit 1)) as admin, f.tier,
       st_xmin(f.shape), st_ymin(f.shape), st_xmax(f.shape), st_ymax(f.shape)
from (
  select u.*, case when u.title = {q} or u.code = {q} then 0
                   when starts_with(u.title, {q}) or starts_with(u.code, {q}) or {by_alias} then 1
                   else 2 end as tier
  from (
{layers}
  ) u
  order by tier, (u.layer <> {admin}), u.layer, length(u.title), u.fid limit {limit}
) f

-- name: layer_sources
select {index}::int as layer,
       (select count(*) from {source} t where {geom} is null and {where}) as unplaced,
       (select string_agg(distinct coalesce(d.source_dept, d.title), '、') from dataset d
        where exists (select 1 from {source} t where t.dataset = d.id and {where})) as source

-- name: unit
select coalesce(t.name, t.code), st_xmin(t.geom), st_ymin(t.geom), st_xmax(t.geom), st_ymax(t.geom)
from {source} t where t.code = {code} and {where} limit 1

-- name: demo_area
select range_agg(a.scope) from admin a where a.dataset = any (array(select d.id from dataset d where d.demo))

-- name: were_shown
select t.ended_seq from {history} t where {where} and t.ended_seq = any({seqs})
