The areas a pack can be made of: administrative units, and grids.

-- name: areas
select code, name, st_xmin(geom), st_ymin(geom), st_xmax(geom), st_ymax(geom) from (
  select a.code, a.name, a.geom, 0 as grid from admin a
  where (a.code = any ($1::text[]) or a.rank = 4 and a.scope <@ $2::int8multirange)
    and a.valid_to is null and a.geom is not null and a.scope && $3::int8multirange
  union all
  select g.code, g.name, g.geom, 1 from grids g
  where g.code = any ($1::text[]) and g.geom is not null and g.scope && $4::int8multirange) u
order by grid desc, array_position($1::text[], code), code
limit $5
