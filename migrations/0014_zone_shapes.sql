-- Shapes of a published plan, generalised once: per zoom, by shared borders, so that
-- neighbours keep the same line at every zoom. A row of zones without one here (drafts,
-- plans from before) is drawn by moving its vertices to a grid, as other areas are.

create table zone_shapes (
  id      uuid not null references zones on delete cascade,   -- of the row of zones
  z       smallint not null check (z between 0 and 24),
  plan    uuid not null references plan on delete cascade,
  dataset uuid,
  scope   int8range not null,
  geom    geometry(Geometry,4490) not null,                   -- may be empty: too small to draw
  primary key (id, z)
);
create index zone_shapes_plan on zone_shapes (plan);

-- They never change: what is published does not.
revoke update on zone_shapes from onemap_app;

-- Guarded like the zones they are of, whenever those are.
create or replace function layer_guard(tab text) returns void
language plpgsql set search_path = public, pg_temp as $fn$
declare
  claim text;
begin
  select case l.visibility when 'public' then 'app.public' when 'internal' then 'app.read' else 'app.sensitive' end into claim
  from layer l where l.own and l.table_schema = 'public' and l.table_name = tab
  order by array_position(array['sensitive', 'internal', 'public'], l.visibility) limit 1;
  claim := coalesce(claim, 'app.sensitive');
  perform row_guard(to_regclass(quote_ident(tab)), claim, false);
  perform row_guard(to_regclass(quote_ident(tab || '_history')), claim, true);
  if tab = 'zones' then
    perform row_guard('plan', claim, false);
    perform row_guard('zone_shapes', claim, false);
  end if;
end
$fn$;
select layer_guard('zones');

alter table layer add column shapes_table text;
comment on column layer.shapes_table is '按级别综合后的图形(id, z, geom);发布后一次算成';
update layer set shapes_table = 'zone_shapes' where layer = 'zones';
