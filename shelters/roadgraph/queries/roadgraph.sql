-- name: roads
select t.fid, coalesce(t.class, ''), t.oneway, t.walk_ok, coalesce(t.speed_kmh, 0)::int, t.bridge or t.tunnel, t.scope,
  coalesce((select d.demo from dataset d where d.id = t.dataset), false), t.geom
from roads t
where t.geom is not null and not t.exercise and (t.valid_from is null or t.valid_from <= now()) and (t.valid_to is null or t.valid_to > now())
