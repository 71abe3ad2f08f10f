-- The floor: row-level security. Whatever a statement forgets to ask, a row reaches
-- only those whose claims cover it. The explicit predicate in each query is the plan;
-- this is what holds when somebody forgets it.
--
-- Claims are settings of the transaction (internal/db): app.public, app.read and
-- app.sensitive say whose rows of layers of that visibility may be read, app.write
-- whose may be written, app.demo that only rows of demo data sets are. A claim that
-- was never set raises 42704, one that ended with its transaction is the empty text
-- and raises 22P02: there is no default that reads.

-- Policies ---------------------------------------------------------------------------

-- row_guard (re)writes the policies of one table with columns scope and dataset.
-- claim names the setting that holds the readable areas.
--
-- coalesce keeps the planner from taking the scope index for the policy: it believes
-- && of a range and a multirange to hold for one row in a hundred and reads the wrong
-- index for whoever may see much ("is true" would do that too, but hands the estimate
-- of one in a hundred on). current_setting stands bare: wrapped in a sub-select it is
-- estimated worse still. The demo rule is an array made once, and only where demo is on.
create function row_guard(tab regclass, claim text, history boolean) returns void
language plpgsql set search_path = public, pg_temp as $fn$
declare
  reads text := format($p$coalesce(scope && current_setting(%L)::int8multirange, false)
    and (not current_setting('app.demo')::boolean or dataset = any (array(select d.id from public.dataset d where d.demo)))$p$, claim);
  writes text := $p$coalesce(scope <@ current_setting('app.write')::int8multirange, false)$p$;
  p text;
begin
  execute format('alter table %s enable row level security', tab);
  execute format('alter table %s force row level security', tab);
  foreach p in array array['reading', 'adding', 'changing', 'removing'] loop
    execute format('drop policy if exists %I on %s', p, tab);
  end loop;
  execute format('create policy reading on %s for select using (%s)', tab, reads);
  if history then
    -- Nobody holds these rights but the owner: the triggers add, a purge removes.
    execute format('create policy adding on %s for insert with check (true)', tab);
    execute format('create policy removing on %s for delete using (true)', tab);
  else
    execute format('create policy adding on %s for insert with check (%s)', tab, writes);
    execute format('create policy changing on %s for update using (%s) with check (%s)', tab, writes, writes);
    execute format('create policy removing on %s for delete using (%s)', tab, writes);
  end if;
end
$fn$;

-- layer_guard writes the policies of a layer table and its history by the layer's
-- visibility; a table no layer names is guarded as the most closed. Plans are read
-- like the zones made of them.
create function layer_guard(tab text) returns void
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
  end if;
end
$fn$;

-- The triggers ------------------------------------------------------------------------

-- Feed and history are written by functions of the owner only. They carry the claims
-- of the whole themselves where they must read a guarded table: forced row security
-- holds for the owner too.
create or replace function registry_changed() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  insert into change_log (layer, op, row_count, actor) values (tg_argv[0], 'B', 0, feed_actor());
  return null;
end
$$;
revoke all on function registry_changed() from public;

-- scope_at finds the smallest unit around a shape, whoever asks: a writer with a
-- narrow area must not get another scope for the same place.
create or replace function scope_at(g geometry) returns int8range
language plpgsql stable security definer
set search_path = public, pg_temp
set app.public = '{[1000000000000000,3000000000000000)}'
set app.read = '{[1000000000000000,3000000000000000)}'
set app.sensitive = '{[1000000000000000,3000000000000000)}'
set app.demo = 'off'
as $$
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

create or replace function layer_install(tab text) returns void
language plpgsql set search_path = public, pg_temp as $fn$
declare
  hist text := tab || '_history';
  cols text;
  r    record;
begin
  if to_regclass(hist) is null then
    execute format('alter table %I add primary key (id), add unique (fid), add unique (dataset, source_key), add foreign key (dataset) references dataset', tab);
    execute format('create index %I on %I using gist (geom)', tab || '_geom', tab);
    execute format('create index %I on %I using gist (scope)', tab || '_scope', tab);
    execute format('create index %I on %I using gin (name gin_trgm_ops)', tab || '_name', tab);
    execute format('create index %I on %I (code) where code is not null', tab || '_code', tab);
    execute format('alter table %I add check (geom_ok(geom))', tab);
    execute format('create table %I (like %I)', hist, tab);
    execute format('alter table %I add column sys_to timestamptz not null default now(), add column ended_op "char" not null, add column ended_by text not null, add column ended_xid xid8 not null, add column ended_seq bigint not null', hist);
    execute format('create index %I on %I (id, ended_xid, ended_seq)', hist || '_id', hist);
    execute format('create index %I on %I (sys_to)', hist || '_time', hist);
    execute format('create index %I on %I using gist (geom)', hist || '_geom', hist);
  end if;
  for r in
    select a.attname, format_type(a.atttypid, a.atttypmod) as type
    from pg_attribute a
    where a.attrelid = tab::regclass and a.attnum > 0 and not a.attisdropped
      and not exists (select 1 from pg_attribute h where h.attrelid = hist::regclass and h.attname = a.attname and not h.attisdropped)
  loop
    execute format('alter table %I add column %I %s', hist, r.attname, r.type);
  end loop;

  select string_agg(format('%I', attname), ', ' order by attnum) into cols
  from pg_attribute where attrelid = tab::regclass and attnum > 0 and not attisdropped;

  execute format($body$
create or replace function %1$I() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $t$
-- Runs as the owner: the writer himself may not touch the feed or history.
-- Variables carry a prefix: a layer may have a column of any other name.
declare
  v_count bigint;
  v_xid   xid8;
  v_seq   bigint;
  v_bulk  boolean := coalesce(current_setting('app.bulk', true), '') = 'on';
begin
  if tg_op = 'INSERT' then
    select count(*) into v_count from new_rows;
    if v_count = 0 then return null; end if;
    if v_bulk or v_count > 1000 then
      insert into change_log (layer, op, row_count, new_bbox, new_scope, actor)
      select %2$L, 'B', v_count, geom_bbox(st_extent(geom)::geometry), range_agg(scope), feed_actor() from new_rows;
    else
      insert into change_log (layer, fid, id, op, new_bbox, new_scope, actor)
      select %2$L, fid, id, 'I', geom_bbox(geom), int8multirange(scope), feed_actor() from new_rows order by fid;
    end if;
    return null;
  end if;

  select count(*) into v_count from old_rows;
  if v_count = 0 then return null; end if;
  if v_bulk or v_count > 1000 then
    if tg_op = 'UPDATE' then
      insert into change_log (layer, op, row_count, old_bbox, new_bbox, old_scope, new_scope, actor)
      select %2$L, 'B', v_count, o.b, w.b, o.s, w.s, feed_actor()
      from (select geom_bbox(st_extent(geom)::geometry) b, range_agg(scope) s from old_rows) o,
           (select geom_bbox(st_extent(geom)::geometry) b, range_agg(scope) s from new_rows) w
      returning xid, seq into v_xid, v_seq;
    else
      insert into change_log (layer, op, row_count, old_bbox, old_scope, actor)
      select %2$L, 'B', v_count, geom_bbox(st_extent(geom)::geometry), range_agg(scope), feed_actor() from old_rows
      returning xid, seq into v_xid, v_seq;
    end if;
    insert into %3$I (%4$s, sys_to, ended_op, ended_by, ended_xid, ended_seq)
    select %4$s, now(), left(tg_op, 1)::"char", feed_actor(), v_xid, v_seq from old_rows;
  elsif tg_op = 'UPDATE' then
    with log as (
      insert into change_log (layer, fid, id, op, old_bbox, new_bbox, old_scope, new_scope, actor)
      select %2$L, w.fid, w.id, 'U', geom_bbox(o.geom), geom_bbox(w.geom), int8multirange(o.scope), int8multirange(w.scope), feed_actor()
      from old_rows o join new_rows w using (id) order by w.fid
      returning id as log_id, xid as log_xid, seq as log_seq)
    insert into %3$I (%4$s, sys_to, ended_op, ended_by, ended_xid, ended_seq)
    select %4$s, now(), 'U', feed_actor(), log_xid, log_seq from old_rows join log on log_id = old_rows.id;
  else
    with log as (
      insert into change_log (layer, fid, id, op, old_bbox, old_scope, actor)
      select %2$L, fid, id, 'D', geom_bbox(geom), int8multirange(scope), feed_actor() from old_rows order by fid
      returning id as log_id, xid as log_xid, seq as log_seq)
    insert into %3$I (%4$s, sys_to, ended_op, ended_by, ended_xid, ended_seq)
    select %4$s, now(), 'D', feed_actor(), log_xid, log_seq from old_rows join log on log_id = old_rows.id;
  end if;
  return null;
end
$t$ $body$, tab || '_feed', tab, hist, cols);

  execute format('revoke all on function %I() from public', tab || '_feed');
  -- New tables come with the default grants of the schema; history takes no hand's.
  execute format('revoke insert, update, delete on %I from onemap_app', hist);

  execute format('create or replace trigger before_row before insert or update on %I for each row execute function layer_before_row()', tab);
  execute format('create or replace trigger feed_insert after insert on %I referencing new table as new_rows for each statement execute function %I()', tab, tab || '_feed');
  execute format('create or replace trigger feed_update after update on %I referencing old table as old_rows new table as new_rows for each statement execute function %I()', tab, tab || '_feed');
  execute format('create or replace trigger feed_delete after delete on %I referencing old table as old_rows for each statement execute function %I()', tab, tab || '_feed');
  execute format('create or replace trigger no_truncate before truncate on %I for each statement execute function layer_no_truncate()', tab);
  perform layer_guard(tab);
end
$fn$;revoke execute on function layer_install(text) from public;

do $$
declare
  t text;
begin
  for t in select table_name from layer where own and table_schema = 'public' order by 1 loop
    perform layer_install(t);
  end loop;
  -- Who answers for what, and who is on duty: names, not telephones.
  perform row_guard('responsibility', 'app.read', false);
  perform row_guard('duty_roster', 'app.read', false);
end
$$;

-- What an import found and did: rows as they came, with the values of their fields, of
-- whatever area and visibility. No route reads them; the importer is the program itself.
do $$
declare
  t text;
begin
  foreach t in array array['import_issue', 'import_change'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy program on %I using (current_setting(''app.role'') = ''system'')', t);
  end loop;
end
$$;
-- Open stay admin_alias (names of administrative units, read by every search, nobody's
-- secret) and dataset (names of sources; the demo rule of every policy asks it).

-- Partitions come with the default grants of the schema: a day of the feed could be
-- changed by its own name. The app role calls this, so it says itself what is too much:
-- the feed of 35 days is kept whatever is asked, and no more than a month is made ahead.
create or replace function change_log_maintain(ahead_days integer default 7, keep_days integer default 35)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  d date;
  part text;
  r record;
begin
  if ahead_days is null or ahead_days not between 1 and 31 or keep_days is null or keep_days not between 35 and 36500 then
    raise exception using errcode = '22023', message = 'the feed is made 1 to 31 days ahead and kept 35 days or longer';
  end if;
  for d in select generate_series(current_date, current_date + ahead_days, interval '1 day')::date loop
    part := 'change_log_' || to_char(d, 'YYYYMMDD');
    if to_regclass(part) is null then
      begin
        execute format('create table %I partition of change_log for values from (%L) to (%L)',
                       part, d::text || ' 00:00:00+00', (d + 1)::text || ' 00:00:00+00');
        execute format('revoke all on %I from onemap_app', part);
      exception when check_violation then null;
      end;
    end if;
  end loop;
  for r in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'change_log'::regclass and c.relname ~ '^change_log_[0-9]{8}$'
      and to_date(right(c.relname, 8), 'YYYYMMDD') < current_date - keep_days
  loop
    execute format('update feed_state set dropped_xid = greatest(dropped_xid, (select coalesce(max(xid), ''0'') from %I))', r.relname);
    execute format('drop table %I', r.relname);
  end loop;
  update feed_state set dropped_xid = greatest(dropped_xid,
    (select coalesce(max(xid), '0') from change_log_default where at < current_date - keep_days));
  delete from change_log_default where at < current_date - keep_days;
end
$$;

do $$
declare
  r record;
begin
  for r in select i.inhrelid::regclass as part from pg_inherits i where i.inhparent = 'change_log'::regclass loop
    execute format('revoke all on %s from onemap_app', r.part);
  end loop;
end
$$;
revoke insert, update, delete on change_log from onemap_app;
revoke usage, select on sequence change_log_seq from onemap_app;

-- What a layer is made of decides what a policy means; the app role changes only how
-- it looks. Visibility goes through layer_set_visibility.
revoke insert, update, delete on layer, layer_field, theme from onemap_app;
grant update (title_zh, title_en, theme, sort, ladder, ladder_by, order_by, symbol, min_zoom, max_zoom, default_visible) on layer to onemap_app;

-- PostGIS's estimate of a table's extent runs as its owner, past every policy. Who does
-- not own the extension cannot take it away and is told what a superuser must run.
do $$
declare
  f record;
begin
  for f in select p.oid::regprocedure as f, pg_has_role(p.proowner, 'usage') as ours from pg_proc p where p.proname = 'st_estimatedextent' loop
    if f.ours then
      execute format('revoke execute on function %s from public', f.f);
    else
      raise warning 'a superuser must run: revoke execute on function % from public', f.f;
    end if;
  end loop;
end
$$;

revoke all on function row_guard(regclass, text, boolean), layer_guard(text) from public;

-- Visibility -----------------------------------------------------------------------------

-- layer_visibility keeps the policies with the catalogue, whoever changes it; the
-- epoch of the rights rises by auth_epoch (0007).
create function layer_visibility() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if new.own and new.table_schema = 'public' and to_regclass(quote_ident(new.table_name || '_history')) is not null then
    perform layer_guard(new.table_name);
  end if;
  return null;
end
$$;
revoke all on function layer_visibility() from public;

create trigger visibility_guarded after insert on layer for each row execute function layer_visibility();
create trigger visibility_changed after update of visibility on layer for each row
  when (new.visibility is distinct from old.visibility) execute function layer_visibility();

-- layer_set_visibility is the app role's one way to change who sees a layer. It
-- answers whether anything changed; an unknown layer is P0002.
create function layer_set_visibility(layer_id text, new_visibility text) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  before text;
begin
  select visibility into before from layer where layer = layer_id for update;
  if not found then
    raise exception using errcode = 'P0002', message = format('there is no layer %L', layer_id);
  end if;
  if before = new_visibility then
    return false;
  end if;
  update layer set visibility = new_visibility where layer = layer_id;
  return true;
end
$$;
revoke all on function layer_set_visibility(text, text) from public;
grant execute on function layer_set_visibility(text, text) to onemap_app;
