The warnings of the demonstration as if they had come as messages: who is in their areas,
who has heard.

-- name: alert_chains
update alerts set chain = id, received_at = sent_at + interval '40 seconds', urgency = 'Immediate', certainty = 'Likely', area_desc = coalesce(area_desc, headline)
where dataset = $1 and (chain is null or received_at is distinct from sent_at + interval '40 seconds')

-- name: alert_stale
-- Messages of an hour that is no longer told.
delete from alert_messages m using alerts a where a.id = m.alert and a.dataset = $1 and m.identifier is distinct from a.identifier

-- name: alert_messages
insert into alert_messages (alert, chain, identifier, sender, msg_type, sent_at, received_at, digest, message, scope, actor, name)
select a.id, a.id, a.identifier, a.sender, case a.msg_type when 'Update' then 'Update' else 'Alert' end, a.sent_at, a.sent_at + interval '40 seconds', 'demo',
  jsonb_build_object('identifier', a.identifier, 'sender', a.sender, 'sent', to_char(a.sent_at at time zone 'Asia/Shanghai', 'YYYY-MM-DD"T"HH24:MI:SS"+08:00"'), 'status', 'Actual',
    'msg_type', case a.msg_type when 'Update' then 'Update' else 'Alert' end, 'scope', 'Public',
    'references', coalesce((select jsonb_agg(jsonb_build_object('sender', o.sender, 'identifier', o.identifier, 'sent', to_char(o.sent_at at time zone 'Asia/Shanghai', 'YYYY-MM-DD"T"HH24:MI:SS"+08:00"')))
      from alerts o where a.msg_type = 'Update' and o.dataset = $1 and o.event = a.event and o.sender = a.sender and o.sent_at < a.sent_at), '[]'),
    'infos', jsonb_build_array(jsonb_build_object('language', 'zh-CN', 'categories', jsonb_build_array('Met'), 'event', a.event, 'urgency', 'Immediate', 'certainty', 'Likely',
      'severity', (array['Extreme', 'Severe', 'Moderate', 'Minor'])[a.level], 'event_codes', jsonb_build_array(jsonb_build_object('name', 'GB/T 35561', 'value', a.event_code)),
      'expires', to_char(a.expires at time zone 'Asia/Shanghai', 'YYYY-MM-DD"T"HH24:MI:SS"+08:00"'), 'headline', a.headline, 'description', a.description, 'instruction', a.instruction,
      'areas', jsonb_build_array(jsonb_build_object('desc', a.headline, 'polygons', jsonb_build_array(st_asgeojson(st_exteriorring(st_geometryn(a.geom, 1)))::jsonb -> 'coordinates')))))),
  a.scope, 'demo', '值班员'
from alerts a where a.dataset = $1 and a.state = 'active'
on conflict (identifier, sender) do nothing

-- name: alert_targets
insert into alert_targets (alert, code, name, town, share, whole, population, households, listed, listed_persons, weak, must_move, added)
select al.id, v.code, v.name, t.name, v.share, v.share > 0.9999, round(v.population * v.share)::int, round(v.households * v.share)::int, h.n, h.persons, h.weak, h.must,
  al.msg_type = 'Update' and abs(hashtext(v.code)) % 6 = 0
from alerts al
cross join lateral (
  select a.code, a.name, a.parent_code, a.population, a.households, a.scope, least(1, coalesce(st_area(st_intersection(a.geom, al.geom)) / nullif(st_area(a.geom), 0), 0)) share
  from admin a where a.rank = 5 and a.dataset = $1 and a.geom && al.geom and st_intersects(a.geom, al.geom)) v
left join lateral (select p.name from admin p where p.code = v.parent_code and p.valid_to is null limit 1) t on true
cross join lateral (
  select count(*)::int n, coalesce(sum(h.persons), 0)::int persons, coalesce(sum(coalesce(h.elderly, 0) + coalesce(h.children, 0) + coalesce(h.disabled, 0)), 0)::int weak, count(*) filter (where h.must_move)::int must
  from restricted.household h where h.scope <@ v.scope) h
where al.dataset = $1 and al.state = 'active' and v.share >= 0.001 and not exists (select from alert_targets o where o.alert = al.id)

-- name: alert_receipts
-- Most villages have confirmed, some were only reached, some are waited for.
insert into alert_receipts (id, dataset, alert, message, target, channel, outcome, at, actor, name)
select uuid_v7(), $1, t.alert, m.id, t.code, case when t.k % 5 = 0 then 'loudspeaker' when t.k % 5 = 1 then 'app' else 'phone' end, case when t.k % 10 < 7 then 'acknowledged' when t.k % 10 = 7 then 'reached' else 'failed' end,
  m.received_at + (2 + t.k % 23) * interval '1 minute', 'demo', '值班员'
from (select t.alert, t.code, abs(hashtext(t.code || t.alert::text)) k from alert_targets t join alerts a on a.id = t.alert where a.dataset = $1) t
cross join lateral (select m.id, m.received_at from alert_messages m where m.alert = t.alert order by m.received_at desc limit 1) m
where t.k % 10 < 9 and not exists (select from alert_receipts r where r.message = m.id)
