Read whole at start and after every change of $registry or $catalogue: a few
thousand small rows.

-- name: themes
select theme, title_zh, title_en from theme order by sort, theme

-- name: layers
select l.layer, l.title_zh, l.title_en, l.theme, l.geometry, l.own, l.table_schema, l.table_name,
       coalesce(l.id_column, ''), coalesce(l.fid_column, ''), l.geom_column, l.srid, coalesce(l.scope_column, ''),
       coalesce(l.label_field, ''), coalesce(l.level_field, ''), coalesce(l.kind_field, ''), coalesce(l.ladder, ''), l.ladder_by,
       coalesce(l.time_kind, ''), coalesce(l.time_from, ''), coalesce(l.time_to, ''), coalesce(l.shown_field, ''), coalesce(l.order_by, ''),
       l.symbol, l.min_zoom, l.max_zoom, l.visibility, l.default_visible, coalesce(l.shapes_table, '')
from layer l join theme t using (theme) order by t.sort, l.sort, l.layer

-- name: fields
select layer, name, type, title_zh, title_en, coalesce(unit, ''), coalesce(unit_en, ''), coalesce(code_list, ''),
       in_tile, in_filter, in_form, in_export, min_zoom
from layer_field order by layer, sort, name

-- name: code_lists
select list, kind = 'ladder', title_zh, title_en, coalesce(standard, ''), verified from code_list order by list

-- name: code_items
select list, code, title_zh, title_en, coalesce(parent, ''), coalesce(level, 0), coalesce(mark_zh, ''), coalesce(mark_en, ''),
       coalesce(color, ''), coalesce(color_dark, ''), coalesce(texture, ''), coalesce(print_color, '')
from code_item where (valid_to is null or valid_to >= current_date) order by list, sort, code

-- name: rules
select distinct on (rule) rule, version, title_zh, title_en, coalesce(standard, ''), body, verified
from rule_set where valid_from <= current_date order by rule, version desc

-- name: settings
select key, value from setting

-- name: aliases
select admin_code, alias, kind from admin_alias order by admin_code, alias
