-- Field dictionary. One line: layer|column|zh|en|unit|code list|flags|min zoom.
-- Flags: t in tiles, f in filters, m in forms; export is always on. The type comes
-- from the column itself. Lines with * hold for every layer.

insert into layer_field (layer, name, type, title_zh, title_en, unit, code_list, in_tile, in_filter, in_form, min_zoom, sort)
select l.layer, c.column_name,
       case when d.f[6] <> '' then 'code'
            when c.data_type in ('smallint', 'integer', 'bigint') then 'integer'
            when c.data_type in ('double precision', 'numeric', 'real') then 'number'
            when c.data_type = 'boolean' then 'boolean'
            when c.data_type = 'date' then 'date'
            when c.data_type = 'timestamp with time zone' then 'datetime'
            when c.data_type = 'uuid' then 'uuid'
            when c.data_type = 'jsonb' then 'json'
            else 'text' end,
       d.f[3], d.f[4], nullif(d.f[5], ''), nullif(d.f[6], ''),
       d.f[7] like '%t%', d.f[7] like '%f%', d.f[7] like '%m%', coalesce(nullif(d.f[8], '')::int, 0), d.ord
from (select string_to_array(line, '|') f, ord from regexp_split_to_table($fields$
*|name|名称|Name|||tfm|
*|code|编码|Code|||fm|
*|admin_code|行政区划代码|Admin code|||fm|
admin|rank|级别|Rank||admin_rank|tf|
admin|parent_code|上级代码|Parent code|||f|
admin|name_en|英文名|English name|||t|
admin|urban_rural_code|城乡分类|Urban-rural class||urban_rural|f|
admin|population|常住人口|Resident population|人||tf|
admin|households|户数|Households|户||f|
admin|area_km2|面积|Area|km²||tf|
grids|kind|网格类型|Kind||grid_kind|tf|
grids|village_code|村(社区)代码|Village code|||f|
grids|worker|网格员|Grid worker||||
grids|population|人口|Population|人||tf|
grids|households|户数|Households|户||f|
grids|key_persons|重点人员数|Key persons|人||f|
population|population|人口|Population|人||tf|
population|population_night|夜间人口|Night population|人||f|
population|population_day|日间人口|Day population|人||f|
population|households|户数|Households|户||f|
population|male|男|Male|人|||
population|female|女|Female|人|||
population|elderly|60 岁以上|Aged 60 and over|人||tf|
population|children|15 岁以下|Under 15|人||tf|
population|year|年份|Year|||f|
population|method|口径|Method||||
vulnerable|total|脆弱人群合计|Total|人||tf|
vulnerable|elderly_alone|独居老人|Elderly living alone|人||tf|
vulnerable|disabled|残疾人|Disabled|人||tf|
vulnerable|low_income|低收入|Low income|人||tf|
vulnerable|children_left|留守儿童|Left-behind children|人||f|
vulnerable|bedridden|失能卧床|Bedridden|人||f|
vulnerable|pregnant|孕产妇|Pregnant|人||f|
vulnerable|year|年份|Year|||f|
buildings|use|用途|Use||building_use|tf|
buildings|structure|结构|Structure||building_structure|tf|15
buildings|floors|层数|Floors|层||tf|14
buildings|height_m|高度|Height|m||t|15
buildings|area_m2|建筑面积|Floor area|m²||f|
buildings|built_year|建成年份|Built|||f|
buildings|households|户数|Households|户||f|
buildings|persons|居住人数|Residents|人||tf|15
buildings|danger_grade|危险性等级|Danger grade||danger_grade|tf|
facilities|kind|类型|Kind||facility_kind|tfm|
facilities|grade|等级|Grade|||fm|
facilities|capacity|容量|Capacity|人||fm|
facilities|beds|床位|Beds|张||tfm|14
facilities|persons_peak|高峰人数|Peak occupancy|人||tfm|13
facilities|protection_class|防护目标分类|Protected target class||protection_class|tfm|
facilities|unit|管理单位|Managing unit|||fm|
facilities|address|地址|Address|||m|
key_places|kind|类型|Kind||key_place_kind|tfm|
key_places|level|风险等级|Risk level||dual_4|tfm|
key_places|persons_peak|高峰人数|Peak occupancy|人||tfm|13
key_places|unit|管理单位|Managing unit|||fm|
key_places|address|地址|Address|||m|
roads|class|等级|Class||road_class|tf|
roads|ref|路线编号|Route number|||tf|
roads|lanes|车道数|Lanes|||f|
roads|width_m|路宽|Width|m||f|
roads|speed_kmh|限速|Speed limit|km/h||f|
roads|oneway|单行|One way|||tf|14
roads|walk_ok|可步行|Walkable|||f|
roads|bridge|桥梁|Bridge|||tf|13
roads|tunnel|隧道|Tunnel|||tf|12
roads|surface|路面|Surface|||f|
road_blocks|cause|原因|Cause||block_cause|tfm|
road_blocks|road|路线|Road|||tfm|
road_blocks|state|状态|State||block_state|tfm|
road_blocks|blocked_at|中断时间|Blocked at|||tfm|
road_blocks|expected_at|预计恢复|Expected to reopen|||fm|
road_blocks|reopened_at|抢通时间|Reopened at|||fm|
road_blocks|detour|绕行路线|Detour|||m|
lifelines|kind|类型|Kind||lifeline_kind|tf|
lifelines|operator|运营单位|Operator|||f|
lifelines|diameter_mm|管径|Diameter|mm||f|
lifelines|voltage_kv|电压|Voltage|kV||tf|
lifelines|pressure_mpa|压力|Pressure|MPa||f|
lifelines|material|材质|Material|||f|
lifelines|built_year|建成年份|Built|||f|
rivers|kind|类型|Kind||river_kind|tf|
rivers|stream_order|河流级序|Stream order|||tf|
rivers|length_km|长度|Length|km||f|
rivers|warning_level_m|警戒水位|Warning level|m||f|
rivers|guaranteed_level_m|保证水位|Guaranteed level|m||f|
rivers|flood_limit_m|汛限水位|Flood limit level|m||f|
rivers|capacity_m3|总库容|Capacity|m³||f|
waterworks|kind|类型|Kind||waterworks_kind|tf|
waterworks|grade|工程等别|Grade|||f|
waterworks|design_flood_a|设计洪水重现期|Design flood|年||f|
waterworks|crest_m|顶高程|Crest level|m||f|
waterworks|length_m|长度|Length|m||f|
waterworks|capacity_m3s|流量|Discharge|m³/s||f|
waterworks|condition|工况|Condition||condition|tf|
waterworks|river|所在河流|River|||f|
waterworks|built_year|建成年份|Built|||f|
waterworks|unit|管理单位|Managing unit|||f|
hazards|hazard|灾种|Hazard||hazard|tfm|
hazards|subtype|亚类|Subtype|||fm|
hazards|level|危险等级|Level||hazard_4|tfm|
hazards|scale|规模|Scale||hazard_scale|tfm|
hazards|state|在册状态|State||hazard_state|tfm|
hazards|threatened_persons|威胁人口|Threatened persons|人||tfm|
hazards|threatened_households|威胁户数|Threatened households|户||fm|
hazards|threatened_property_wan|威胁财产|Threatened property|万元||fm|
hazards|trigger|诱发因素|Trigger||hazard_trigger|fm|
hazards|monitor|监测责任人|Monitored by|||m|
hazards|found_at|发现日期|Found on|||fm|
hazards|measure|防治措施|Measure|||m|
hazards|address|位置|Location|||m|
hazards|evacuation_shelter|避险场所|Evacuation shelter|||m|
hazard_areas|hazard|灾种|Hazard||hazard|tf|
hazard_areas|subtype|亚类|Subtype|||tf|
hazard_areas|level|危险等级|Level||hazard_4|tf|
hazard_areas|return_period_a|重现期|Return period|年||tf|
hazard_areas|intensity_min|强度下限|Intensity, lower|||tf|
hazard_areas|intensity_max|强度上限|Intensity, upper|||tf|
hazard_areas|intensity_unit|强度单位|Intensity unit|||t|
hazard_areas|state|状态|State||hazard_state|f|
hazard_areas|protected_households|保全户数|Protected households|户||f|
hazard_areas|method|口径|Method||||
dangers|kind|类别|Kind||danger_kind|tfm|
dangers|level|级别|Level||danger_2|tfm|
dangers|state|状态|State||danger_state|tfm|
dangers|source|来源|Source||danger_source|tfm|
dangers|description|情况描述|Description|||m|
dangers|grade_basis|定级依据|Grading basis|||m|
dangers|interim_measure|临时管控措施|Interim measure|||m|
dangers|responsible_unit|责任单位|Responsible unit|||fm|
dangers|rectifier|整改人|Rectifier|||m|
dangers|reviewer|复查人|Reviewer||||
dangers|listed|挂牌督办|Listed for supervision|||tf|
dangers|found_at|发现时间|Found at|||tfm|
dangers|due_at|整改期限|Due at|||tfm|
dangers|closed_at|销号时间|Closed at|||tf|
enterprises|uscc|统一社会信用代码|Credit code|||f|
enterprises|industry|行业|Industry|||tf|
enterprises|scale|规模|Size||enterprise_scale|tf|
enterprises|level|安全风险等级|Risk level||dual_4|tf|
enterprises|state|经营状态|State||enterprise_state|tf|
enterprises|hazchem|涉危化品|Hazardous chemicals|||tf|
enterprises|in_park|在园区|In a park|||tf|
enterprises|monitored|接入监控|Monitored|||f|
enterprises|employees|从业人数|Employees|人||tf|
enterprises|products|主要产品|Products||||
enterprises|address|地址|Address||||
hazard_sources|enterprise_name|企业|Enterprise|||tf|
hazard_sources|enterprise|企业 ID|Enterprise id||||
hazard_sources|kind|单元类型|Unit kind||source_kind|tf|
hazard_sources|level|级别|Level||source_4|tf|
hazard_sources|items|物质清单|Substances||||
hazard_sources|s|辨识指标 S|S|||f|
hazard_sources|alpha|校正系数 α|α|||f|
hazard_sources|r|分级指标 R|R|||tf|
hazard_sources|exposed_persons|厂界外 500 m 人口|Persons within 500 m|人||tf|
hazard_sources|exposed_method|人口口径|Method||||
hazard_sources|filing_no|备案编号|Filing number|||f|
hazard_sources|filed_at|备案日期|Filed on|||f|
hazard_sources|expires_at|有效期至|Valid until|||f|
hazard_sources|principal|主要负责人(包保)|Principal||||
hazard_sources|technical_lead|技术负责人(包保)|Technical lead||||
hazard_sources|operational_lead|操作负责人(包保)|Operational lead||||
hazard_sources|rules|依据|Rules||||
safety_contours|kind|类型|Kind||contour_kind|tf|
safety_contours|value|数值|Value|||tf|
safety_contours|unit|单位|Unit|||t|
safety_contours|enterprise_name|企业|Enterprise|||tf|
safety_contours|hazard_source|危险源 ID|Hazard source id||||
safety_contours|institute|评价机构|Institute|||f|
safety_contours|issued_at|出具日期|Issued on|||f|
zones|kind|区划类型|Kind||zone_kind|tf|
zones|hazard|灾种|Hazard||hazard|tf|
zones|level|等级|Level|||tf|
zones|plan|区划方案|Plan|||tf|
zones|zone|单元 ID|Zone id|||t|
zones|reason|划定理由|Reason||||
zones|countermeasure|防治对策|Countermeasure||||
zones|responsible|责任单位|Responsible unit|||f|
zones|population|人口|Population|人||tf|
zones|area_km2|面积|Area|km²||tf|
shelters|class|时长类别|Class||shelter_class|tfm|
shelters|grade|级别|Grade||shelter_grade|tfm|
shelters|function|总体功能|Function||shelter_function|fm|
shelters|space|空间类型|Space||shelter_space|tfm|
shelters|vertical|地上地下|Above or below||shelter_vertical|tfm|
shelters|state|开放状态|State||shelter_state|tfm|
shelters|capacity|可容纳人数|Capacity|人||tfm|
shelters|occupancy|在住人数|Occupancy|人||tfm|
shelters|hazards_served|适用灾种|Hazards served|||fm|
shelters|gross_m2|占地面积|Gross area|m²||fm|
shelters|effective_m2|有效避难面积|Effective area|m²||fm|
shelters|per_person_m2|人均有效面积|Area per person|m²/人||fm|
shelters|service_radius_m|服务半径|Service radius|m||fm|
shelters|served_areas|服务范围|Served areas|||m|
shelters|exits|出口数|Exits|||fm|
shelters|unit|管理单位|Managing unit|||fm|
shelters|address|地址|Address|||m|
shelters|confirmed_at|核实时间|Confirmed at|||f|
shelter_service_areas|method|方法|Method||service_method|tf|
shelter_service_areas|radius_m|半径|Radius|m||tf|
shelter_service_areas|minutes|步行时间|Walking time|min||tf|
shelter_service_areas|population|覆盖人口|Population covered|人||tf|
shelter_service_areas|computed_at|计算时间|Computed at||||
shelter_service_areas|shelter|场所 ID|Shelter id||||
teams|kind|类型|Kind||team_kind|tfm|
teams|members|人数|Members|人||tfm|
teams|specialities|专长|Specialities|||fm|
teams|equipment|装备|Equipment|||m|
teams|ready_min|集结时间|Ready in|min||tfm|
teams|state|状态|State||team_state|tfm|
teams|unit|所属单位|Unit|||fm|
teams|address|驻地|Base|||m|
teams|position_at|位置时间|Position at||||
warehouses|grade|级别|Grade||warehouse_grade|tfm|
warehouses|ownership|权属|Ownership||ownership|fm|
warehouses|area_m2|面积|Area|m²||fm|
warehouses|persons_supported|可保障人数|Persons supported|人||tfm|
warehouses|stock|主要物资|Stock|||m|
warehouses|unit|管理单位|Managing unit|||fm|
warehouses|address|地址|Address|||m|
sensors|kind|类型|Kind||sensor_kind|tf|
sensors|state|状态|State||sensor_state|tf|
sensors|object_name|监测对象|Object|||f|
sensors|measure|监测量|Measure|||t|
sensors|value|当前值|Value|||tf|
sensors|unit|单位|Unit|||t|
sensors|value_at|观测时间|Observed at|||tf|
sensors|threshold_blue|蓝色阈值|Blue threshold||||
sensors|threshold_yellow|黄色阈值|Yellow threshold||||
sensors|threshold_orange|橙色阈值|Orange threshold||||
sensors|threshold_red|红色阈值|Red threshold||||
sensors|freshness_s|时效|Freshness|s|||
sensors|operator|管理单位|Operator|||f|
warning_terminals|kind|类型|Kind||terminal_kind|tf|
warning_terminals|state|状态|State||device_state|tf|
warning_terminals|covers_households|覆盖户数|Households covered|户||tf|
warning_terminals|operator|管理单位|Operator|||f|
warning_terminals|tested_at|最近测试|Last tested|||f|
alerts|event|预警种类|Event|||tf|
alerts|hazard|灾种|Hazard||hazard|tf|
alerts|level|级别|Level||warning_4|tf|
alerts|state|状态|State||alert_state|tf|
alerts|headline|标题|Headline|||t|
alerts|description|内容|Description||||
alerts|instruction|防御指南|Instruction||||
alerts|sender|发布单位|Sender|||f|
alerts|identifier|标识|Identifier|||f|
alerts|event_code|事件代码|Event code|||f|
alerts|status|性质|Status||alert_status|tf|
alerts|msg_type|消息类型|Message type||alert_type|f|
alerts|sent_at|发布时间|Sent at|||f|
alerts|effective|生效时间|Effective|||tf|
alerts|expires|失效时间|Expires|||tf|
incidents|kind|类型|Kind||incident_kind|tfm|
incidents|level|级别|Level||warning_4|tfm|
incidents|state|状态|State||incident_state|tfm|
incidents|occurred_at|发生时间|Occurred at|||tfm|
incidents|known_at|接报时间|Known at|||fm|
incidents|closed_at|结束时间|Closed at|||f|
incidents|place|地点|Place|||fm|
incidents|description|情况|Description|||m|
incidents|class|大类|Class||incident_class|fm|
incidents|type_code|GB/T 35561 代码|Type code|||f|
incidents|level_proposed|系统建议级别|Proposed level||warning_4||
incidents|source|来源|Source|||f|
incidents|deaths|死亡|Deaths|人||fm|
incidents|missing|失踪|Missing|人||fm|
incidents|injured|受伤|Injured|人||fm|
incidents|affected|受灾人口|Affected|人||tfm|
incidents|evacuated|转移安置|Evacuated|人||fm|
incidents|loss_wan|直接经济损失|Direct loss|万元||fm|
incident_sketches|kind|类型|Kind||sketch_kind|tf|
incident_sketches|note|说明|Note|||t|
incident_sketches|incident|事件 ID|Incident id||||
*|competent_dept|主管部门(防)|Competent department|||fm|
*|emergency_dept|应急责任单位(救)|Emergency department|||fm|
*|valid_from|有效期自|Valid from|||f|
*|valid_to|有效期至|Valid to|||f|
*|exercise|演练|Exercise|||tf|
*|field_verified_at|现场核实时间|Field verified at|||f|
*|recorded_at|入库时间|Recorded at|||f|
$fields$, '\n') with ordinality as t(line, ord) where line <> '') d
join layer l on d.f[1] in ('*', l.layer)
join information_schema.columns c on c.table_schema = l.table_schema and c.table_name = l.table_name and c.column_name = d.f[2];

-- A line that names no column would vanish in the join; refuse to go on without it.
do $$
declare
  missing text;
begin
  select string_agg(l.layer || '.' || c.column_name, ', ') into missing
  from layer l join information_schema.columns c on c.table_schema = l.table_schema and c.table_name = l.table_name
  where c.column_name not in ('id', 'fid', 'dataset', 'source_key', 'scope', 'attrs', 'version', 'created_at', 'recorded_by', 'geom', 'published')
    and not exists (select 1 from layer_field f where f.layer = l.layer and f.name = c.column_name);
  if missing is not null then
    raise exception 'columns without a field entry: %', missing;
  end if;
end
$$;

update layer_field f set unit_en = u.en
from (values ('人', 'persons'), ('户', 'households'), ('张', 'beds'), ('层', 'storeys'), ('年', 'years'), ('万元', '10,000 CNY'),
             ('m²/人', 'm²/person'), ('次/年', 'per year')) u (zh, en)
where f.unit = u.zh;

-- Settings every installation starts with.
insert into setting (key, value) values
 ('home',         '{"code": "", "title": ""}'),
 ('timezone',     '"Asia/Shanghai"'),
 ('map_approval', '""'),
 ('watermark',    '""');

-- First rule sets. Numbers as printed in the named standard or decree; verified
-- stays false until the bureau has compared them with its own copy.
insert into rule_set (rule, version, title_zh, title_en, standard, body) values
 ('incident_level_accident', 1, '生产安全事故分级', 'Accident grading', '国务院令第493号 第三条',
  '{"combine": "worst", "lower_bound": "inclusive", "criteria": {"deaths": [30, 10, 3, 0], "injured": [100, 50, 10, 0], "loss_wan": [10000, 5000, 1000, 0]}}'),
 ('gb18218_alpha', 1, '重大危险源 校正系数 α', 'Major hazard source alpha', 'GB 18218-2018 表5',
  '{"buffer_m": 500, "from": "plant_boundary", "steps": [{"min_persons": 100, "alpha": 2.0}, {"min_persons": 50, "alpha": 1.5}, {"min_persons": 30, "alpha": 1.2}, {"min_persons": 1, "alpha": 1.0}, {"min_persons": 0, "alpha": 0.5}]}'),
 ('gb18218_level', 1, '重大危险源 分级', 'Major hazard source levels', 'GB 18218-2018 表6',
  '{"steps": [{"level": 1, "min_r": 100}, {"level": 2, "min_r": 50}, {"level": 3, "min_r": 10}, {"level": 4, "min_r": 0}]}'),
 ('shelter_area_per_person', 1, '避难场所人均有效避难面积', 'Shelter area per person', 'GB 51143-2015',
  '{"m2_per_person": {"emergency_1d": 0.5, "temporary_3d": 1.0, "short_15d": 2.0, "medium_30d": 3.0, "long_100d": 4.5}}'),
 ('rainstorm_warning', 1, '暴雨预警信号', 'Rainstorm warning signals', '气象灾害预警信号发布与传播办法 (中国气象局令第16号)',
  '{"signals": [{"level": 4, "hours": 12, "mm": 50}, {"level": 3, "hours": 6, "mm": 50}, {"level": 2, "hours": 3, "mm": 50}, {"level": 1, "hours": 3, "mm": 100}]}'),
 ('import_limits', 1, '导入限值', 'Import limits', null,
  '{"max_vertices": 200000, "max_crossings": 2000, "chunk_rows": 5000, "duplicate_distance_m": 1}');
