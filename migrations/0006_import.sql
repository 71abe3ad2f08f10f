-- Imports: what was read, what became of every row, and how to take it back.

-- One row per run. A run covers one layer's share of a data set, from one or more
-- files; a generated data set may cover several layers.
create table import (
  id            uuid primary key default uuid_v7(),
  dataset       uuid not null references dataset,
  layers        text[] not null default '{}',
  mode          text not null check (mode in ('upsert', 'replace')),
  state         text not null default 'staging'
                check (state in ('staging', 'accepting', 'accepted', 'failed', 'reverted')),
  source        text not null,              -- file names as the user knows them, no paths
  source_sha256 bytea,
  rules_sha256  bytea,                      -- of the mapping
  crs           text,
  encoding      text,
  read          bigint not null default 0,
  accepted      bigint not null default 0,
  rejected      bigint not null default 0,
  quarantined   bigint not null default 0,
  inserted      bigint not null default 0,  -- accepted = inserted + updated + unchanged
  updated       bigint not null default 0,
  unchanged     bigint not null default 0,
  deleted       bigint not null default 0,
  unplaced      bigint not null default 0,  -- accepted without a place (未定位)
  report        jsonb not null default '{}',
  message       text,
  started_at    timestamptz not null default now(),
  finished_at   timestamptz,
  actor         text not null default feed_actor()
);
create index import_dataset on import (dataset, started_at);

-- Every row that was not simply accepted, and every remark on one that was.
create table import_issue (
  import     uuid not null references import on delete cascade,
  seq        bigint not null,
  file       text not null,
  row_no     bigint not null,               -- as the user counts: line, sheet row, feature
  source_key text,
  rule       text not null,
  kind       text not null check (kind in ('rejected', 'quarantined', 'warning')),
  path       text,                          -- field, or place inside the geometry
  message    text not null,
  place      geometry(Point,4490) check (geom_ok(place)),   -- the offending spot
  original   jsonb,                         -- the row as it was read, where it was not accepted
  primary key (import, seq)
);
create index import_issue_key on import_issue (import, source_key) where source_key is not null;

-- What a data set's source said last about each of its rows. A row whose digest is
-- the same is left alone, whatever people have done to it since.
create table import_key (
  layer      text not null,
  dataset    uuid not null references dataset on delete cascade,
  source_key text not null,
  digest     bytea not null,
  primary key (dataset, source_key, layer)   -- the selective column early: the planner has no statistics of a running import
);

-- What a run did to each row, for taking it back: the row's version before and
-- after, and the digest before. The content before is in the layer's history.
create table import_change (
  import         uuid not null,             -- no foreign key: its check took as long as storing the row itself
  layer          text not null,
  feature        uuid not null,
  source_key     text not null,
  op             "char" not null check (op in ('I', 'U', 'D')),
  version_before bigint,
  version_after  bigint,
  digest_before  bytea,
  primary key (import, layer, feature)
);

-- The shape as it came, where something else is stored: repaired, or converted
-- from another coordinate system.
create table import_original (
  layer   text not null,
  feature uuid not null,
  import  uuid not null references import on delete cascade,
  reason  text not null check (reason in ('repaired', 'converted')),
  crs     text not null,
  geom    geometry not null,               -- srid 0: the numbers of crs
  primary key (layer, feature, reason)
);

create unlogged table staging.import_row (
  import     uuid not null,
  layer      text not null,
  ord        bigint not null,               -- per layer, without gaps
  file       text not null,
  row_no     bigint not null,
  id         uuid not null,
  source_key text not null,
  digest     bytea not null,
  fields     jsonb not null,                -- typed columns by name
  attrs      jsonb not null,
  restricted jsonb,
  scope      int8range,                     -- smallest unit around the shape; null: let the trigger find it
  original   geometry,                      -- the shape as it came, where another is to be stored
  srid       integer,                       -- transform from this system first
  repair     boolean not null default false,
  geom       geometry(Geometry,4490),
  primary key (import, layer, ord)
);
create index import_row_key on staging.import_row (source_key, import);

-- scope_at asks the smallest units first and stops at the first that covers the
-- shape: testing the large outlines too cost milliseconds per row.
create or replace function scope_at(g geometry) returns int8range
language plpgsql stable as $$
declare
  found_scope int8range;
  u record;
begin
  if g is null then
    select code_scope(value ->> 'code') into found_scope from setting where key = 'home' and value ->> 'code' <> '';
    return coalesce(found_scope, every_scope());
  end if;
  for u in select a.scope, a.geom from admin a where a.geom && g and a.valid_to is null order by a.rank desc, a.fid loop
    if st_covers(u.geom, g) then
      return u.scope;
    end if;
  end loop;
  return every_scope();
end
$$;

-- import_transform converts one shape; numbers that belong to no place of the
-- system give null instead of ending the run.
create function import_transform(g geometry, srid integer) returns geometry
language plpgsql stable parallel safe as $$
declare
  out geometry;
begin
  out := st_transform(st_setsrid(g, srid), 4490);
  if out is null or not coalesce(st_xmin(out) >= -180 and st_xmax(out) <= 180 and st_ymin(out) >= -90 and st_ymax(out) <= 90, false) then
    return null;
  end if;
  return out;
exception when others then
  return null;
end
$$;

-- import_repair is the structure method, which keeps rings as rings. The linework
-- method is never used: it crashed the server on a ring of 3,000 points. The caller
-- counts crossings first and does not ask above the limit. Parts that collapsed to
-- lines or points are dropped: the layer is about areas.
create function import_repair(g geometry) returns geometry
language plpgsql stable parallel safe as $$
declare
  out geometry;
begin
  out := st_makevalid(g, 'method=structure keepcollapsed=false');
  if st_dimension(g) = 2 then
    out := st_collectionextract(out, 3);
  end if;
  if out is null or st_isempty(out) or not st_isvalid(out) then
    return null;
  end if;
  return out;
exception when others then
  return null;
end
$$;
