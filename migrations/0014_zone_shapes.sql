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

-- The level scheme of a zone ----------------------------------------------------------

-- Level 2 of four is not level 2 of five: a zone says by which ladder it is graded, and
-- the map shows one ladder at a time, each with its own legend.

insert into code_list (list, title_zh, title_en, standard) values ('zone_scheme', '区划类别', 'Zoning scheme', null);
insert into code_item (list, code, title_zh, title_en, sort) values
 ('zone_scheme', 'risk_5',            '综合风险区划',     'Composite risk',      1),
 ('zone_scheme', 'hazard_4',          '危险性区划',       'Hazard',              2),
 ('zone_scheme', 'geology_4',         '地质灾害风险区划', 'Geological risk',     3),
 ('zone_scheme', 'flood_4',           '洪水风险区划',     'Flood risk',          4),
 ('zone_scheme', 'gdp_risk_5',        'GDP 风险区划',     'Economic risk',       5),
 ('zone_scheme', 'population_risk_5', '人口风险区划',     'Population risk',     6),
 ('zone_scheme', 'capability_5',      '综合减灾能力区划', 'Reduction capability', 7),
 ('zone_scheme', 'prevention_3',      '防治区划',         'Prevention',          8);

alter table zones add column ladder text;
select layer_install('zones');
select layer_guard('zones');

create function zone_ladder(kind text, ladder text) returns text
language sql immutable as $$ select coalesce(ladder, case kind when 'prevention' then 'prevention_3' else 'risk_5' end) $$;

-- A zone is graded by its plan's ladder; without a plan by what it brings.
create function zones_ladder() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  if tg_op = 'UPDATE' and old.published then
    new.ladder := old.ladder;
  elsif new.plan is not null then
    select zone_ladder(p.kind, p.ladder) into new.ladder from plan p where p.id = new.plan;
  else
    new.ladder := zone_ladder(new.kind, new.ladder);
  end if;
  return new;
end
$$;
create trigger zones_ladder before insert or update on zones for each row execute function zones_ladder();

-- The map learns of a ladder when the first plan uses it.
create function plan_ladder_known() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  l text := zone_ladder(new.kind, new.ladder);
begin
  update layer set ladder_by = jsonb_set(ladder_by, array['map', l], to_jsonb(l))
  where layer = 'zones' and not ladder_by -> 'map' ? l and exists (select from code_list c where c.list = l and c.kind = 'ladder');
  return null;
end
$$;
revoke all on function plan_ladder_known() from public;
create trigger plan_ladder_known after insert or update of ladder on plan for each row execute function plan_ladder_known();

-- A draft whose ladder is chosen anew is graded by the new one.
create function plan_ladder_changed() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  update zones set ladder = zone_ladder(new.kind, new.ladder) where plan = new.id;
  return null;
end
$$;
create trigger plan_ladder_changed after update of ladder on plan for each row
  when (old.ladder is distinct from new.ladder) execute function plan_ladder_changed();

insert into layer_field (layer, name, type, title_zh, title_en, code_list, in_tile, in_filter, sort)
select 'zones', 'ladder', 'code', '区划类别', 'Scheme', 'zone_scheme', true, true, min(sort) from layer_field where layer = 'zones' and name = 'kind';
update layer set kind_field = 'ladder', ladder_by = '{"field": "ladder", "map": {"risk_5": "risk_5", "prevention_3": "prevention_3"}}' where layer = 'zones';

-- What is there already.
do $$
declare
  all_areas text := '{[1000000000000000,3000000000000000)}';
  c text;
begin
  foreach c in array array['app.public', 'app.read', 'app.sensitive', 'app.write'] loop
    perform set_config(c, all_areas, true);
  end loop;
  perform set_config('app.demo', 'off', true);
  perform set_config('app.actor', 'migration', true);
  alter table zones disable trigger zones_frozen;
  update zones set ladder = null;
  alter table zones enable trigger zones_frozen;
  update layer set ladder_by = jsonb_set(ladder_by, '{map}', ladder_by -> 'map' || coalesce(
    (select jsonb_object_agg(x.l, x.l) from (select distinct zone_ladder(p.kind, p.ladder) l from plan p) x), '{}'))
  where layer = 'zones';
end
$$;
