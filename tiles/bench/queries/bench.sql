The benchmark's own statements.

-- name: ready
select coalesce((select description = $1 from pg_database d join pg_shdescription s on s.objoid = d.oid where d.datname = current_database()), false)

-- name: schema
create schema bench;
set search_path = bench, public

-- name: finish
set search_path = bench, public;
set maintenance_work_mem = '256MB';
alter table hazards add primary key (id);
alter table hazards_major add primary key (id);
alter table buildings add primary key (id);
alter table zones add primary key (id), add check (ST_IsValid(geom));
alter table roads add primary key (id);
alter table roads_major add primary key (id);
create index on hazards using gist (geom); create index on hazards using gist (geom3857);
create index on hazards_major using gist (geom); create index on hazards_major using gist (geom3857);
create index on buildings using gist (geom); create index on buildings using gist (geom3857);
alter table buildings add check (ST_IsValid(geom));
create index on zones using gist (geom); create index on zones using gist (geom3857);
create index on roads using gist (geom); create index on roads using gist (geom3857);
create index on roads_major using gist (geom); create index on roads_major using gist (geom3857);
reset search_path

-- name: analyze
vacuum analyze

-- name: pid
select pg_backend_pid()

-- name: raw_layer
(select ST_AsMVT(t, {name}, 4096, 'g', 'id') from (
  select ST_AsMVTGeom(r.geom3857, ST_TileEnvelope($1::int, $2::int, $3::int), 4096, 64, true) as g, {columns}
  from {table} r where r.geom3857 && ST_TileEnvelope($1::int, $2::int, $3::int, margin => 0.015625)) t)
