Plans and their zones.

-- name: plan_position
select pg_current_xact_id()::text || '.' || coalesce((select max(seq) from change_log where xid = pg_current_xact_id()), 0)::text

-- name: plan_horizon
-- Whatever committed before this is in what is read from here on.
select pg_snapshot_xmin(pg_current_snapshot())::text || '.0'

-- name: plans
-- Who sees which: what was published, whoever reads the layer there; what is being
-- consulted or reviewed, who signed in and reads the area ($11); a draft, who draws or
-- reviews in the whole of its area ($12). $13 asks nothing of that: the row for one who
-- was let in before. Who made it, submitted, approved, published or withdrew it goes by his
-- name where he has an account, else as the feed calls him.
with p as materialized (
  select p.* from plan p
  where ($1::uuid is null or p.id = $1) and ($2::uuid is null or p.series = $2) and ($3 = '' or p.state = $3) and ($4 = '' or p.hazard = $4) and ($5 = '' or p.kind = $5)
    and ($6::int8range is null or p.scope && $6)
    and ($7 = '' or p.title ilike $7 or p.document_no ilike $7)
    and ($8::timestamptz is null or (p.created_at, p.id) < ($8, $9::uuid))
    and ($13 or (coalesce(p.scope && $10::int8multirange, false) and
      (p.state in ('published', 'superseded') or (p.state = 'withdrawn' and p.effective_from is not null)
       or (p.state in ('consultation', 'expert_review', 'submitted', 'in_review', 'approved') and coalesce(p.scope && $11::int8multirange, false))
       or coalesce(p.scope <@ $12::int8multirange, false))))
  order by p.created_at desc, p.id desc limit $14)
select p.id::text, p.series::text, p.version_no, coalesce(p.parent::text, ''), p.hazard, p.kind, p.title, p.admin_code, p.scope, p.exhaustive, p.unit, coalesce(p.ladder, ''), p.state, p.method,
  coalesce(p.document_no, ''), coalesce(p.responsible, ''), coalesce(p.note, ''), p.effective_from, p.effective_to,
  coalesce(p.state in ('published', 'superseded', 'withdrawn') and p.effective_from <= $15::date and coalesce(p.effective_to > $15::date, true), false),
  p.version, p.created_at, p.updated_at, coalesce((select a.name from auth.account a where a.id = p.created_account), p.created_by), coalesce(p.created_account::text, ''),
  p.submitted_at, coalesce((select a.name from auth.account a where a.id = p.submitted_account), p.submitted_by, ''), coalesce(p.submitted_account::text, ''),
  p.approved_at, coalesce((select a.name from auth.account a where a.id = p.approved_account), p.approved_by, ''),
  p.published_at, coalesce((select a.name from auth.account a where a.id = p.published_account), p.published_by, ''),
  p.withdrawn_at, coalesce((select v.name from plan_event v where v.plan = p.id and v.to_state = 'withdrawn' order by v.seq desc limit 1), p.withdrawn_by, ''),
  plan_is_demo(p.dataset), plan_makers(p.id)::text[],
  exists (select from plan o where o.series = p.series and o.state in ('draft', 'consultation', 'expert_review', 'submitted', 'in_review', 'returned', 'approved')),
  z.n, z.ungraded, z.accepted, z.returned, c.n, c.open,
  coalesce(st_xmin(p.area), z.w), coalesce(st_ymin(p.area), z.s), coalesce(st_xmax(p.area), z.e), coalesce(st_ymax(p.area), z.no)
from p
cross join lateral (
  select count(*) as n, count(*) filter (where z.level is null) as ungraded,
    count(*) filter (where r.verdict = 'accepted' and r.zone_version = z.version) as accepted, count(*) filter (where r.verdict = 'returned' and r.zone_version = z.version) as returned,
    min(st_xmin(z.geom)) as w, min(st_ymin(z.geom)) as s, max(st_xmax(z.geom)) as e, max(st_ymax(z.geom)) as no
  from zones z left join plan_review r on r.plan = z.plan and r.zone = z.zone where z.plan = p.id) z
cross join lateral (select count(*) as n, count(*) filter (where c.answer is null) as open from plan_comment c where c.plan = p.id) c
order by p.created_at desc, p.id desc

-- name: plan_lock
select id from plan where id = $1 for update

-- name: plan_turn
-- One at a time changes a plan; the same as the steps of drawing take (edit_turn). Not a
-- lock on the row: that would give the transaction its number, and hold the feed back,
-- while it still looks.
select pg_advisory_xact_lock(hashtextextended('plan ' || $1::text, 0))

-- name: series_turn
select pg_advisory_xact_lock(hashtextextended('series ' || $1::text, 0))

-- name: plan_print
-- Changes with every row of the plan that changes.
select count(*)::text || ' ' || coalesce(sum(hashtextextended(id::text || version::text, 0)), 0)::text from zones where plan = $1

-- name: plan_area
select area from plan where id = $1

-- name: plan_zones
select z.id::text, z.zone::text, z.fid, z.version, coalesce(z.code, ''), coalesce(z.name, ''), coalesce(z.level, 0), coalesce(z.reason, ''),
       coalesce(z.countermeasure, ''), coalesce(z.responsible, ''), z.population, z.area_km2, z.attrs, z.geom
from zones z
where z.plan = $1 and ($2::uuid[] is null or z.zone = any ($2))
  and ($3::float8 is null or z.geom && st_makeenvelope($3, $4, $5, $6, 4490))
order by z.code nulls last, z.fid

-- name: plan_unit
-- The unit a plan is of, its border on the grid, and the demo data set if it is of one.
select a.name, a.rank, st_reduceprecision(a.geom, 1e-8), (select d.id::text from dataset d where d.id = a.dataset and d.demo)
from admin a where a.code = $1 and a.valid_to is null and a.scope && $2::int8multirange

-- name: plan_subunits
-- The units of a rank inside, cut at the border, on the grid.
select a.code, a.name, st_collectionextract(st_multi(st_intersection(st_reduceprecision(a.geom, 1e-8), u.geom, 1e-8)), 3) as geom
from admin a, (select $3::geometry as geom) u
where a.rank = $1 and a.scope <@ $2::int8range and a.valid_to is null and a.geom is not null
order by a.code

-- name: plan_add
insert into plan (series, version_no, hazard, kind, title, admin_code, scope, exhaustive, unit, ladder, responsible, note, area, dataset, created_account, method)
values (coalesce($1::uuid, uuid_v7()), 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13::uuid, $14::uuid, '{}')
returning id::text

-- name: plan_next
insert into plan (series, version_no, parent, hazard, kind, title, admin_code, scope, exhaustive, unit, ladder, responsible, note, area, dataset, created_account, method)
select series, (select max(version_no) + 1 from plan o where o.series = p.series), id, hazard, kind, title, admin_code, scope, exhaustive, unit, ladder, responsible, nullif($2, ''), coalesce($4::geometry, area),
  case when plan_is_demo(dataset) then dataset end, $3::uuid, method
from plan p where id = $1
returning id::text

-- name: plan_copy
insert into zones (plan, zone, kind, hazard, published, code, name, level, reason, countermeasure, responsible, population, area_km2, attrs, geom, admin_code, scope)
select $2::uuid, coalesce(zone, id), kind, hazard, false, code, name, level, reason, countermeasure, responsible, population, area_km2, attrs, geom, admin_code, scope
from zones where plan = $1

-- name: plan_outline
select st_union(geom, 1e-8) from zones where plan = $1

-- name: plan_update
update plan set title = $2, note = nullif($3, ''), responsible = nullif($4, ''), ladder = nullif($5, ''), unit = $6, version = version + 1, updated_at = now() where id = $1

-- name: plan_series
select series::text, id::text from plan where hazard = $1 and kind = $2 and admin_code = $3 and state <> 'withdrawn' order by version_no desc limit 1

-- name: plan_levels
select level::int, count(*)::int from zones where plan = $1 and level is not null group by level

-- name: plan_zones_remove
delete from zones where plan = $1

-- name: plan_remove
delete from plan where id = $1
