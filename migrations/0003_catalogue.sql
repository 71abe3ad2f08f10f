-- The layer catalogue, the ladders and the code lists. Titles are the office's own
-- words; nothing here is code, so a bureau may change it without a new binary.

insert into theme (theme, title_zh, title_en, sort) values
 ('events',      '事件与预警',   'Incidents and warnings', 1),
 ('dangers',     '隐患',         'Hidden dangers', 2),
 ('hazards',     '致灾要素',     'Hazards', 3),
 ('enterprises', '企业与危险源', 'Enterprises and hazard sources', 4),
 ('zoning',      '风险区划',     'Risk zoning', 5),
 ('relief',      '避难与救援',   'Shelter and rescue', 6),
 ('exposure',    '承灾体',       'Exposed elements', 7),
 ('admin',       '行政区划',     'Administrative units', 8);

-- Ladders. Warning colours belong to warnings, incidents and dual prevention only;
-- risk ladders use one hue each that cannot be taken for them. print_color holds
-- what the trade's mapping specification prescribes, marked unverified until
-- somebody has checked it against the paper.
insert into code_list (list, kind, title_zh, title_en, standard, verified) values
 ('warning_4',    'ladder', '预警级别',         'Warning level',            '突发事件应对法 第四十二条 (2007); 2024 修订第六十三条', false),
 ('dual_4',       'ladder', '安全风险等级',     'Dual-prevention risk',     '双重预防机制 红橙黄蓝', false),
 ('risk_5',       'ladder', '综合风险等级',     'Composite risk level',     '全国自然灾害综合风险普查 综合风险区划 五级', false),
 ('hazard_4',     'ladder', '危险性等级',       'Hazard level',             '气象灾害危险性等级 四级 (普查技术规范)', false),
 ('prevention_3', 'ladder', '防治分区',         'Prevention class',         '防治区划 重点/次重点/一般', false),
 ('source_4',     'ladder', '重大危险源级别',   'Major hazard source level','GB 18218-2018 表6', false),
 ('danger_2',     'ladder', '隐患级别',         'Hidden danger level',      '安全生产事故隐患排查治理暂行规定 第三条', false);

insert into code_item (list, code, title_zh, title_en, sort, level, mark_zh, mark_en, color, color_dark, texture, print_color) values
 ('warning_4', '1', '红色',   'Red',    1, 1, '红', 'R1', '#B3001B', '#ED3B5C', 'cross',    null),
 ('warning_4', '2', '橙色',   'Orange', 2, 2, '橙', 'O2', '#F58518', '#F0A135', 'diagonal', null),
 ('warning_4', '3', '黄色',   'Yellow', 3, 3, '黄', 'Y3', '#FFE14D', '#FFE066', 'dots',     null),
 ('warning_4', '4', '蓝色',   'Blue',   4, 4, '蓝', 'B4', '#1F6FD1', '#2982F3', 'plain',    null),
 ('dual_4', '1', '重大风险', 'Major',    1, 1, '红', 'R1', '#B3001B', '#ED3B5C', 'cross',    null),
 ('dual_4', '2', '较大风险', 'Serious',  2, 2, '橙', 'O2', '#F58518', '#F0A135', 'diagonal', null),
 ('dual_4', '3', '一般风险', 'Moderate', 3, 3, '黄', 'Y3', '#FFE14D', '#FFE066', 'dots',     null),
 ('dual_4', '4', '低风险',   'Low',      4, 4, '蓝', 'B4', '#1F6FD1', '#2982F3', 'plain',    null),
 ('risk_5', '1', '高',   'High',        1, 1, '高',   'H',  '#4A2378', '#D9BEFF', 'cross',    'cmyk(0,100,100,25)'),
 ('risk_5', '2', '中高', 'Medium-high', 2, 2, '中高', 'MH', '#7A4FA8', '#AE8AE6', 'diagonal', 'cmyk(15,100,85,0)'),
 ('risk_5', '3', '中',   'Medium',      3, 3, '中',   'M',  '#A585CB', '#7F67B8', 'dots',     'cmyk(5,50,60,0)'),
 ('risk_5', '4', '中低', 'Medium-low',  4, 4, '中低', 'ML', '#CDBBE2', '#5B4D8A', 'plain',    'cmyk(5,35,40,0)'),
 ('risk_5', '5', '低',   'Low',         5, 5, '低',   'L',  '#E9E1F2', '#413A66', 'plain',    'cmyk(0,15,15,0)'),
 ('hazard_4', '1', '高',   'High',        1, 1, '高',   'H',  '#7C1D6F', '#F2A6E3', 'cross',    'cmyk(100,70,40,0)'),
 ('hazard_4', '2', '较高', 'Fairly high', 2, 2, '较高', 'FH', '#AD4A9E', '#CC74BC', 'diagonal', 'cmyk(70,50,10,0)'),
 ('hazard_4', '3', '较低', 'Fairly low',  3, 3, '较低', 'FL', '#D08FC6', '#9A5290', 'dots',     'cmyk(55,30,10,0)'),
 ('hazard_4', '4', '低',   'Low',         4, 4, '低',   'L',  '#EBCDE6', '#6C3F69', 'plain',    'cmyk(20,10,5,0)'),
 ('prevention_3', '1', '重点防治区',   'Key prevention',       1, 1, '重点',   'K',  '#0B5D5B', '#7FE0DA', 'cross',    null),
 ('prevention_3', '2', '次重点防治区', 'Secondary prevention', 2, 2, '次重点', 'S',  '#4C9A97', '#3FA39E', 'diagonal', null),
 ('prevention_3', '3', '一般防治区',   'General prevention',   3, 3, '一般',   'G',  '#A9D5D2', '#26635F', 'plain',    null),
 ('source_4', '1', '一级', 'Level I',   1, 1, '一', 'I',   '#12264A', '#B9D2F5', 'cross',    null),
 ('source_4', '2', '二级', 'Level II',  2, 2, '二', 'II',  '#33558A', '#86AEE6', 'diagonal', null),
 ('source_4', '3', '三级', 'Level III', 3, 3, '三', 'III', '#6B8EBF', '#5A86C4', 'dots',     null),
 ('source_4', '4', '四级', 'Level IV',  4, 4, '四', 'IV',  '#A9C0DF', '#3E618F', 'plain',    null),
 ('danger_2', '1', '重大隐患', 'Serious',  1, 1, '重大', 'S', '#5B2A86', '#C79BF0', 'cross', null),
 ('danger_2', '2', '一般隐患', 'Ordinary', 2, 2, '一般', 'O', '#9B6FC4', '#8A63B5', 'plain', null);

insert into code_list (list, title_zh, title_en, standard) values
 ('hazard', '灾种', 'Hazard', 'design: slugs; GB/T 35561-2017 as attribute'),
 ('admin_rank', '行政级别', 'Administrative rank', 'GB/T 2260, GB/T 10114'),
 ('urban_rural', '城乡分类', 'Urban-rural class', '统计用城乡划分代码'),
 ('grid_kind', '网格类型', 'Grid kind', 'DB6101/T 3185-2024'),
 ('building_use', '房屋用途', 'Building use', null),
 ('building_structure', '结构类型', 'Structure', null),
 ('danger_grade', '房屋危险性等级', 'Dangerous house grade', 'JGJ 125-2016'),
 ('facility_kind', '设施类型', 'Facility kind', null),
 ('protection_class', '防护目标分类', 'Protected target class', 'GB 36894-2018'),
 ('key_place_kind', '重点场所类型', 'Key place kind', null),
 ('road_class', '道路等级', 'Road class', null),
 ('block_state', '阻断状态', 'Block state', null),
 ('block_cause', '阻断原因', 'Block cause', null),
 ('lifeline_kind', '生命线类型', 'Lifeline kind', null),
 ('river_kind', '水体类型', 'Water body kind', null),
 ('waterworks_kind', '水利工程类型', 'Waterworks kind', null),
 ('condition', '工况', 'Condition', null),
 ('hazard_scale', '规模等级', 'Scale', null),
 ('hazard_trigger', '诱发因素', 'Trigger', null),
 ('hazard_state', '在册状态', 'Register state', null),
 ('danger_kind', '隐患类别', 'Danger kind', null),
 ('danger_state', '隐患状态', 'Danger state', null),
 ('danger_source', '隐患来源', 'Danger source', null),
 ('enterprise_state', '经营状态', 'Operating state', null),
 ('enterprise_scale', '企业规模', 'Enterprise size', '统计上大中小微型企业划分办法 (2017)'),
 ('source_kind', '危险源单元', 'Hazard source unit', 'GB 18218-2018 3.5, 3.6'),
 ('contour_kind', '安全距离类型', 'Safety contour kind', 'GB/T 37243-2019'),
 ('zone_kind', '区划类型', 'Zone kind', null),
 ('shelter_class', '避难时长类别', 'Shelter class', 'GB/T 44013-2024'),
 ('shelter_grade', '避难场所级别', 'Shelter grade', 'GB/T 44013-2024'),
 ('shelter_function', '总体功能', 'Shelter function', 'GB/T 44013-2024'),
 ('shelter_space', '空间类型', 'Space type', 'GB/T 44013-2024'),
 ('shelter_vertical', '地上地下', 'Above or below ground', null),
 ('shelter_state', '开放状态', 'Opening state', null),
 ('service_method', '服务区方法', 'Service area method', null),
 ('team_kind', '队伍类型', 'Team kind', null),
 ('team_state', '队伍状态', 'Team state', null),
 ('warehouse_grade', '储备级别', 'Store grade', null),
 ('ownership', '权属', 'Ownership', null),
 ('sensor_kind', '监测类型', 'Sensor kind', null),
 ('sensor_state', '监测状态', 'Sensor state', null),
 ('terminal_kind', '终端类型', 'Terminal kind', null),
 ('device_state', '设备状态', 'Device state', null),
 ('alert_status', '预警性质', 'Alert status', 'CAP 1.2 status'),
 ('alert_type', '消息类型', 'Message type', 'CAP 1.2 msgType'),
 ('alert_state', '预警状态', 'Alert state', null),
 ('incident_kind', '事件类型', 'Incident kind', null),
 ('incident_class', '事件大类', 'Incident class', '突发事件应对法'),
 ('incident_state', '事件状态', 'Incident state', null),
 ('sketch_kind', '标绘类型', 'Sketch kind', null);

insert into code_item (list, code, title_zh, title_en, sort)
select list, code, zh, en, row_number() over (partition by list order by ord) from (
 select split_part(line, '|', 1) list, split_part(line, '|', 2) code, split_part(line, '|', 3) zh, split_part(line, '|', 4) en, ord
 from regexp_split_to_table($codes$
hazard|earthquake|地震|Earthquake
hazard|collapse|崩塌|Rockfall
hazard|landslide|滑坡|Landslide
hazard|debris_flow|泥石流|Debris flow
hazard|subsidence|地面塌陷|Subsidence
hazard|rainstorm|暴雨|Rainstorm
hazard|flood|洪水|Flood
hazard|waterlogging|内涝|Waterlogging
hazard|drought|干旱|Drought
hazard|typhoon|台风|Typhoon
hazard|hail|冰雹|Hail
hazard|gale|大风|Gale
hazard|lightning|雷电|Lightning
hazard|snow|雪灾|Snow
hazard|low_temperature|低温|Low temperature
hazard|high_temperature|高温|High temperature
hazard|sandstorm|沙尘暴|Sandstorm
hazard|storm_surge|风暴潮|Storm surge
hazard|wave|海浪|Wave
hazard|tsunami|海啸|Tsunami
hazard|forest_fire|森林火灾|Forest fire
hazard|grass_fire|草原火灾|Grassland fire
hazard|hazchem|危险化学品事故|Hazardous chemicals
hazard|multi|综合|Multi-hazard
admin_rank|1|省级|Province
admin_rank|2|市级|City
admin_rank|3|县级|County
admin_rank|4|乡镇(街道)|Township
admin_rank|5|村(社区)|Village
urban_rural|111|主城区|Urban core
urban_rural|112|城乡结合区|Urban fringe
urban_rural|121|镇中心区|Town centre
urban_rural|122|镇乡结合区|Town fringe
urban_rural|123|特殊区域|Special area
urban_rural|210|乡中心区|Township centre
urban_rural|220|村庄|Village
grid_kind|base|基础网格|Base grid
grid_kind|special|专属网格|Special grid
building_use|residential|住宅|Residential
building_use|rural_house|农村住房|Rural house
building_use|commercial|商业|Commercial
building_use|office|办公|Office
building_use|school|学校|School
building_use|hospital|医疗|Medical
building_use|industrial|工业|Industrial
building_use|warehouse|仓储|Warehouse
building_use|public|公共服务|Public service
building_use|farm|农业设施|Farm building
building_use|other|其他|Other
building_structure|reinforced_concrete|钢筋混凝土|Reinforced concrete
building_structure|masonry|砌体|Masonry
building_structure|brick_wood|砖木|Brick and wood
building_structure|earth|土木|Earth
building_structure|steel|钢结构|Steel
building_structure|other|其他|Other
danger_grade|A|A 级|Grade A
danger_grade|B|B 级|Grade B
danger_grade|C|C 级(局部危房)|Grade C
danger_grade|D|D 级(整幢危房)|Grade D
facility_kind|kindergarten|幼儿园|Kindergarten
facility_kind|school|学校|School
facility_kind|hospital|医院|Hospital
facility_kind|clinic|诊所(卫生院)|Clinic
facility_kind|pharmacy|药房|Pharmacy
facility_kind|nursing_home|养老机构|Nursing home
facility_kind|welfare|社会福利机构|Welfare institution
facility_kind|government|行政机关|Government
facility_kind|police|公安机关|Police
facility_kind|fire_station|消防站|Fire station
facility_kind|stadium|体育场馆|Stadium
facility_kind|park|公园广场|Park or square
facility_kind|market|市场商场|Market
facility_kind|scenic|景区|Scenic area
facility_kind|gas_station|加油加气站|Filling station
facility_kind|water_plant|水厂|Water plant
facility_kind|power_station|变电站(电站)|Power station
facility_kind|telecom|通信设施|Telecom
facility_kind|bridge|桥梁|Bridge
facility_kind|tailings|尾矿库|Tailings pond
facility_kind|transport_hub|交通枢纽|Transport hub
facility_kind|heritage|文物保护单位|Heritage site
facility_kind|other|其他|Other
protection_class|high_sensitive|高敏感防护目标|Highly sensitive
protection_class|important|重要防护目标|Important
protection_class|general_1|一般防护目标(一类)|General, class 1
protection_class|general_2|一般防护目标(二类)|General, class 2
protection_class|general_3|一般防护目标(三类)|General, class 3
key_place_kind|mall|商场|Shopping mall
key_place_kind|entertainment|娱乐场所|Entertainment venue
key_place_kind|hotel|宾馆|Hotel
key_place_kind|school|学校|School
key_place_kind|hospital|医院|Hospital
key_place_kind|nursing_home|养老机构|Nursing home
key_place_kind|scenic|景区|Scenic area
key_place_kind|venue|人员密集场所|Crowded venue
key_place_kind|old_quarter|老旧街区|Old quarter
key_place_kind|narrow_alley|消防通道狭窄巷道|Narrow alley
key_place_kind|fire_risk|消防重点场所|Fire risk venue
key_place_kind|construction|在建工地|Construction site
key_place_kind|mine|矿山|Mine
key_place_kind|event|大型活动|Large event
key_place_kind|other|其他|Other
road_class|expressway|高速公路|Expressway
road_class|national|国道|National road
road_class|provincial|省道|Provincial road
road_class|county|县道|County road
road_class|township|乡道|Township road
road_class|village|村道|Village road
road_class|trunk|城市快速路(主干路)|Urban arterial
road_class|secondary|城市次干路|Urban secondary road
road_class|street|街道(支路)|Street
road_class|lane|巷道|Lane
road_class|path|步行道|Footpath
road_class|other|其他|Other
block_state|blocked|中断|Blocked
block_state|one_lane|半幅通行|One lane open
block_state|reopened|已抢通|Reopened
block_cause|landslide|塌方滑坡|Landslide
block_cause|flood|水毁|Flood damage
block_cause|waterlogging|积水|Standing water
block_cause|collapse|路基塌陷|Road collapse
block_cause|accident|交通事故|Traffic accident
block_cause|works|施工|Road works
block_cause|other|其他|Other
lifeline_kind|power|电力线路|Power line
lifeline_kind|gas|燃气管道|Gas pipe
lifeline_kind|water|供水管道|Water main
lifeline_kind|drainage|排水管道|Drain
lifeline_kind|heat|供热管道|Heat pipe
lifeline_kind|telecom|通信线路|Telecom line
lifeline_kind|oil|输油管道|Oil pipeline
river_kind|river|河流|River
river_kind|stream|溪沟|Stream
river_kind|canal|渠道|Canal
river_kind|lake|湖泊|Lake
river_kind|reservoir|水库|Reservoir
river_kind|pond|塘坝|Pond
waterworks_kind|dam|大坝|Dam
waterworks_kind|levee|堤防|Levee
waterworks_kind|floodgate|水闸|Floodgate
waterworks_kind|pump|泵站|Pumping station
waterworks_kind|spillway|溢洪道|Spillway
waterworks_kind|culvert|涵闸|Culvert
waterworks_kind|other|其他|Other
condition|good|正常|Good
condition|fair|基本正常|Fair
condition|poor|病险|Poor
condition|unknown|未知|Unknown
hazard_scale|1|特大型|Very large
hazard_scale|2|大型|Large
hazard_scale|3|中型|Medium
hazard_scale|4|小型|Small
hazard_trigger|rain|降雨|Rainfall
hazard_trigger|earthquake|地震|Earthquake
hazard_trigger|human|人为活动|Human activity
hazard_trigger|freeze_thaw|冻融|Freeze and thaw
hazard_trigger|water_level|水位变化|Water level
hazard_trigger|other|其他|Other
hazard_state|new|新增|New
hazard_state|registered|在册|Registered
hazard_state|watch|持续观察|Under observation
hazard_state|treatment|整治中|Under treatment
hazard_state|removed|已销号|Removed
danger_kind|geology|地质灾害隐患|Geological
danger_kind|flood|防汛隐患|Flood control
danger_kind|fire|消防隐患|Fire
danger_kind|hazchem|危化品隐患|Hazardous chemicals
danger_kind|building|房屋安全隐患|Building
danger_kind|road|道路交通隐患|Road
danger_kind|power|用电隐患|Electrical
danger_kind|gas|燃气隐患|Gas
danger_kind|mine|矿山隐患|Mine
danger_kind|forest|森林防火隐患|Forest fire
danger_kind|water|涉水隐患|Water
danger_kind|other|其他|Other
danger_state|draft|草稿|Draft
danger_state|reported|已上报|Reported
danger_state|verified|已核实|Verified
danger_state|rejected|不属实|Rejected
danger_state|graded|已定级|Graded
danger_state|pending_approval|待审批|Pending approval
danger_state|rectifying|整改中|Rectifying
danger_state|reviewing|复查中|Reviewing
danger_state|closed|已销号|Closed
danger_source|grid|网格员|Grid worker
danger_source|self|企业自查|Self-check
danger_source|inspection|部门检查|Inspection
danger_source|report|群众举报|Public report
danger_source|sensor|监测设备|Sensor
enterprise_state|production|生产中|In production
enterprise_state|suspended|停产|Suspended
enterprise_state|construction|在建|Under construction
enterprise_state|closed|注销(歇业)|Closed
enterprise_scale|large|大型|Large
enterprise_scale|medium|中型|Medium
enterprise_scale|small|小型|Small
enterprise_scale|micro|微型|Micro
source_kind|production|生产单元|Production unit
source_kind|storage|储存单元|Storage unit
contour_kind|external_distance|外部安全防护距离|External safety distance
contour_kind|individual_risk|个人风险等值线|Individual risk contour
contour_kind|overpressure|超压|Overpressure
zone_kind|risk|风险区划|Risk zoning
zone_kind|prevention|防治区划|Prevention zoning
shelter_class|emergency|紧急避难场所|Emergency
shelter_class|short|短期避难场所|Short-term
shelter_class|long|长期避难场所|Long-term
shelter_class|air_raid|人防工程|Civil air defence
shelter_grade|province|省级|Province
shelter_grade|city|市级|City
shelter_grade|county|县级|County
shelter_grade|township|乡镇(街道)级|Township
shelter_grade|village|村(社区)级|Village
shelter_function|comprehensive|综合性|Comprehensive
shelter_function|single|单一性|Single purpose
shelter_function|special|特定|Special
shelter_space|indoor|室内型(建筑型)|Indoor
shelter_space|outdoor|室外型(场地型)|Outdoor
shelter_space|both|室内外兼有|Indoor and outdoor
shelter_vertical|above|地上|Above ground
shelter_vertical|below|地下|Below ground
shelter_vertical|both|地上地下|Both
shelter_state|closed|关闭|Closed
shelter_state|standby|待启用|Standby
shelter_state|open|开放|Open
shelter_state|full|满员|Full
shelter_state|disabled|停用|Out of use
service_method|radius|半径|Radius
service_method|isochrone|等时圈|Isochrone
service_method|responsibility|责任区|Responsibility area
team_kind|fire|消防救援|Fire and rescue
team_kind|comprehensive|综合救援|Comprehensive
team_kind|mountain|山岳救援|Mountain
team_kind|water|水域救援|Water
team_kind|earthquake|地震救援|Earthquake
team_kind|hazchem|危化救援|Hazardous chemicals
team_kind|forest|森林消防|Forest fire
team_kind|medical|医疗救护|Medical
team_kind|grassroots|基层应急队|Grass-roots
team_kind|social|社会力量|Volunteer
team_state|standby|待命|Standby
team_state|dispatched|已出动|Dispatched
team_state|on_site|到场|On site
team_state|off_duty|休整|Off duty
warehouse_grade|county|县级|County
warehouse_grade|township|乡镇级|Township
warehouse_grade|community|社区级|Community
ownership|government|政府|Government
ownership|social|社会|Social
sensor_kind|rain|雨量站|Rain gauge
sensor_kind|river_level|河道水位站|River level gauge
sensor_kind|reservoir_level|水库水位站|Reservoir level gauge
sensor_kind|sewer_level|下水道水位计|Sewer level gauge
sensor_kind|waterlogging|积水监测|Standing water gauge
sensor_kind|displacement|位移监测|Displacement
sensor_kind|gas|气体监测|Gas detector
sensor_kind|wind|风速站|Anemometer
sensor_kind|camera|视频|Camera
sensor_state|normal|正常|Normal
sensor_state|warning|超警|Above warning
sensor_state|no_data|无数据|No data
terminal_kind|loudspeaker|应急广播|Loudspeaker
terminal_kind|screen|电子显示屏|Screen
terminal_kind|siren|警报器|Siren
terminal_kind|box|入户终端|Household receiver
device_state|online|在线|Online
device_state|offline|离线|Offline
device_state|fault|故障|Fault
alert_status|Actual|实际|Actual
alert_status|Exercise|演练|Exercise
alert_status|Test|测试|Test
alert_type|Alert|首发|Alert
alert_type|Update|更新|Update
alert_type|Cancel|解除|Cancel
alert_state|active|有效|Active
alert_state|updated|已更新|Updated
alert_state|cancelled|已解除|Cancelled
alert_state|expired|已过期|Expired
incident_kind|flood|洪水|Flood
incident_kind|waterlogging|积水内涝|Waterlogging
incident_kind|landslide|滑坡|Landslide
incident_kind|collapse|崩塌|Rockfall
incident_kind|debris_flow|泥石流|Debris flow
incident_kind|house_collapse|房屋倒损|House damage
incident_kind|road_damage|道路损毁|Road damage
incident_kind|traffic|交通事故|Traffic accident
incident_kind|fire|火灾|Fire
incident_kind|forest_fire|森林火灾|Forest fire
incident_kind|hazchem|危化品泄漏|Chemical release
incident_kind|gas|燃气事故|Gas accident
incident_kind|power|供电中断|Power cut
incident_kind|water_supply|供水中断|Water supply cut
incident_kind|telecom|通信中断|Telecom cut
incident_kind|tree|树木倒伏|Fallen tree
incident_kind|signboard|招牌坠落|Fallen signboard
incident_kind|public_facility|公共设施损坏|Public facility damage
incident_kind|environment|环境污染|Pollution
incident_kind|drowning|溺水|Drowning
incident_kind|trapped|人员被困|People trapped
incident_kind|earthquake|地震|Earthquake
incident_kind|health|公共卫生|Public health
incident_kind|hotline|热线诉求|Hotline request
incident_kind|other|其他|Other
incident_class|natural|自然灾害|Natural disaster
incident_class|accident|事故灾难|Accident
incident_class|health|公共卫生|Public health
incident_class|security|社会安全|Public security
incident_state|received|接报|Received
incident_state|verified|核实|Verified
incident_state|responding|响应中|Responding
incident_state|closed|结束|Closed
incident_state|archived|归档|Archived
sketch_kind|affected_area|影响范围|Affected area
sketch_kind|cordon|警戒区|Cordon
sketch_kind|command_post|现场指挥部|Command post
sketch_kind|assembly|集结地|Assembly point
sketch_kind|checkpoint|管控卡口|Checkpoint
sketch_kind|evacuation_route|疏散路线|Evacuation route
sketch_kind|access_route|救援通道|Access route
$codes$, '\n') with ordinality as t(line, ord)
 where line <> '') parsed;

insert into layer (layer, title_zh, title_en, theme, sort, geometry, table_name, id_column, fid_column, scope_column,
                   label_field, level_field, kind_field, ladder, ladder_by, time_kind, time_from, time_to, shown_field, order_by,
                   symbol, min_zoom, max_zoom, default_visible)
select f[1], f[2], f[3], f[4], f[5]::int, f[6], f[1], 'id', 'fid', 'scope',
       'name', nullif(f[7],''), nullif(f[8],''), nullif(f[9],''), nullif(f[10],'')::jsonb,
       nullif(f[11],''), nullif(f[12],''), nullif(f[13],''), nullif(f[14],''), nullif(f[15],''),
       f[16], f[17]::int, f[18]::int, f[19]::boolean
from (select string_to_array(line, '|') f from regexp_split_to_table($layers$
incidents|突发事件|Incidents|events|1|mixed|level|kind|warning_4||instant|occurred_at|closed_at||affected|circle|5|16|t
alerts|预警范围|Warning areas|events|2|polygon|level|hazard|warning_4||interval|effective|expires|||fill|5|14|t
incident_sketches|现场标绘|Incident sketches|events|3|mixed||kind|||interval|valid_from|valid_to|||sketch|9|16|t
road_blocks|道路阻断|Road blocks|events|4|mixed||cause|||instant|blocked_at|reopened_at|||block|8|16|t
dangers|隐患台账|Hidden dangers|dangers|1|mixed|level|kind|danger_2||instant|found_at|closed_at|||square|8|16|t
hazards|灾害隐患点|Hazard points|hazards|1|mixed|level|hazard|hazard_4||interval|valid_from|valid_to||threatened_persons|triangle|7|16|t
hazard_areas|致灾危险区|Hazard areas|hazards|2|polygon|level|hazard|hazard_4||interval|valid_from|valid_to|||fill|7|15|t
sensors|监测站点|Sensors|hazards|3|point||kind|||interval|valid_from|valid_to|||sensor|8|16|f
hazard_sources|重大危险源|Major hazard sources|enterprises|1|mixed|level|kind|source_4||interval|valid_from|valid_to||r|diamond_double|7|16|t
safety_contours|安全防护距离|Safety contours|enterprises|2|mixed||kind|||interval|valid_from|valid_to|||contour|10|16|f
enterprises|企业|Enterprises|enterprises|3|mixed|level|state|dual_4||interval|valid_from|valid_to||employees|diamond|9|16|f
zones|区划|Zones|zoning|1|polygon|level|kind||{"field":"kind","map":{"risk":"risk_5","prevention":"prevention_3"}}|interval|valid_from|valid_to|published||fill|5|14|f
shelters|应急避难场所|Shelters|relief|1|mixed||class|||interval|valid_from|valid_to||capacity|house|8|16|t
shelter_service_areas|避难服务区|Shelter service areas|relief|2|polygon||method|||interval|valid_from|valid_to|||contour|10|16|f
teams|救援队伍|Rescue teams|relief|3|point||kind|||interval|valid_from|valid_to||members|shield|7|16|f
warehouses|物资储备库|Relief stores|relief|4|mixed||grade|||interval|valid_from|valid_to||area_m2|store|7|16|f
warning_terminals|预警终端|Warning terminals|relief|5|point||kind|||interval|valid_from|valid_to|||terminal|11|16|f
key_places|重点场所|Key places|exposure|1|mixed|level|kind|dual_4||interval|valid_from|valid_to||persons_peak|pin|11|16|f
facilities|重要设施|Facilities|exposure|2|mixed||kind|||interval|valid_from|valid_to||persons_peak|dot|11|16|f
population|人口分布|Population|exposure|3|polygon|||||interval|valid_from|valid_to|||density|8|15|f
vulnerable|脆弱人群|Vulnerable people|exposure|4|mixed|||||interval|valid_from|valid_to||total|density|8|15|f
buildings|房屋建筑|Buildings|exposure|5|mixed||use|||interval|valid_from|valid_to||area_m2|building|13|16|t
roads|道路|Roads|exposure|6|line||class|||interval|valid_from|valid_to|||road|6|16|t
lifelines|生命线工程|Lifelines|exposure|7|mixed||kind|||interval|valid_from|valid_to|||lifeline|10|16|f
rivers|河流水库|Rivers and reservoirs|exposure|8|mixed||kind|||interval|valid_from|valid_to||length_km|water|6|16|t
waterworks|水利工程|Waterworks|exposure|9|mixed||kind|||interval|valid_from|valid_to|||waterworks|10|16|f
admin|行政区划|Administrative units|admin|1|polygon||rank|||interval|valid_from|valid_to||area_km2|boundary|4|15|t
grids|网格|Grids|admin|2|polygon||kind|||interval|valid_from|valid_to|||grid|12|16|f
$layers$, '\n') line where line <> '') l;
