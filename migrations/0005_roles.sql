-- onemap_app is what the server connects as. It owns nothing, is no superuser and
-- does not bypass row security; it may add to the feed and to history but never
-- change them. Where roles are made by a DBA beforehand this only grants.

do $$
begin
  if not exists (select from pg_roles where rolname = 'onemap_app') then
    create role onemap_app login nosuperuser nobypassrls nocreatedb nocreaterole;
  end if;
end
$$;

grant usage on schema public, restricted, staging to onemap_app;
grant select, insert, update, delete on all tables in schema public, restricted, staging to onemap_app;
grant usage, select on all sequences in schema public, restricted, staging to onemap_app;
alter default privileges in schema public, restricted, staging grant select, insert, update, delete on tables to onemap_app;
alter default privileges in schema public, restricted, staging grant usage, select on sequences to onemap_app;

do $$
declare
  t text;
begin
  for t in select tablename from pg_tables where schemaname = 'public' and tablename like '%\_history' loop
    execute format('revoke update, delete on %I from onemap_app', t);
  end loop;
end
$$;
revoke update, delete on change_log from onemap_app;
revoke insert, update, delete on layer_base, spatial_ref_sys, feed_state from onemap_app;
revoke execute on function layer_install(text) from public;

-- Readiness names the process that holds the feed back; without this only its own
-- backends are visible to the server. Where the DBA does not allow it, the age
-- alone is shown.
do $$
begin
  grant pg_read_all_stats to onemap_app;
exception when insufficient_privilege then
  raise notice 'onemap_app cannot see other backends: the holder of the feed horizon will not be named';
end
$$;
