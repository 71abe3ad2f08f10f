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
