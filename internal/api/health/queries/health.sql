What the server stands on, asked as the role it runs as.

-- name: head
select coalesce(max(version), 0) from schema_migration

-- name: no_seqscan
set local enable_seqscan = off

-- name: explain
explain (format json, costs off)

-- name: above_rights
-- Row security holds for everybody but superusers, those who bypass it, and owners
-- where it is not forced.
select r.rolsuper or r.rolbypassrls
    or exists (select from layer l join pg_class c on c.oid = to_regclass(format('%I.%I', l.table_schema, l.table_name))
               where l.own and (pg_has_role(c.relowner, 'usage') or not c.relrowsecurity))
from pg_roles r where r.rolname = current_user

-- name: row_security_off
-- A default that turns row security off turns every question into an error: nobody sees
-- too much, and nobody sees anything. Answers what a DBA must run, null where all is well.
select string_agg(format('alter role %I %sreset row_security', r.rolname,
         case when s.setdatabase = 0 then '' else format('in database %I ', current_database()) end), '; ' order by s.setdatabase)
from pg_db_role_setting s, pg_roles r
where r.rolname = current_user and s.setrole = r.oid and s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
  and exists (select from unnest(s.setconfig) c where c ~* '^row_security=' and lower(split_part(c, '=', 2)) not in ('on', 'true', 'yes', '1', 't', 'y'))
