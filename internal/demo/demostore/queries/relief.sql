What command has and sends in the demo county. $1 is its data set; told again it stays as it is.

-- name: relief_stock
insert into stock (id, dataset, warehouse, item, unit, qty, rotate_on, geom, scope, name)
select md5('stock ' || w.source_key || v.item)::uuid, $1, w.id, v.item, v.unit, greatest(round((coalesce(w.persons_supported, 100) * v.share)::numeric), 1), current_date + v.days, st_pointonsurface(w.geom), w.scope, '示例保管员'
from warehouses w, (values ('帐篷', '顶', 0.08, 400), ('折叠床', '张', 0.33, 600), ('棉被', '床', 0.5, -20), ('编织袋', '条', 8, 200), ('救生衣', '件', 0.16, 300), ('饮用水', '箱', 0.6, 90)) v(item, unit, share, days)
where w.dataset = $1 and w.grade in ('county', 'township')
on conflict do nothing

-- name: relief_moves
insert into stock_moves (id, dataset, warehouse, item, unit, qty, after, reason, scope, name)
select md5('move ' || s.id)::uuid, $1, s.warehouse, s.item, s.unit, s.qty, s.qty, '年初盘点', s.scope, '示例保管员'
from stock s where s.dataset = $1
on conflict do nothing

-- name: relief_reservations
insert into shelter_reservations (id, dataset, shelter, n, party, until, geom, scope, name)
select md5('promise ' || s.source_key)::uuid, $1, s.id, greatest(1, least(40, (s.capacity - coalesce(s.occupancy, 0)) / 4)), '示例村转移群众', now() + interval '6 hours', st_pointonsurface(s.geom), s.scope, '示例值班员'
from shelters s where s.dataset = $1 and s.state = 'open' and s.capacity - coalesce(s.occupancy, 0) >= 8
order by s.name, s.id limit 3
on conflict do nothing

-- name: relief_reserved
update shelters s set reserved = x.n from (select r.shelter, sum(r.n - r.arrived)::int n from shelter_reservations r where r.state = 'held' group by r.shelter) x
where x.shelter = s.id and s.dataset = $1 and s.reserved <> x.n and coalesce(s.occupancy, 0) + x.n <= s.capacity

-- name: relief_dispatches
insert into dispatches (id, dataset, team, source, incident, task, place, state, sent_at, due_at, acknowledged_at, acknowledged_by, departed_at, arrived_at, geom, scope, name)
select md5('dispatch ' || t.source_key)::uuid, $1, t.id, t.name, i.id, case t.state when 'standby' then '增援转移群众' else '抢险救援、协助转移' end, coalesce(i.place, i.name, '示例地点'),
  case t.state when 'on_site' then 'arrived' when 'dispatched' then 'departed' else 'sent' end, now() - interval '25 minutes', now() - interval '15 minutes',
  case when t.state <> 'standby' then now() - interval '22 minutes' end, case when t.state <> 'standby' then '示例队长' end, case when t.state <> 'standby' then now() - interval '18 minutes' end,
  case when t.state = 'on_site' then now() - interval '5 minutes' end, st_pointonsurface(i.geom), t.scope, '示例值班员'
from (select x.*, row_number() over (partition by x.state order by x.name, x.id) n from teams x where x.dataset = $1 and x.state in ('standby', 'dispatched', 'on_site')) t
left join lateral (select k.* from incidents k where k.dataset = $1 and not k.exercise and k.geom is not null and k.state in ('received', 'verified', 'responding') order by st_distance(k.geom, t.geom), k.id limit 1) i on true
where t.n <= case t.state when 'standby' then 1 else 4 end
on conflict do nothing

-- name: relief_goods
insert into dispatches (id, dataset, warehouse, source, task, place, items, state, sent_at, due_at, acknowledged_at, acknowledged_by, geom, scope, name)
select md5('goods ' || w.source_key)::uuid, $1, w.id, w.name, '向安置点送被服', s.name, '[{"item":"棉被","unit":"床","qty":60},{"item":"折叠床","unit":"张","qty":30}]', 'acknowledged',
  now() - interval '14 minutes', now() - interval '4 minutes', now() - interval '9 minutes', '示例保管员', st_pointonsurface(s.geom), w.scope, '示例值班员'
from warehouses w, lateral (select h.* from shelters h where h.dataset = $1 and h.state = 'open' and h.geom is not null order by h.occupancy desc nulls last, h.id limit 1) s
where w.dataset = $1 and w.grade = 'county'
on conflict do nothing

-- name: remove_relief_checkins
delete from shelter_checkins c where c.dataset = $1 or c.dataset is null and c.scope <@ code_scope('990100')

-- name: remove_relief_reservations
delete from shelter_reservations r where r.dataset = $1 or r.dataset is null and r.scope <@ code_scope('990100')

-- name: remove_relief_dispatches
delete from dispatches d where d.dataset = $1 or d.dataset is null and d.scope <@ code_scope('990100')

-- name: remove_relief_moves
delete from stock_moves m where m.dataset = $1 or m.dataset is null and m.scope <@ code_scope('990100')

-- name: remove_relief_stock
delete from stock s where s.dataset = $1 or s.dataset is null and s.scope <@ code_scope('990100')

-- name: remove_relief_positions
delete from team_positions p where p.dataset = $1 or p.dataset is null and p.scope <@ code_scope('990100')
