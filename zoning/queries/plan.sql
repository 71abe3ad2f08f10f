Plans and their zones.

-- name: zoning_position
select pg_current_xact_id()::text || '.' || coalesce((select max(seq) from change_log where xid = pg_current_xact_id()), 0)::text
