-- What the questions "who and what is inside, and where can they go" are answered by: the
-- rings of an incident by its kind, what counts how, and how fast people move. They write
-- nothing.

insert into rule_set (rule, version, title_zh, title_en, standard, responsible, body) values
 ('impact_rings', 1, '事件影响圈(按类型)', 'Rings of an incident by its kind', '经验规则:按本地预案修改', '应急管理局 应急指挥科',
  '{"default": [500, 1000], "kinds": {"fire": [200, 500], "gas": [200, 500], "hazchem": [300, 1000, 3000], "landslide": [300, 800], "collapse": [200, 500], "debris_flow": [500, 1000],
    "flood": [500, 1000, 2000], "waterlogging": [300, 800], "house_collapse": [100, 300], "road_damage": [200, 500], "traffic": [200, 500], "earthquake": [5000, 10000, 20000],
    "forest_fire": [1000, 3000], "environment": [500, 2000], "health": [500, 1000], "trapped": [300], "drowning": [300], "power": [1000], "water_supply": [1000], "telecom": [1000]}}'),
 ('impact', 1, '影响估算规则', 'Rules of the impact estimate', '经验规则:按本地口径修改', '应急管理局 应急指挥科',
  '{"registered": ["户籍", "戶籍", "registered"], "shelter_classes_excluded": ["air_raid"], "shelter_states_excluded": ["closed", "full", "disabled"], "neighbour_m": 3000, "neighbour_h": 24,
    "block_m": 3000, "nearest": 10, "walk_limit_min": 120, "drive_limit_min": 90}'),
 ('road_speeds', 1, '路网通行速度', 'Speeds on the roads', '经验规则:步行 1.0-1.2 m/s (老人 0.8);车速按等级', '应急管理局 应急指挥科',
  '{"walk_mps": 1.1, "walk_slow_mps": 0.8, "other_kmh": 25, "snap_m": 500, "join_m": 1.5, "no_walk": ["expressway"], "drive_kmh": {"expressway": 80, "national": 50, "provincial": 45, "county": 40,
    "township": 30, "village": 20, "trunk": 45, "secondary": 35, "street": 25, "lane": 12, "path": 0}}');

-- masked_phones are the numbers of those who answer for something, masked: what
-- restricted.list says of one area, for the people a question found.
create function restricted.masked_phones(p_responsibilities uuid[]) returns table (responsibility uuid, contact uuid, phone text, deputy_phone text)
language sql stable security definer set search_path = public, pg_temp as $$
  select c.responsibility, c.id, restricted.mask(c.phone), restricted.mask(c.deputy_phone)
  from restricted.contact c join public.responsibility r on r.id = c.responsibility
  where c.responsibility = any (p_responsibilities) and r.scope && current_setting('app.read')::int8multirange
$$;
revoke all on function restricted.masked_phones(uuid[]) from public;
grant execute on function restricted.masked_phones(uuid[]) to onemap_app;
