The log of a period, as 交接班 needs it, and what is open at its end.

-- name: log
-- $1 are the areas the asker reads what is internal in; $2 to $3 the period; $4 an area;
-- $5 whether exercises are in it. Row-level security keeps from him what is not his.
with within as (select coalesce($4::int8range, every_scope()) as a)
select x.at, x.kind, x.title, x.detail, x.by, x.ref_kind, x.ref from (
  select a.at, 'response' as kind, case a.act when 'start' then '启动' when 'adjust' then '调整' else '终止' end || '响应：' || r.title as title,
    concat_ws('，', coalesce((array['Ⅰ', 'Ⅱ', 'Ⅲ', 'Ⅳ'])[a.from_level] || ' 级改为 ', '') || (array['Ⅰ', 'Ⅱ', 'Ⅲ', 'Ⅳ'])[a.level] || ' 级', '签发人 ' || a.signed_by, a.document_number, nullif(a.note, ''),
      case when a.act = 'end' then (select '未完成的任务 ' || count(*) || ' 项随响应终止关闭' from response_tasks t where t.response = r.id and t.closed_at is not null having count(*) > 0) end) as detail,
    a.name as by, 'response' as ref_kind, r.id::text as ref, r.exercise, r.scope
  from response_act a join response r on r.id = a.response where a.at >= $2 and a.at < $3
  union all
  select v.at, 'task', v.what || '：' || t.action, concat_ws('，', t.unit, case when v.at > t.due_at then '超时' end, nullif(t.note, '')), coalesce(t.logged_by, ''), 'response_tasks', t.id::text, t.exercise, t.scope
  from response_tasks t cross join lateral (values (t.acknowledged_at, '任务确认'), (t.done_at, '任务完成'), (t.refused_at, '无法执行')) v(at, what)
  where v.at >= $2 and v.at < $3 and (v.what <> '任务确认' or t.done_at is distinct from t.acknowledged_at)
  union all
  select v.at, 'incident', v.what || '：' || coalesce(i.name, i.place, ''), concat_ws('，', case when i.level is not null then (array['特别重大', '重大', '较大', '一般'])[i.level] end, i.place), coalesce(i.source, ''), 'incidents', i.id::text, coalesce(i.exercise, false), i.scope
  from incidents i cross join lateral (values (coalesce(i.known_at, i.occurred_at), '接报事件'), (i.closed_at, '事件办结')) v(at, what)
  where v.at >= $2 and v.at < $3 and i.valid_to is null
  union all
  select v.at, 'report', v.what || '：' || coalesce(r.place, r.description, ''), concat_ws('，', case r.urgency when 'urgent' then '险情' else '灾情' end, case when r.trapped > 0 then '被困 ' || r.trapped || ' 人' end, case when v.what <> '收到报告' then nullif(r.note, '') end),
    coalesce(v.who, ''), 'incident_reports', r.id::text, false, r.scope
  from incident_reports r cross join lateral (values (r.received_at, '收到报告', r.name), (r.taken_at, '接手', r.taken_by), (r.ended_at, '办结报告', r.ended_by)) v(at, what, who)
  where v.at >= $2 and v.at < $3
  union all
  select a.sent_at, 'alert', coalesce(a.headline, a.event, a.name, '预警'), concat_ws('，', a.sender, case a.state when 'cancelled' then '已解除' end), '', 'alerts', a.id::text, a.exercise or coalesce(a.status = 'Exercise', false), a.scope
  from alerts a where a.sent_at >= $2 and a.sent_at < $3
  union all
  select v.at, 'duty', v.what, '', coalesce(s.name, ''), 'duty_sitting', s.id::text, false, s.scope
  from duty_sitting s cross join lateral (values (s.since, '坐上值班台'), (s.until, case when s.relieved_by is null then '离开值班台' else '交班给 ' || s.relieved_by end)) v(at, what)
  where v.at >= $2 and v.at < $3
  union all
  select v.at, 'paper', v.what || '：' || p.title, coalesce(p.number, ''), coalesce(v.who, ''), 'papers', p.id::text, p.exercise, p.scope
  from papers p cross join lateral (values (p.reported_at, '先报', p.reported_by), (p.signed_at, case when p.reported_at is null then '签发' else '补签' end, p.signed_by)) v(at, what, who)
  where v.at >= $2 and v.at < $3
  union all
  select e.sent_at, 'entry', case e.kind when 'first' then '首报' when 'follow_up' then '续报' when 'verified' then '核报' else '终报' end || '：' || coalesce(i.name, i.place, ''),
    concat_ws('，', case e.channel when 'phone' then '电话' else '书面' end, case e.to_level when 'township' then '报乡镇' when 'county' then '报县' when 'city' then '报市' when 'province' then '报省' else '报国家' end, case when e.late then '超时' end),
    e.name, 'incidents', i.id::text, coalesce(i.exercise, false), i.scope
  from incident_entry e join incidents i on i.id = e.incident where e.sent_at >= $2 and e.sent_at < $3
  union all
  select v.at, 'note', left(v.detail, 200), coalesce(i.name, i.place, ''), v.name, 'incidents', i.id::text, coalesce(i.exercise, false), i.scope
  from incident_event v join incidents i on i.id = v.incident where v.kind = 'note' and v.at >= $2 and v.at < $3
  union all
  select min(k.at), 'call', '叫应：' || c.title, format('通话 %s 次，接通 %s，复述 %s，无人接 %s，拒绝 %s', count(*), count(*) filter (where k.outcome = 'answered'), count(*) filter (where k.outcome = 'repeated'),
    count(*) filter (where k.outcome = 'no_answer'), count(*) filter (where k.outcome = 'refused')), '', 'callouts', c.id::text, c.exercise, c.scope
  from calls k join callouts c on c.id = k.callout where k.at >= $2 and k.at < $3 group by c.id
  union all
  select v.at, 'callout', v.what || '：' || c.title, concat_ws('，', case c.kind when 'evacuate_now' then '立即转移' end, '请示 ' || c.consulted, nullif(v.note, '')), coalesce(v.who, ''), 'callouts', c.id::text, c.exercise, c.scope
  from callouts c cross join lateral (values (c.started_at, '发出叫应', c.name, c.reason), (c.ended_at, '结束叫应', c.ended_by, c.end_note)) v(at, what, who, note)
  where v.at >= $2 and v.at < $3
  union all
  select max(e.at), 'evacuation', '转移：' || c.title, format('%s 个村上报 %s 次', count(distinct e.village), count(*)), '', 'callouts', c.id::text, c.exercise, c.scope
  from evacuation_entries e join callouts c on c.id = e.callout where e.at >= $2 and e.at < $3 group by c.id
) x, within w
where x.at is not null and x.scope && $1::int8multirange and x.scope && w.a and (x.exercise = $5)
order by x.at, x.kind, x.ref limit 2000

-- name: counts
-- What a brief counts: of the period ($2 to $3), and as it stands now. Exercises are in
-- none of it unless it is the brief of one ($5).
with within as (select coalesce($4::int8range, every_scope()) as a)
select
  (select count(*) from incidents i, within w where i.scope && $1::int8multirange and i.scope && w.a and i.valid_to is null and coalesce(i.exercise, false) = $5 and coalesce(i.known_at, i.occurred_at) >= $2 and coalesce(i.known_at, i.occurred_at) < $3),
  (select count(*) from incidents i, within w where i.scope && $1::int8multirange and i.scope && w.a and i.valid_to is null and coalesce(i.exercise, false) = $5 and i.closed_at is null and i.state not in ('closed', 'archived')),
  (select count(*) from response r, within w where r.scope && $1::int8multirange and r.scope && w.a and r.state = 'active' and r.exercise = $5),
  (select count(*) from response_tasks t, within w where t.scope && $1::int8multirange and t.scope && w.a and t.exercise = $5 and t.state in ('waiting', 'acknowledged') and t.closed_at is null),
  (select count(*) from response_tasks t, within w where t.scope && $1::int8multirange and t.scope && w.a and t.exercise = $5 and t.state in ('waiting', 'acknowledged') and t.closed_at is null and t.due_at < $6),
  (select count(*) from incident_reports r, within w where r.scopes && $1::int8multirange and r.scope && w.a and not $5 and r.received_at >= $2 and r.received_at < $3),
  (select count(*) from incident_reports r, within w where r.scopes && $1::int8multirange and r.scope && w.a and not $5 and r.urgency = 'urgent' and r.taken_at is null and r.ended_at is null),
  (select count(*) from papers p, within w where p.scope && $1::int8multirange and p.scope && w.a and p.state = 'reported' and p.exercise = $5),
  (select count(*) from callouts c join decision.decision d on d.id = c.decision, within w where c.scope && $1::int8multirange and c.scope && w.a and c.exercise = $5 and d.state = 'pending_countersign')

-- name: open
-- What the next shift has to see to: late tasks first, then what is open.
with within as (select coalesce($4::int8range, every_scope()) as a)
select x.title, x.detail, x.due from (
  -- What many units are to do alike is one line that says how many of them have not.
  select '任务：' || t.action as title, concat_ws('，', case when count(*) > 3 then min(t.unit) || '等 ' || count(*) || ' 个单位' else string_agg(t.unit, '、' order by t.unit) end,
    case when count(*) > 1 then concat_ws('，', '未确认 ' || nullif(count(*) filter (where t.state = 'waiting'), 0) || ' 项', '已确认未完成 ' || nullif(count(*) filter (where t.state <> 'waiting'), 0) || ' 项')
      when min(t.state) = 'waiting' then '未确认' else '已确认未完成' end,
    case when count(*) > 1 then '已超时 ' || nullif(count(*) filter (where t.due_at < $2), 0) || ' 项' when min(t.due_at) < $2 then '已超时' end) as detail, min(t.due_at) as due, 1 as sort
  from response_tasks t, within w where t.scope && $1::int8multirange and t.scope && w.a and t.exercise = $3 and t.state in ('waiting', 'acknowledged') and t.closed_at is null
  group by t.response, t.incident, t.action
  union all
  select '险情未接手：' || coalesce(r.place, r.description, ''), r.name, r.received_at, 0
  from incident_reports r, within w where r.scopes && $1::int8multirange and r.scope && w.a and not $3 and r.urgency = 'urgent' and r.taken_at is null and r.ended_at is null
  union all
  select '待补签：' || p.title, coalesce(p.number, ''), p.sign_due_at, 2
  from papers p, within w where p.scope && $1::int8multirange and p.scope && w.a and p.exercise = $3 and p.state = 'reported'
  union all
  select '待补签：' || case c.kind when 'evacuate_now' then '立即转移令' else '叫应令' end || '：' || c.title, concat_ws('，', '发令 ' || c.name, '请示 ' || c.consulted, case c.state when 'ended' then '叫应已结束' end), c.started_at, 2
  from callouts c join decision.decision d on d.id = c.decision, within w where c.scope && $1::int8multirange and c.scope && w.a and c.exercise = $3 and d.state = 'pending_countersign'
  union all
  select '事件未办结：' || coalesce(i.name, i.place, ''), concat_ws('，', case when i.level is not null then (array['特别重大', '重大', '较大', '一般'])[i.level] end, i.place), i.occurred_at, 3
  from incidents i, within w where i.scope && $1::int8multirange and i.scope && w.a and i.valid_to is null and coalesce(i.exercise, false) = $3 and i.closed_at is null and i.state not in ('closed', 'archived')
) x order by x.sort, x.due nulls last, x.title limit 300

-- name: moments
-- The minutes of a period in which a layer of the picture changed where the asker reads it.
-- $3 are layers and $4 beside them the areas he reads each in; $5 an area; $6 whether
-- exercises are in it. What has no place is told to who reads everywhere.
select date_trunc('minute', c.at), c.layer, sum(c.row_count)::integer
from change_log c join unnest($3::text[], $4::text[]) l(layer, reach) on l.layer = c.layer
where c.at >= $1 and c.at < $2
  and (coalesce(c.old_scope, '{}') + coalesce(c.new_scope, '{}') && l.reach::int8multirange or c.old_scope is null and c.new_scope is null and l.reach::int8multirange @> every_scope())
  and ($5::int8range is null or coalesce(c.old_scope, '{}') + coalesce(c.new_scope, '{}') && $5)
  and ($6::boolean or not exists (select from incidents i where c.layer = 'incidents' and i.id = c.id and i.exercise) and not exists (select from alerts a where c.layer = 'alerts' and a.id = c.id and a.exercise)
    and not exists (select from shelters s where c.layer = 'shelters' and s.id = c.id and s.exercise) and not exists (select from teams t where c.layer = 'teams' and t.id = c.id and t.exercise)
    and not exists (select from road_blocks b where c.layer = 'road_blocks' and b.id = c.id and b.exercise) and not exists (select from hazard_areas h where c.layer = 'hazard_areas' and h.id = c.id and h.exercise)
    and not exists (select from warehouses w where c.layer = 'warehouses' and w.id = c.id and w.exercise))
group by 1, 2 order by 1, 2 limit 20000
