The parts a tile's statement is put together from. Words in braces are replaced
by identifiers of the catalogue (sanitised), by bind parameters, or by other parts;
text of a request never gets into the statement.

One statement asks for all layers of a tile, so all are of one snapshot. A row r
carries everything one feature needs: g geometry, live (false: becomes valid
later), next (when its being shown changes), small (an area too small to see),
tiny (an area that may vanish when drawn), worst (level 1 or 2).

-- name: layer
select {ordinal} as ordinal, m.mvt, m.n, m.small, m.next, {total}
from (select ST_AsMVT(p, {name}, 4096, '_geom'{fid_name}) as mvt, count(*) as n, count(*) filter (where r.small) as small, min(r.next) as next
      from ({rows}) r cross join lateral (select {geometry} as _geom{properties}) p) m{join}

-- name: no_total
null::bigint as total, null::timestamptz as total_next

-- name: total
c.total, c.total_next

-- name: total_join
 cross join (select count(*) filter (where u.live) as total, min(u.next) as total_next from ({source}) u) c

-- name: source
select {columns} from {table} t{extra} where {where}

-- name: source_as_of
select {columns} from {table} t{extra} where {where} and t.recorded_at <= {as_of}
union all
select {columns} from {history} t{extra} where {where} and t.recorded_at <= {as_of} and t.sys_to > {as_of}

-- name: rows_any
{source} limit {limit}

-- name: rows_ranked
select * from ({source}) u order by u.live desc, u.rank1 nulls last, u.rank2 desc nulls last, u.fid limit {limit}

-- name: tile_geometry
ST_AsMVTGeom({g}, {bounds}, 4096, {buffer}, true)

-- name: bounds_mercator
ST_TileEnvelope({z}, {x}, {y})

-- name: bounds_flat
ST_MakeEnvelope({w}, {s}, {e}, {n}, {srid})

-- name: point_flat
r.g

-- name: line_flat
ST_Simplify(r.g, {cell_degrees}, true)

-- name: area_flat
ST_SnapToGrid(r.g, {cell_degrees})

-- name: worst_box_flat
ST_Expand(ST_Centroid(r.g), {half_box_degrees})

-- name: point_lonlat
ST_Transform(r.g, 3857)

-- name: line_lonlat
ST_Transform(ST_Simplify(r.g, {cell_degrees}, true), 3857)

-- name: area_lonlat
ST_Transform(ST_SnapToGrid(r.g, {cell_degrees}), 3857)

-- name: point_other
ST_Transform(r.g, 3857)

-- name: line_other
ST_Simplify(ST_Transform(r.g, 3857), {cell_metres}, true)

-- name: area_other
ST_SnapToGrid(ST_Transform(r.g, 3857), -20037508.342789244, 20037508.342789244, {cell_metres}, {cell_metres})

-- name: worst_box
ST_Expand(ST_Transform(ST_Centroid(r.g), 3857), {half_box_metres})

-- name: by_dimension
case ST_Dimension(r.g) when 2 then {area} when 1 then {line} else {point} end

-- name: narrower
(ST_XMax(s.box) - ST_XMin(s.box) < {size} and ST_YMax(s.box) - ST_YMin(s.box) < {size})

-- name: generalised
left join {shapes} s1 on s1.id = t.{id} and s1.z = {z}

-- name: box_once
 cross join lateral (select box3d(t.{geom}) as box offset 0) s

-- name: sane_geometry
case when ST_NPoints(t.{geom}) > 300 and not ST_IsValid(t.{geom}) then null else ST_Force2D(ST_CurveToLine(t.{geom})) end

-- name: envelope_other
ST_Expand(ST_Transform(ST_Segmentize(ST_MakeEnvelope({w}, {s}, {e}, {n}, 4490), {step}), {srid}::integer), {margin})
