What the server stands on, asked as the role it runs as.

-- name: head
select coalesce(max(version), 0) from schema_migration

-- name: no_seqscan
set local enable_seqscan = off

-- name: plan
explain (format json, costs off) select fid from hazards where geom && st_makeenvelope(119, 34, 119.01, 34.01, 4490)
