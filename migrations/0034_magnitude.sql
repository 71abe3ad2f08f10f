-- An earthquake is graded the moment it is felt, when nobody has counted anybody yet: its
-- magnitude is a figure beside the others, and a criterion of the rule.
alter table incidents add column magnitude float8 check (magnitude >= 0 and magnitude <= 10);
comment on column incidents.magnitude is '震级(仅地震)';
insert into layer_field (layer, name, type, title_zh, title_en, unit, unit_en, in_tile, in_filter, in_form, sort)
values ('incidents', 'magnitude', 'number', '震级(仅地震)', 'Magnitude (earthquakes only)', '级', null, false, true, false, 205);
select layer_install('incidents');

-- 3.1 地震灾害分级 of the plan as revised in 2012: persons dead, the missing with them, and
-- the magnitude as the first judgement. Where the plan calls a place 人口密集地区 it goes one
-- level higher; it does not say from how many people on, so a county that is one writes
-- [6, 5, 4, 4] here, and elsewhere the person who confirms decides.
-- A county that wrote a version of its own keeps it.
insert into rule_set (rule, version, title_zh, title_en, standard, responsible, body)
select 'incident_level_earthquake', 2, '地震灾害分级(死亡失踪人数；震级按人口较密集地区初判)', 'Grading of earthquakes: deaths with the missing; magnitude as first judgement, for fairly dense areas',
  '《国家地震应急预案》(2012年修订) 3.1 地震灾害分级：死亡(含失踪)300/50/10人；人口较密集地区7.0/6.0/5.0/4.0级初判。人口密集地区高一级，由本地改定或定级时说明', '应急管理局 应急指挥科',
  '{"kinds": ["earthquake"], "combine": "worst", "lower_bound": "inclusive", "criteria": {"deaths+missing": [300, 50, 10, 0], "magnitude": [7, 6, 5, 4]}}'
where not exists (select from rule_set r where r.rule = 'incident_level_earthquake' and r.version > 1);
