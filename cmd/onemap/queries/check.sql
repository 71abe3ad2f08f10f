What onemap check asks.

-- name: versions
select current_setting('server_version'), extversion, postgis_geos_version() from pg_extension where extname = 'postgis'

-- name: durability
select name, setting from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit', 'data_checksums') order by name

-- name: missing_indexes
select l.layer from layer l
where not exists (
  select from pg_index i
  join pg_class c on c.oid = i.indexrelid join pg_am m on m.oid = c.relam
  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
  where i.indrelid = to_regclass(format('%I.%I', l.table_schema, l.table_name)) and m.amname in ('gist', 'spgist', 'brin')
    and a.attname = l.geom_column and i.indisvalid)
order by 1
