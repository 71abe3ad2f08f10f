What administrators change in the catalogue. Reading for the map is the registry's.

-- name: rule_sets
select rule, version, title_zh, title_en, coalesce(standard, ''), verified, coalesce(verified_by, ''), verified_at,
       coalesce(responsible, ''), valid_from, created_at, created_by, coalesce(reason, ''), coalesce(note, ''), body
from rule_set order by rule, version desc

-- name: rule_set
select rule, version, title_zh, title_en, coalesce(standard, ''), verified, coalesce(verified_by, ''), verified_at,
       coalesce(responsible, ''), valid_from, created_at, created_by, coalesce(reason, ''), coalesce(note, ''), body
from rule_set where rule = $1 and version = $2

-- name: rule_lock
select pg_advisory_xact_lock(hashtextextended('rule_set ' || $1, 0))

-- name: rule_add
insert into rule_set (rule, version, title_zh, title_en, standard, responsible, body, valid_from, created_by, created_account, reason)
select rule, version + 1, coalesce($2, title_zh), coalesce($3, title_en), $4, coalesce($5, responsible), $6, coalesce($7, current_date), $8, $9, $10
from rule_set where rule = $1 order by version desc limit 1
returning version

-- name: rule_maker
select verified, created_account from rule_set where rule = $1 and version = $2 for update

-- name: rule_verify
update rule_set set verified = true, verified_by = $3, verified_at = now(), verified_account = $4, note = $5
where rule = $1 and version = $2

-- name: layer
select layer, title_zh, title_en, theme, own, visibility, default_visible, version from layer where layer = $1

-- name: layers
select layer, title_zh, title_en, theme, own, visibility, default_visible, version from layer order by layer

-- name: layer_for_update
select layer, title_zh, title_en, theme, own, visibility, default_visible, version from layer where layer = $1 for update

-- name: layer_update
update layer set title_zh = $2, title_en = $3, default_visible = $4 where layer = $1

-- name: layer_visibility
select layer_set_visibility($1, $2)

-- name: settings
select key, value, updated_at, updated_by from setting

-- name: setting
select value, updated_at from setting where key = $1 for update

-- name: setting_lock
select pg_advisory_xact_lock(hashtextextended('setting ' || $1, 0))

-- name: setting_put
insert into setting (key, value, updated_at, updated_by) values ($1, $2, clock_timestamp(), $3)
on conflict (key) do update set value = excluded.value, updated_at = excluded.updated_at, updated_by = excluded.updated_by
