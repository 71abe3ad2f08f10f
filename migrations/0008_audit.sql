-- Who did what: the audit, which nobody can change, and the seals that would show it
-- if somebody did.

create schema audit;
comment on schema audit is '审计:只增不改,分批封印';

-- Entries -------------------------------------------------------------------------------

-- One row per request or command, written in the transaction of the change. What the
-- change did to features is in their history; first_seq to last_seq name the rows of
-- the change feed (with xid they are positions). before and after are for what has no
-- history.
create sequence audit.entry_seq;
create table audit.entry (
  seq       bigint primary key,
  at        timestamptz not null,
  xid       xid8 not null,
  request   text not null check (length(request) <= 100),
  account   uuid,                          -- the person; null for programs and the command line
  actor     text not null check (length(actor) between 1 and 200),
  name      text,
  role      text not null check (length(role) <= 50),
  grant_id  text not null check (length(grant_id) <= 100),
  kind      text not null check (length(kind) <= 50),      -- session, device, token, wall, cli ..
  session   text not null check (length(session) <= 100),
  peer      text not null check (length(peer) <= 100),
  action    text not null check (action ~ '^[a-z][a-z0-9_.]{1,79}$'),
  object    text not null check (length(object) <= 300),
  area      text not null,                 -- administrative code, '' for everywhere
  scope     int8range not null,
  reason    text not null check (length(reason) <= 2000),
  outcome   text not null check (outcome in ('done', 'refused', 'failed')),
  before    jsonb check (octet_length(before::text) <= 65536),
  after     jsonb check (octet_length(after::text) <= 65536),
  first_seq bigint,
  last_seq  bigint,
  hash      bytea not null check (octet_length(hash) = 32)
);
create index entry_at on audit.entry using brin (at);
create index entry_actor on audit.entry (actor, seq);

comment on table audit.entry is '审计记录:与所记操作同一事务;应用角色与所有者都不能改、删、清空';

-- field makes a text part of a longer one without doubt where it ends.
create function audit.field(v text) returns text
language sql immutable parallel safe as
$$ select case when v is null then '-;' else octet_length(convert_to(v, 'UTF8')) || ':' || v || ';' end $$;

-- entry_hash is over everything the row says and nothing of its neighbours: a chain
-- from row to row would make every writer wait for the one before. The same text is
-- built in Go by whoever verifies, so that a changed function here hides nothing.
-- (A loop and no one expression: that was planned anew for every entry, at 1.3 ms.)
create function audit.entry_hash(e audit.entry) returns bytea
language plpgsql immutable parallel safe as $$
declare
  v_all text := 'onemap-audit-1;';
  f     text;
begin
  foreach f in array array[e.seq::text, (extract(epoch from e.at) * 1000000)::bigint::text, e.xid::text, e.request, e.account::text, e.actor, e.name, e.role,
      e.grant_id, e.kind, e.session, e.peer, e.action, e.object, e.area, e.scope::text, e.reason, e.outcome,
      e.before::text, e.after::text, e.first_seq::text, e.last_seq::text] loop
    v_all := v_all || case when f is null then '-;' else octet_length(convert_to(f, 'UTF8')) || ':' || f || ';' end;
  end loop;
  return sha256(convert_to(v_all, 'UTF8'));
end
$$;

-- holds_secret says whether a value names something that must not be written down.
create function audit.holds_secret(v jsonb) returns boolean
language sql immutable parallel safe as $$
  select v is not null and jsonb_path_exists(v,
    'strict $.** ? (@.type() == "object").keyvalue() ? (@.key like_regex "^(password|passwd|token|secret|code_hash|cookie|totp_secret|recovery_codes?)$" flag "i")')
$$;

-- record adds one entry and is the only way to. The transaction has its xid before it
-- takes its number: the sealer counts on it (see seal_next).
create function audit.record(
  p_request text, p_account text, p_actor text, p_role text, p_grant text, p_kind text, p_session text, p_peer text,
  p_action text, p_object text, p_area text, p_reason text, p_outcome text, p_before jsonb, p_after jsonb) returns bigint
language plpgsql security definer set search_path = public, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  e       audit.entry;
  v_since timestamptz := now() - interval '1 hour';   -- only the feed's partition of today is looked at
begin
  if audit.holds_secret(p_before) or audit.holds_secret(p_after) then
    raise exception using errcode = '22023', message = 'an audit entry holds no password, token, secret or code';
  end if;
  e.xid := pg_current_xact_id();
  e.seq := nextval('audit.entry_seq');
  e.at := clock_timestamp();
  e.request := coalesce(p_request, '');
  e.account := nullif(p_account, '')::uuid;
  e.actor := coalesce(nullif(p_actor, ''), feed_actor());
  e.role := coalesce(p_role, '');
  e.grant_id := coalesce(p_grant, '');
  e.kind := coalesce(p_kind, '');
  e.session := coalesce(p_session, '');
  e.peer := coalesce(p_peer, '');
  e.action := p_action;
  e.object := coalesce(p_object, '');
  e.area := coalesce(p_area, '');
  e.scope := case when e.area = '' then every_scope() else code_scope(e.area) end;
  e.reason := coalesce(p_reason, '');
  e.outcome := p_outcome;
  e.before := p_before;
  e.after := p_after;
  if e.account is not null and to_regclass('auth.account') is not null then
    select a.name into e.name from auth.account a where a.id = e.account;
  end if;
  -- offset 0 keeps the planner from looking for min and max one after the other.
  select min(c.seq), max(c.seq) into e.first_seq, e.last_seq
  from (select seq from change_log where xid = e.xid and at >= v_since offset 0) c;
  e.hash := audit.entry_hash(e);
  insert into audit.entry values (e.*);
  return e.seq;
end
$$;

-- Seals ------------------------------------------------------------------------------------

-- A seal joins a batch of entries to the seal before it. seqs are their numbers,
-- digest is over their hashes in this order, hash over the whole line. settled: every
-- number up to it stands in this seal or an earlier one, or will never exist.
create table audit.seal (
  no       bigint primary key check (no > 0),
  at       timestamptz not null,
  prev     bytea not null,
  seqs     int8multirange not null,
  count    bigint not null check (count > 0),
  digest   bytea not null,
  upto     bigint not null,        -- the greatest number given out when the seal was made
  xid      xid8 not null,          -- of the sealing itself: whoever had a number then has a smaller xid
  settled  bigint not null,
  hash     bytea not null
);
create index seal_upto on audit.seal (upto);

-- The head is kept a second time: who cuts seals off at the end must know of it too.
-- It leaves the house by syslog and on the terminal of "onemap check audit".
create table audit.head (
  only_row boolean primary key default true check (only_row),
  no       bigint not null default 0,
  hash     bytea not null default '\x'
);
insert into audit.head default values;

create function audit.seal_hash(s audit.seal) returns bytea
language sql immutable parallel safe as $$
  select sha256(convert_to('onemap-seal-1;' ||
    audit.field(s.no::text) || audit.field((extract(epoch from s.at) * 1000000)::bigint::text) || audit.field(encode(s.prev, 'hex')) ||
    audit.field(s.seqs::text) || audit.field(s.count::text) || audit.field(encode(s.digest, 'hex')) || audit.field(s.upto::text) ||
    audit.field(s.xid::text) || audit.field(s.settled::text), 'UTF8'))
$$;

-- seal_next seals what is there, at most p_limit entries, and returns how many; null
-- when another node is at it.
--
-- Numbers are taken before commit, so an entry may appear below others that are sealed
-- already: it goes into a later seal. A number is given up when every transaction that
-- ran when it was given out has ended: their xid is below that seal's own, because
-- record takes the xid before the number and the seal takes its xid after it read the
-- last number. (The xmax of a snapshot would not do: it follows the last transaction
-- that ended, and older ones may still run above it.)
create function audit.seal_next(p_limit integer default 10000) returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  s      audit.seal;
  before audit.seal;
  v_taken int8multirange;
begin
  if not pg_try_advisory_xact_lock(7815265491820145) then
    return null;
  end if;
  select * into before from audit.seal order by no desc limit 1;
  select case when is_called then last_value else 0 end into s.upto from audit.entry_seq;
  s.settled := greatest(coalesce(before.settled, 0),
    coalesce((select max(x.upto) from audit.seal x where x.upto > coalesce(before.settled, 0) and x.xid <= pg_snapshot_xmin(pg_current_snapshot())), 0));
  select coalesce(range_agg(r.one), '{}') into v_taken
  from audit.seal x, unnest(x.seqs) r(one) where x.upto > coalesce(before.settled, 0);
  select range_agg(int8range(e.seq, e.seq, '[]')), count(*), sha256(string_agg(e.hash, ''::bytea order by e.seq))
    into s.seqs, s.count, s.digest
  from (select e.seq, e.hash from audit.entry e
        where e.seq > coalesce(before.settled, 0) and e.seq <= s.upto and not v_taken @> e.seq
        order by e.seq limit p_limit) e;
  if s.count = 0 then
    return 0;
  end if;
  s.xid := pg_current_xact_id();
  -- What this seal leaves open it must not call settled.
  if s.count = p_limit then
    s.settled := least(s.settled, greatest(coalesce(before.settled, 0), upper(s.seqs) - 1));
    s.upto := least(s.upto, upper(s.seqs) - 1);
  end if;
  s.no := coalesce(before.no, 0) + 1;
  s.at := clock_timestamp();
  s.prev := coalesce(before.hash, '\x');
  s.hash := audit.seal_hash(s);
  insert into audit.seal values (s.*);
  update audit.head set no = s.no, hash = s.hash;
  return s.count;
end
$$;

-- forward is how far syslog has come: everything up to (no, seq) was taken by the
-- receiver's machine; after a broken line sending starts again at (back_no, back_seq),
-- because what that machine took its program may have lost.
create table audit.forward (
  only_row boolean primary key default true check (only_row),
  no       bigint not null default 0,
  seq      bigint not null default 0,
  back_no  bigint not null default 0,
  back_seq bigint not null default 0,
  target   text not null default '',
  at       timestamptz
);
insert into audit.forward default values;

-- retired remembers the last seal of what left, so that the chain still has a first link.
create table audit.retired (
  no      bigint primary key,
  hash    bytea not null,
  entries bigint not null,
  at      timestamptz not null default now(),
  by      text not null default session_user
);

-- retire lets the owner take away what is older than the setting audit_keep_days, never
-- less than 183 days, whole seals only. Export first: what it removes is gone. The app
-- role may not call it.
create function audit.retire(p_before timestamptz) returns bigint
language plpgsql set search_path = public, pg_temp as $$
declare
  v_keep integer := greatest(183, coalesce((select (value #>> '{}')::integer from setting where key = 'audit_keep_days' and jsonb_typeof(value) = 'number'), 183));
  s      audit.seal;
  v_n    bigint;
begin
  if p_before > now() - make_interval(days => v_keep) then
    raise exception using errcode = '22023', message = format('the audit keeps %s days', v_keep);
  end if;
  perform pg_advisory_xact_lock(7815265491820145);
  select * into s from audit.seal x where x.at < p_before and x.no < (select no from audit.head)
    and x.no <= (select case when f.target = '' then x.no else f.back_no end from audit.forward f)   -- what syslog has not taken stays
  order by x.no desc limit 1;
  if s.no is null then
    return 0;
  end if;
  alter table audit.entry disable trigger only_added;
  alter table audit.seal disable trigger only_added;
  delete from audit.entry e using audit.seal x, unnest(x.seqs) r(one)
    where x.no <= s.no and e.seq >= lower(r.one) and e.seq < upper(r.one);
  get diagnostics v_n = row_count;
  delete from audit.seal where no <= s.no;
  alter table audit.entry enable always trigger only_added;
  alter table audit.seal enable always trigger only_added;
  insert into audit.retired (no, hash, entries) values (s.no, s.hash, v_n);
  perform audit.record('', '', session_user::text, 'owner', '', 'cli', '', '', 'audit.retire', 'audit.seal/' || s.no, '', '', 'done', null,
    jsonb_build_object('entries', v_n, 'before', p_before));
  return v_n;
end
$$;

-- Nobody changes what is written, not even the owner by mistake. ALWAYS: a session
-- that plays replica is held too.
create function audit.refuse() returns trigger
language plpgsql as $$
begin
  raise exception using errcode = '55000', message = format('%s of audit.%I is refused: the audit is only added to', tg_op, tg_table_name);
end
$$;
create trigger only_added before update or delete or truncate on audit.entry for each statement execute function audit.refuse();
create trigger only_added before update or delete or truncate on audit.seal  for each statement execute function audit.refuse();
create trigger kept before delete or truncate on audit.head for each statement execute function audit.refuse();
create trigger only_added before update or delete or truncate on audit.retired for each statement execute function audit.refuse();
alter table audit.retired enable always trigger only_added;
alter table audit.entry enable always trigger only_added;
alter table audit.seal  enable always trigger only_added;
alter table audit.head  enable always trigger kept;

-- An auditor reads what happened in his area; without claims nothing is read. coalesce
-- keeps the planner from believing that <@ leaves one row in a hundred: it sorted the
-- whole table instead of reading the newest.
alter table audit.entry enable row level security;
create policy area on audit.entry for select to onemap_app
  using (current_setting('app.role') in ('auditor', 'system') and coalesce(scope <@ current_setting('app.read')::int8multirange, false));

grant usage on schema audit to onemap_app;
grant select on audit.entry, audit.seal, audit.head, audit.forward, audit.retired to onemap_app;
grant update (no, seq, back_no, back_seq, target, at) on audit.forward to onemap_app;
revoke all on all functions in schema audit from public;
grant execute on function audit.record(text, text, text, text, text, text, text, text, text, text, text, text, text, jsonb, jsonb),
  audit.seal_next(integer) to onemap_app;

-- People's data ------------------------------------------------------------------------------

-- The app role no longer reads telephones, names of households and identity numbers.
-- It sees them masked through restricted.list, and in clear through restricted.ask and
-- restricted.reveal: ask writes the audit and gives a permit, reveal takes only a permit
-- whose transaction has committed. In one transaction somebody could read and roll back,
-- and no trace would stay.

alter table restricted.attribute add column id uuid not null default uuid_v7();
create unique index attribute_id on restricted.attribute (id);
create index contact_responsibility on restricted.contact (responsibility);
create index contact_duty on restricted.contact (duty);
create index household_building on restricted.household (building);

revoke all on restricted.contact, restricted.attribute, restricted.household from onemap_app;
grant select (id, responsibility, duty), insert, delete on restricted.contact to onemap_app;
grant select (id, layer, feature, dataset, name), delete on restricted.attribute to onemap_app;
grant select (id, dataset, source_key, building, admin_code, scope, persons, elderly, children, disabled), insert, delete on restricted.household to onemap_app;
alter default privileges in schema restricted revoke select, insert, update, delete on tables from onemap_app;

-- The owner's functions below read past these policies (no FORCE) and ask the claims
-- themselves.
alter table restricted.contact enable row level security;
create policy area on restricted.contact to onemap_app
  using (exists (select from responsibility r where r.id = contact.responsibility and r.scope <@ current_setting('app.write')::int8multirange)
      or exists (select from duty_roster d where d.id = contact.duty and d.scope <@ current_setting('app.write')::int8multirange));
alter table restricted.household enable row level security;
create policy area on restricted.household to onemap_app using (scope <@ current_setting('app.write')::int8multirange);
-- An attribute outlives its feature by a moment when a run is taken back: only the
-- program itself touches the rows.
alter table restricted.attribute enable row level security;
create policy program on restricted.attribute to onemap_app using (current_setting('app.role') = 'system');

-- mask keeps as much of a number as tells its owner which it is: 138****5678.
create function restricted.mask(v text) returns text
language sql immutable parallel safe as $$
  select case when v is null or v = '' then v
    when length(v) >= 11 then left(v, 3) || '****' || right(v, 4)
    when length(v) >= 7 then left(v, 2) || '****' || right(v, 2)
    else '****' end
$$;

create function restricted.masked(fields jsonb) returns jsonb
language sql immutable parallel safe as $$
  select coalesce(jsonb_object_agg(key, restricted.mask(value) order by key), '{}') from jsonb_each_text(fields)
$$;

-- put_attributes is how the importer stores what it put away. It cannot read them back.
create function restricted.put_attributes(p_layer text, p_dataset uuid, p_features uuid[], p_names text[], p_values text[]) returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  n bigint;
begin
  if current_setting('app.role') <> 'system' then
    raise exception using errcode = '42501', message = 'only the program itself puts attributes away';
  end if;
  insert into restricted.attribute as a (layer, feature, dataset, name, value)
  select p_layer, f, p_dataset, k, v from unnest(p_features, p_names, p_values) x(f, k, v)
  on conflict (layer, feature, name) do update set value = excluded.value where a.value <> excluded.value;
  get diagnostics n = row_count;
  return n;
end
$$;

-- feature_scope is where a feature lies, null where the layer is not the caller's to see.
create function restricted.feature_scope(p_layer text, p_feature uuid) returns int8range
language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
  l layer;
  s int8range;
begin
  select * into l from layer x where x.layer = p_layer and x.own and x.table_schema = 'public';
  if l.layer is null then
    return null;
  end if;
  execute format('select scope from public.%I where id = $1', l.table_name) into s using p_feature;
  if l.visibility = 'sensitive' and not coalesce(s && current_setting('app.sensitive')::int8multirange, false) then
    return null;
  end if;
  return s;
end
$$;

-- people is every row with personal data near the question, in clear: for the two
-- functions below only.
create function restricted.people(p_id uuid, p_layer text, p_feature uuid)
returns table (id uuid, kind text, scope int8range, admin_code text, layer text, feature uuid, role text, unit text, post text, person text,
               deputy_post text, deputy text, starts_at timestamptz, ends_at timestamptz, fields jsonb)
language sql stable as $$
  select c.id, 'responsibility', r.scope, r.admin_code, r.layer, r.feature, r.kind, r.unit, r.post, r.person, r.deputy_post, r.deputy,
         r.valid_from::timestamptz, r.valid_to::timestamptz, jsonb_strip_nulls(jsonb_build_object('phone', c.phone, 'deputy_phone', c.deputy_phone))
  from restricted.contact c join public.responsibility r on r.id = c.responsibility
  where (p_id is null or c.id = p_id) and (p_layer is null or r.layer = p_layer) and (p_feature is null or r.feature = p_feature)
  union all
  select c.id, 'duty', d.scope, d.admin_code, null, null, d.role, d.unit, d.post, d.person, null, null, d.starts_at, d.ends_at,
         jsonb_strip_nulls(jsonb_build_object('phone', c.phone, 'deputy_phone', c.deputy_phone))
  from restricted.contact c join public.duty_roster d on d.id = c.duty
  where (p_id is null or c.id = p_id) and p_layer is null and p_feature is null
  union all
  select a.id, 'attribute', restricted.feature_scope(a.layer, a.feature), null, a.layer, a.feature, a.name, null, null, null, null, null, null, null,
         jsonb_build_object('value', a.value)
  from restricted.attribute a
  where a.id = p_id or (p_id is null and a.layer = p_layer and a.feature = p_feature)
  union all
  select h.id, 'household', h.scope, h.admin_code, 'buildings', h.building, null, null, null, null, null, null, null, null,
         jsonb_strip_nulls(jsonb_build_object('head', h.head, 'phone', h.phone))
  from restricted.household h
  where h.id = p_id or (p_id is null and p_layer = 'buildings' and h.building = p_feature)
$$;

-- list shows who can be reached, numbers masked, in the area the caller reads. p_area
-- narrows it to what touches a unit.
create function restricted.list(p_area text, p_layer text, p_feature uuid, p_after uuid, p_limit integer)
returns table (id uuid, kind text, admin_code text, layer text, feature uuid, role text, unit text, post text, person text,
               deputy_post text, deputy text, starts_at timestamptz, ends_at timestamptz, fields jsonb)
language sql stable security definer set search_path = public, pg_temp as $$
  select p.id, p.kind, p.admin_code, p.layer, p.feature, p.role, p.unit, p.post, p.person, p.deputy_post, p.deputy, p.starts_at, p.ends_at,
         restricted.masked(p.fields)
  from restricted.people(null, p_layer, p_feature) p
  where p.scope && current_setting('app.read')::int8multirange
    and (p_area is null or p.scope && code_scope(p_area))
    and (p_after is null or p.id > p_after)
  order by p.id limit least(greatest(p_limit, 1), 500)
$$;

create table restricted.permit (
  id      uuid primary key default gen_random_uuid(),
  xid     xid8 not null default pg_current_xact_id(),
  at      timestamptz not null default clock_timestamp(),
  subject uuid not null,
  seq     bigint not null      -- the entry of the audit that tells of it
);
create index permit_at on restricted.permit (at);

-- ask writes down who wants to see what and why, and gives a permit for it; null where
-- there is nothing the caller may see. The row must lie inside the area of the one grant
-- he acts under (app.write), not only touch it: the number of the county's leader is
-- nobody's in a township, and what has no place is for those who act everywhere.
create function restricted.ask(
  p_id uuid, p_reason text, p_request text, p_account text, p_actor text, p_role text, p_grant text, p_kind text, p_session text, p_peer text) returns uuid
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  p record;
  v_seq bigint;
  v_permit uuid;
begin
  if length(btrim(coalesce(p_reason, ''), E' \t\r\n\u00a0\u3000')) < 4 then
    raise exception using errcode = '22023', message = 'a reason of at least four characters is needed';
  end if;
  select * into p from restricted.people(p_id, null, null) x
  where x.scope && current_setting('app.read')::int8multirange and x.scope <@ current_setting('app.write')::int8multirange limit 1;
  if p.id is null then
    return null;
  end if;
  v_seq := audit.record(p_request, p_account, p_actor, p_role, p_grant, p_kind, p_session, p_peer,
    'restricted.reveal', 'contacts/' || p_id, coalesce(p.admin_code, ''), p_reason, 'done', null,
    jsonb_build_object('kind', p.kind, 'fields', restricted.masked(p.fields)));
  delete from restricted.permit where at < clock_timestamp() - interval '1 hour';
  insert into restricted.permit (subject, seq) values (p_id, v_seq) returning id into v_permit;
  return v_permit;
end
$$;

-- reveal shows what a permit is for, within a minute, in a later transaction.
create function restricted.reveal(p_permit uuid) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  v_subject uuid;
begin
  select subject into v_subject from restricted.permit
  where id = p_permit and at > clock_timestamp() - interval '1 minute' and xid is distinct from pg_current_xact_id_if_assigned();
  if v_subject is null then
    return null;
  end if;
  return (select x.fields from restricted.people(v_subject, null, null) x
    where x.scope && current_setting('app.read')::int8multirange and x.scope <@ current_setting('app.write')::int8multirange limit 1);
end
$$;

revoke all on all functions in schema restricted from public;
grant execute on function restricted.list(text, text, uuid, uuid, integer), restricted.ask(uuid, text, text, text, text, text, text, text, text, text),
  restricted.reveal(uuid), restricted.put_attributes(text, uuid, uuid[], text[], text[]) to onemap_app;
revoke all on restricted.permit from onemap_app;

-- Decisions ------------------------------------------------------------------------------------

-- What needs two people: a proposal one makes and another decides, and the emergency
-- order that goes at once and is countersigned afterwards (待补签). Persons are compared,
-- not roles: whatever the program does, nobody decides his own.
create schema decision;
comment on schema decision is '两人规则:提议与决定,紧急指令与补签';

create table decision.decision (
  id         uuid primary key default uuid_v7(),
  action     text not null check (action ~ '^[a-z][a-z0-9_.]{1,79}$'),
  object     text not null default '' check (length(object) <= 300),
  area       text not null default '',
  scope      int8range not null generated always as (case when area = '' then every_scope() else code_scope(area) end) stored,
  state      text not null check (state in ('proposed', 'approved', 'refused', 'withdrawn', 'pending_countersign', 'countersigned')),
  made_by    uuid not null,
  made_name  text not null,
  made_at    timestamptz not null default now(),
  grant_id   text not null,
  role       text not null,
  text       text not null check (length(text) <= 4000),
  reason     text not null check (length(reason) <= 2000),
  detail     jsonb not null default '{}' check (jsonb_typeof(detail) = 'object' and octet_length(detail::text) <= 16384),
  consulted  jsonb check (jsonb_typeof(consulted) = 'object' and btrim(consulted ->> 'name') <> ''),
  decided_by uuid,
  decided_name text,
  decided_at timestamptz,
  decided_role text,
  note       text check (length(note) <= 2000),
  version    bigint not null default 1,
  constraint decision_four_eyes check (decided_by is null or (decided_by <> made_by) = (state <> 'withdrawn')),
  constraint decision_open check ((state in ('proposed', 'pending_countersign')) = (decided_by is null) and (decided_by is null) = (decided_at is null)),
  constraint decision_emergency check (state not in ('pending_countersign', 'countersigned') or (action in ('call_out', 'evacuate_now') and consulted is not null))
);
create index decision_open on decision.decision (id) where state in ('proposed', 'pending_countersign');
create index decision_scope on decision.decision using gist (scope);

create function decision.guard() returns trigger
language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    if new.state not in ('proposed', 'pending_countersign') then
      raise exception using errcode = '23514', message = 'a decision begins as a proposal or as an order to be countersigned';
    end if;
    new.version := 1;
    new.made_at := now();
    return new;
  end if;
  if tg_op <> 'UPDATE' or old.decided_by is not null
     or not ((old.state = 'proposed' and new.state in ('approved', 'refused', 'withdrawn'))
          or (old.state = 'pending_countersign' and new.state in ('countersigned', 'refused')))
     or (new.id, new.action, new.object, new.area, new.made_by, new.made_name, new.made_at, new.grant_id, new.role, new.text, new.reason, new.detail)
          is distinct from (old.id, old.action, old.object, old.area, old.made_by, old.made_name, old.made_at, old.grant_id, old.role, old.text, old.reason, old.detail)
     or new.consulted is distinct from old.consulted then
    raise exception using errcode = '55000', message = 'what was proposed or decided is not changed';
  end if;
  new.version := old.version + 1;
  new.decided_at := now();
  return new;
end
$$;
create trigger guard before insert or update or delete on decision.decision for each row execute function decision.guard();
create trigger no_truncate before truncate on decision.decision for each statement execute function audit.refuse();
create trigger registry_changed after insert or update on decision.decision for each statement execute function registry_changed('$decision');
alter table decision.decision enable always trigger guard;
alter table decision.decision enable always trigger no_truncate;

-- Who reads the area sees what is decided about it. Who may propose and decide is the
-- program's table of actions.
alter table decision.decision enable row level security;
create policy area on decision.decision to onemap_app
  using (scope && current_setting('app.read')::int8multirange) with check (scope && current_setting('app.read')::int8multirange);

grant usage on schema decision to onemap_app;
grant select, insert on decision.decision to onemap_app;
grant update (state, decided_by, decided_name, decided_role, note) on decision.decision to onemap_app;
revoke all on all functions in schema decision from public;
