-- What devices in the field sent. The log only grows: an operation's words and whose it is
-- never change; what became of it is written beside it. A case is an operation a person
-- has to decide on. A receipt tells the sender what became of it later.

create table sync_op (
  op_id       uuid primary key,
  hash        bytea not null check (octet_length(hash) = 32),   -- of the operation, member order aside
  account     uuid not null,
  actor       text not null default feed_actor(),
  name        text not null default '',
  device      text not null check (length(device) between 1 and 200),
  device_seq  bigint check (device_seq > 0),
  kind        text not null default '' check (length(kind) <= 80),
  object      uuid,
  op          text not null default '' check (length(op) <= 20),
  body        text not null,                                    -- as it came
  status      text not null check (status in ('waiting', 'applied', 'merged', 'conflict', 'quarantined', 'rejected', 'returned')),
  first       text not null check (first in ('waiting', 'applied', 'merged', 'conflict', 'quarantined', 'rejected')),
  answer      json not null,                                    -- the rest of the verdict
  marks       text[] not null default '{}',                     -- what was odd about it: gap, late, clock
  scope       int8range not null check (not isempty(scope)),
  grant_id    uuid,                                             -- the grant it was done under
  version     bigint,
  captured_at timestamptz,                                      -- the device's clock
  received_at timestamptz not null,
  wait_until  timestamptz,
  settled_at  timestamptz,
  check ((status = 'waiting') = (settled_at is null))
);
create index sync_op_object on sync_op (object, received_at) where object is not null;
create index sync_op_device on sync_op (account, device, device_seq) where device_seq is not null;
create index sync_op_waiting on sync_op (wait_until) where status = 'waiting';
create index sync_op_scope on sync_op using gist (scope);
comment on table sync_op is '外业操作日志:只增不改';

-- How far a device's own numbering has been taken without a gap.
create table sync_device (
  account  uuid not null,
  actor    text not null default feed_actor(),
  device   text not null check (length(device) between 1 and 200),
  applied  bigint not null default 0,
  seen_at  timestamptz not null default now(),
  primary key (account, device)
);
create index sync_device_device on sync_device (device);
comment on table sync_device is '外业设备:自身序号已处理到哪里';

create table sync_case (
  id          uuid primary key default uuid_v7(),
  op_id       uuid not null unique references sync_op,
  actor       text not null default feed_actor(),               -- whose operation
  sort        text not null check (sort in ('conflict', 'quarantine')),
  scope       int8range not null check (not isempty(scope)),
  code        text not null,
  reason      json not null,                                    -- {zh, en, path}
  fields      json not null default '{}',                       -- {name: {base, mine, theirs, theirs_by, theirs_at}}
  geometry    json,                                             -- {base, mine, theirs}, GeoJSON
  created_at  timestamptz not null default now(),
  due_at      timestamptz not null,                             -- from then on it is the county's too
  state       text not null default 'open' check (state in ('open', 'done')),
  outcome     text check (outcome in ('resolved', 'accepted', 'returned')),
  choices     json,
  note        text check (length(note) <= 2000),
  decided_at  timestamptz,
  decided_by  text,
  decided_name text,
  check ((state = 'done') = (outcome is not null) and (state = 'done') = (decided_at is not null))
);
create index sync_case_open on sync_case (sort, created_at, id) where state = 'open';
create index sync_case_done on sync_case (sort, decided_at desc, id) where state = 'done';
comment on table sync_case is '冲突与待核实:须由人处理的外业操作';

create table sync_receipt (
  op_id     uuid primary key references sync_op,
  actor     text not null,                                      -- to whom
  kind      text not null,
  object    uuid,
  status    text not null,
  seen_by   text,
  seen_at   timestamptz,
  reason_zh text,
  reason_en text,
  at        timestamptz not null default clock_timestamp()
);
create index sync_receipt_actor on sync_receipt (actor, at);
comment on table sync_receipt is '回执:操作后来怎样了';

-- The floor. One's own, and what lies in the area of whoever reads sensitive layers there:
-- an operation says where a person was.
do $$
declare
  t text;
  own text := $p$actor = current_setting('app.actor')$p$;
  office text := $p$coalesce(scope && current_setting('app.sensitive')::int8multirange, false)$p$;
  writes text := $p$coalesce(scope <@ current_setting('app.write')::int8multirange, false)$p$;
begin
  foreach t in array array['sync_op', 'sync_case'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy reading on %I for select using (%s or %s)', t, own, office);
    execute format('create policy adding on %I for insert with check (%s)', t, own);
    execute format('create policy changing on %I for update using (%s or %s and %s) with check (%s or %s and %s)', t, own, office, writes, own, office, writes);
  end loop;
  alter table sync_device enable row level security;
  alter table sync_device force row level security;
  execute format('create policy own on sync_device using (%s or current_setting(''app.role'') = ''system'') with check (%s)', own, own);
  alter table sync_receipt enable row level security;
  alter table sync_receipt force row level security;
  execute format('create policy reading on sync_receipt for select using (%s or current_setting(''app.role'') = ''system'')', own);
  -- The functions below write them; the app role may not.
  create policy adding on sync_receipt for insert with check (true);
  create policy changing on sync_receipt for update using (true);
end
$$;
revoke all on sync_op, sync_case, sync_device, sync_receipt from onemap_app;
grant select, insert on sync_op, sync_case, sync_device to onemap_app;
grant update (status, answer, marks, scope, grant_id, version, wait_until, settled_at) on sync_op to onemap_app;
grant update (applied, seen_at) on sync_device to onemap_app;
grant update (state, outcome, choices, note, decided_at, decided_by, decided_name) on sync_case to onemap_app;
grant select on sync_receipt to onemap_app;

-- What was decided stays decided, for the owner too.
create function sync_case_final() returns trigger
language plpgsql as $$
begin
  if old.state = 'done' then
    raise exception using errcode = '55000', message = 'what the desk decided stays decided';
  end if;
  return new;
end
$$;
create trigger final before update on sync_case for each row execute function sync_case_final();

-- A verdict is given once; only what waits for a person or for an earlier operation moves.
create function sync_op_final() returns trigger
language plpgsql as $$
begin
  if (new.op_id, new.hash, new.account, new.actor, new.device, new.device_seq, new.kind, new.object, new.op, new.body, new.first, new.captured_at, new.received_at)
     is distinct from
     (old.op_id, old.hash, old.account, old.actor, old.device, old.device_seq, old.kind, old.object, old.op, old.body, old.first, old.captured_at, old.received_at) then
    raise exception using errcode = '55000', message = 'the log of operations only grows';
  end if;
  if old.status not in ('waiting', 'conflict', 'quarantined') and new.status <> old.status then
    raise exception using errcode = '55000', message = format('an operation that is %s stays so', old.status);
  end if;
  return new;
end
$$;
create trigger final before update on sync_op for each row execute function sync_op_final();
create function sync_op_stays() returns trigger
language plpgsql as $$
begin
  raise exception using errcode = '55000', message = 'the log of operations only grows';
end
$$;
create trigger stays before delete on sync_op for each row execute function sync_op_stays();
create trigger no_truncate before truncate on sync_op for each statement execute function layer_no_truncate();

-- Receipts go down by the change feed like records do.
create function sync_receipt_feed() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  insert into change_log (layer, id, op, actor) values ('sync_receipt', new.op_id, case tg_op when 'INSERT' then 'I' else 'U' end, feed_actor());
  return null;
end
$$;
revoke all on function sync_receipt_feed() from public;
create trigger feed after insert or update on sync_receipt for each row execute function sync_receipt_feed();

-- sync_tell says to the sender of one operation what became of it. What is null stays.
create function sync_tell(p_op uuid, p_status text, p_seen_by text, p_seen_at timestamptz, p_zh text, p_en text) returns void
language sql security definer set search_path = public, pg_temp
set app.sensitive = '{[1000000000000000,3000000000000000)}'
set app.role = 'system'
as $$
  insert into sync_receipt as r (op_id, actor, kind, object, status, seen_by, seen_at, reason_zh, reason_en)
  select o.op_id, o.actor, o.kind, o.object, coalesce(p_status, o.status), p_seen_by, p_seen_at, p_zh, p_en from sync_op o where o.op_id = p_op
  on conflict (op_id) do update set status = coalesce(p_status, r.status), seen_by = coalesce(p_seen_by, r.seen_by), seen_at = coalesce(p_seen_at, r.seen_at),
    reason_zh = coalesce(p_zh, r.reason_zh), reason_en = coalesce(p_en, r.reason_en), at = clock_timestamp()
$$;
-- sync_tell_object says it to the senders of all that made a record what it is.
create function sync_tell_object(p_kind text, p_object uuid, p_seen_by text, p_seen_at timestamptz, p_zh text, p_en text) returns void
language sql security definer set search_path = public, pg_temp
set app.sensitive = '{[1000000000000000,3000000000000000)}'
set app.role = 'system'
as $$
  select sync_tell(o.op_id, null, p_seen_by, p_seen_at, p_zh, p_en) from sync_op o
  where o.object = p_object and o.kind = p_kind and o.status in ('applied', 'merged', 'conflict', 'quarantined')
$$;
revoke all on function sync_tell(uuid, text, text, timestamptz, text, text), sync_tell_object(text, uuid, text, timestamptz, text, text) from public;
grant execute on function sync_tell(uuid, text, text, timestamptz, text, text), sync_tell_object(text, uuid, text, timestamptz, text, text) to onemap_app;

-- sync_was_deleted says whether somebody who may see it could see that a record is gone.
-- It asks under the rights of who asks: to a stranger it was never there.
create function sync_was_deleted(p_kind text, p_object uuid) returns boolean
language plpgsql stable set search_path = public, pg_temp as $$
declare
  gone boolean;
begin
  if to_regclass(quote_ident(p_kind || '_history')) is not null then
    execute format('select exists (select from %I where id = $1 and ended_op = ''D'')', p_kind || '_history') into gone using p_object;
    if gone then return true; end if;
  end if;
  return exists (select from sync_op where object = p_object and kind = p_kind and op = 'delete' and status in ('applied', 'merged'));
end
$$;

-- sync_advance notes that an operation of a device is settled, and says how far the
-- device's numbering has come without a gap, and whether what follows lies here waiting.
create function sync_advance(p_account uuid, p_device text, p_seq bigint, out applied bigint, out ready uuid)
language plpgsql set search_path = public, pg_temp as $$
begin
  insert into sync_device as d (account, device, applied) values (p_account, p_device, 0)
  on conflict (account, device) do update set seen_at = now() returning d.applied into applied;
  loop
    exit when not exists (select from sync_op o where o.account = p_account and o.device = p_device and o.device_seq = sync_advance.applied + 1 and o.status <> 'waiting');
    applied := applied + 1;
  end loop;
  -- After five days what comes next is applied over the gap.
  if p_seq > applied and not exists (select from sync_op o where o.account = p_account and o.device = p_device and o.device_seq < p_seq and o.device_seq > sync_advance.applied and o.status = 'waiting')
     and exists (select from sync_op o where o.account = p_account and o.device = p_device and o.device_seq = p_seq and 'gap' = any (o.marks)) then
    applied := p_seq;
    loop
      exit when not exists (select from sync_op o where o.account = p_account and o.device = p_device and o.device_seq = sync_advance.applied + 1 and o.status <> 'waiting');
      applied := applied + 1;
    end loop;
  end if;
  update sync_device d set applied = sync_advance.applied where d.account = p_account and d.device = p_device and d.applied <> sync_advance.applied;
  select o.op_id into ready from sync_op o where o.account = p_account and o.device = p_device and o.device_seq = sync_advance.applied + 1 and o.status = 'waiting';
end
$$;

-- sync_begun gives how far a device is. A device another person used before begins where
-- it is: its numbering went on.
create function sync_begun(p_account uuid, p_device text, p_lowest bigint) returns bigint
language sql stable security definer set search_path = public, pg_temp
set app.role = 'system'
as $$
  select coalesce((select applied from sync_device where account = p_account and device = p_device),
    case when exists (select from sync_device where device = p_device) then greatest(p_lowest - 1, 0) else 0 end)
$$;
revoke all on function sync_begun(uuid, text, bigint) from public;
grant execute on function sync_begun(uuid, text, bigint) to onemap_app;

-- sync_place is the smallest unit around a shape as the field knows it: the grid, where
-- one holds it whole, else as scope_at says. Whoever asks gets the same.
create function sync_place(g geometry) returns int8range
language plpgsql stable security definer set search_path = public, pg_temp
set app.public = '{[1000000000000000,3000000000000000)}'
set app.read = '{[1000000000000000,3000000000000000)}'
set app.sensitive = '{[1000000000000000,3000000000000000)}'
set app.demo = 'off'
as $$
declare
  u record;
begin
  for u in select c.geom, coalesce(code_scope(c.code), c.scope) as scope from grids c where c.geom && g and c.valid_to is null order by c.fid loop
    if st_covers(u.geom, g) then
      return u.scope;
    end if;
  end loop;
  return scope_at(g);
end
$$;
revoke all on function sync_place(geometry) from public;
grant execute on function sync_place(geometry) to onemap_app;

-- sync_township_desk says whether a desk of the township answers for an area: 9 digits of
-- code leave 6 free, 8 digits of the other family 7.
create function sync_township_desk(p_scope int8range, p_roles text[]) returns boolean
language sql stable set search_path = public, pg_temp as $$
  select exists (
    select from auth.role_grant g join auth.account a on a.id = g.account
    where a.state = 'active' and g.role = any (p_roles) and g.revoked_at is null
      and g.valid_from <= clock_timestamp() and (g.valid_to is null or g.valid_to > clock_timestamp())
      and g.scope @> p_scope and upper(g.scope) - lower(g.scope) <= 10000000)
$$;

-- What a person might do where, at a time; the engine asks when what he holds now does not
-- reach. Without a time: lately, for a phone whose clock cannot be believed.
create function sync_held(p_account uuid, p_roles text[], p_scope int8range, p_at timestamptz) returns text
language sql stable set search_path = public, pg_temp as $$
  select g.area from auth.role_grant g
  where g.account = p_account and g.role = any (p_roles) and (p_scope is null or g.scope @> p_scope)
    and g.valid_from <= coalesce(p_at, 'infinity') and least(coalesce(g.valid_to, 'infinity'), coalesce(g.revoked_at, 'infinity')) > coalesce(p_at, now() - interval '90 days')
  order by upper(g.scope) - lower(g.scope) limit 1
$$;
