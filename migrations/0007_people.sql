-- Who may see and do what: people, how they sign in, what they are granted.
--
-- The schema auth is read by sign-in and by administration, never published: no layer,
-- no tile, no item comes from it. What must hold whatever the program does stands here
-- as constraints: nobody holds two of the 三员, nobody grants to himself, somebody is
-- always left who can administer.

create schema auth;
comment on schema auth is '人员、登录、授权;不发布、不进瓦片';

-- version is what every node polls: rights rises with every change of accounts, grants
-- and tokens, sessions whenever one ends, epoch with every change of a layer's
-- visibility. Transactions that change rights take their turn at this row, last of all
-- their locks: account, credential, grant, session, version.
create table auth.version (
  only_row boolean primary key default true check (only_row),
  rights   bigint not null default 1,
  sessions bigint not null default 1,
  epoch    bigint not null default 1
);
insert into auth.version default values;

create function auth.bump() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  update auth.version set
    rights   = rights + (tg_argv[0] in ('rights', 'epoch'))::integer,
    sessions = sessions + (tg_argv[0] = 'sessions')::integer,
    epoch    = epoch + (tg_argv[0] = 'epoch')::integer;
  return null;
end
$$;

-- People --------------------------------------------------------------------------------

-- A user name begins with a letter: a mobile number would be a person's data in every
-- audit row and history, and a Chinese name is typed in more than one way. The names
-- of what is no person are taken.
create table auth.account (
  id         uuid primary key default uuid_v7(),
  username   text not null unique
             check (username ~ '^[a-z][a-z0-9._-]{2,31}$'
                and username not in ('anonymous', 'cli', 'demo', 'device', 'onemap', 'root', 'session', 'system', 'token', 'wall')),
  name       text not null check (btrim(name) <> '' and length(name) <= 100),
  unit       text check (unit is null or code_scope(unit) is not null),   -- administrative code of the office
  unit_scope int8range not null generated always as (coalesce(code_scope(unit), every_scope())) stored,
  department text check (length(department) <= 200),
  position   text check (length(position) <= 100),
  phone      text check (phone ~ '^[0-9+() -]{3,30}$'),
  state      text not null default 'invited' check (state in ('invited', 'active', 'disabled')),
  version    bigint not null default 1,
  created_at timestamptz not null default now(),
  created_by text not null default feed_actor(),
  updated_at timestamptz not null default now(),
  updated_by text not null default feed_actor()
);
comment on table auth.account is '账号:一个账号就是一个人';
comment on column auth.account.phone is '个人信息,界面脱敏';

create table auth.credential (
  account         uuid primary key references auth.account,
  phc             text check (phc like '$argon2id$%'),   -- the tag before the second $ names the algorithm
  changed_at      timestamptz,
  history         text[] not null default '{}',          -- PHC of earlier passwords, newest first
  totp_secret     bytea,
  totp_pending    bytea,                                 -- shown, not yet confirmed
  totp_enabled_at timestamptz,
  totp_last_step  bigint not null default 0,             -- no code is taken twice
  last_sign_in_at timestamptz,
  check ((totp_secret is null) = (totp_enabled_at is null))
);
comment on table auth.credential is '口令散列与第二因素;口令从不明文存储';

create table auth.recovery_code (
  account    uuid not null references auth.account,
  hash       bytea not null check (octet_length(hash) = 32),
  created_at timestamptz not null default now(),
  used_at    timestamptz,
  voided_at  timestamptz,
  primary key (account, hash)
);
comment on table auth.recovery_code is '恢复码(散列),一次有效';

-- Grants --------------------------------------------------------------------------------

-- A grant is person x role x area x validity. It is never edited: it ends by its own
-- time or by revocation, and another is given.
create table auth.role_grant (
  id            uuid primary key default uuid_v7(),
  account       uuid not null references auth.account,
  role          text not null check (role in ('viewer', 'grid_worker', 'unit', 'duty_officer', 'planner', 'approver',
                                              'commander', 'data_engineer', 'admin', 'security_admin', 'auditor')),
  area          text not null default '',               -- administrative code, '' for everywhere
  scope         int8range not null generated always as (case when area = '' then every_scope() else code_scope(area) end) stored,
  valid_from    timestamptz not null default now(),
  valid_to      timestamptz,
  reason        text not null check (btrim(reason) <> '' and length(reason) <= 1000),
  granted_by    uuid references auth.account,           -- null: the set-up or the command line
  granted_at    timestamptz not null default now(),
  revoked_at    timestamptz,
  revoked_by    uuid references auth.account,
  revoke_reason text check (length(revoke_reason) <= 1000),
  constraint role_grant_period check (valid_to > valid_from),
  constraint role_grant_not_to_himself check (granted_by <> account),
  -- 三员分立. An exclusion constraint and no trigger: it holds between transactions
  -- that do not see each other.
  constraint role_grant_separated exclude using gist
    (account with =, role with <>, tstzrange(valid_from, valid_to) with &&)
    where (revoked_at is null and role in ('admin', 'security_admin', 'auditor')),
  constraint role_grant_once exclude using gist
    (account with =, role with =, area with =, tstzrange(valid_from, valid_to) with &&)
    where (revoked_at is null)
);
create index role_grant_account on auth.role_grant (account);
comment on table auth.role_grant is '授权:人 × 角色 × 区域 × 有效期;不改,只撤销';

-- Programs and walls ----------------------------------------------------------------------

create table auth.token (
  id           uuid primary key default uuid_v7(),
  hash         bytea not null unique check (octet_length(hash) = 32),
  name         text not null check (btrim(name) <> '' and length(name) <= 100),
  role         text not null check (role in ('viewer', 'grid_worker', 'unit', 'duty_officer', 'planner', 'approver', 'commander', 'data_engineer')),
  area         text not null default '',
  scope        int8range not null generated always as (case when area = '' then every_scope() else code_scope(area) end) stored,
  scopes       text[] not null check (cardinality(scopes) > 0 and scopes <@ array['read', 'report', 'ingest', 'wall']),
  network      cidr,
  created_at   timestamptz not null default now(),
  created_by   uuid references auth.account,            -- null: the command line
  stands       boolean not null default false,          -- by itself; others hold while their maker's grant does
  expires_at   timestamptz not null,
  revoked_at   timestamptz,
  revoked_by   uuid references auth.account,
  last_used_at timestamptz,
  constraint token_stands check (not stands or created_by is null or (role = 'viewer' and scopes <@ array['read', 'wall'])),
  constraint token_wall check (not 'wall' = any(scopes)
    or (cardinality(scopes) = 1 and network is not null and masklen(network) >= case family(network) when 4 then 8 else 32 end)),
  constraint token_expiry check (expires_at > created_at and expires_at <= created_at + interval '401 days')
);
comment on table auth.token is '接口令牌与大屏令牌:只存散列';

-- Sessions --------------------------------------------------------------------------------

create table auth.session (
  hash         bytea primary key check (octet_length(hash) = 32),
  id           uuid not null unique default uuid_v7(),
  account      uuid references auth.account,
  token        uuid references auth.token,
  kind         text not null check (kind in ('session', 'device', 'wall')),
  device       text check (length(device) <= 200),
  device_name  text check (length(device_name) <= 200),
  verified     boolean not null default false,          -- by a second factor
  created_at   timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  expires_at   timestamptz not null,
  ended_at     timestamptz,
  ended_why    text check (ended_why in ('sign_out', 'revoked', 'password', 'disabled', 'second_factor', 'replaced')),
  peer         inet,
  agent        text check (length(agent) <= 300),
  check ((kind = 'wall') = (token is not null) and (kind <> 'wall') = (account is not null)),
  check ((kind = 'device') = (device is not null)),
  check ((ended_at is null) = (ended_why is null))
);
create index session_account on auth.session (account, created_at);
comment on table auth.session is '会话:只存令牌散列,结束后保留备查';

-- What is handed over once --------------------------------------------------------------------

create table auth.activation (
  hash       bytea primary key check (octet_length(hash) = 32),
  account    uuid not null references auth.account,
  created_at timestamptz not null default now(),
  created_by text not null default feed_actor(),
  issuer     uuid references auth.account,               -- null: the set-up or the command line
  expires_at timestamptz not null,
  used_at    timestamptz,
  voided_at  timestamptz
);
create index activation_account on auth.activation (account) where used_at is null and voided_at is null;
comment on table auth.activation is '激活链接:本人设定口令,一次有效';

create table auth.enrolment (
  hash       bytea primary key check (octet_length(hash) = 32),
  account    uuid not null references auth.account,
  created_at timestamptz not null default now(),
  created_by text not null default feed_actor(),
  issuer     uuid references auth.account,               -- null: the command line
  expires_at timestamptz not null,
  used_at    timestamptz,
  voided_at  timestamptz
);
create index enrolment_account on auth.enrolment (account) where used_at is null and voided_at is null;
comment on table auth.enrolment is '外业手机扫码登录:十分钟,一次有效';

create table auth.setup_link (
  hash       bytea primary key check (octet_length(hash) = 32),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);
comment on table auth.setup_link is '首次设置链接;多个节点可各有一个';

-- The one row of setup_done decides which of several set-ups won: they insert it in the
-- transaction that makes the accounts.
create table auth.setup_done (
  only_row boolean primary key default true check (only_row),
  at       timestamptz not null default now(),
  by       text not null default feed_actor()
);
comment on table auth.setup_done is '首次设置已完成(至多一行)';

-- Failures by account and by address. The key is a hash: a password typed into the
-- wrong field must not lie here.
create table auth.throttle (
  key     bytea primary key check (octet_length(key) = 32),
  fails   integer not null,
  last_at timestamptz not null,
  until   timestamptz not null
);
comment on table auth.throttle is '登录失败的递增等待,所有节点共用';

-- What must hold ------------------------------------------------------------------------------

-- left_over says whether, with one grant or one account gone, an active person still
-- holds the role over at least that area, and for at least as long: a successor of a
-- few seconds is none.
create function auth.left_over(gone_account uuid, gone_grant uuid, p_role text, p_scope int8range, p_until timestamptz) returns boolean
language sql stable as $$
  select exists (
    select from auth.role_grant g join auth.account a on a.id = g.account
    where g.role = p_role and g.revoked_at is null and a.state = 'active'
      and g.valid_from <= clock_timestamp() and (g.valid_to is null or g.valid_to > clock_timestamp())
      and coalesce(g.valid_to, 'infinity') >= coalesce(p_until, 'infinity')
      and g.scope @> p_scope and g.id is distinct from gone_grant and g.account is distinct from gone_account)
$$;

-- The row of auth.version is the turnstile: whoever waited sees, in the statement
-- after, what the one before him left. A transaction with an older snapshot fails with
-- a serialisation error instead of passing.
create function auth.guard_grant() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  a auth.account;
begin
  select * into a from auth.account where id = new.account;
  if tg_op = 'INSERT' then
    if a.username = nullif(current_setting('app.actor', true), '') then
      raise exception using errcode = '23514', constraint = 'role_grant_not_to_himself', message = 'nobody grants to himself';
    end if;
    if a.state = 'disabled' then
      raise exception using errcode = '23514', constraint = 'role_grant_disabled', message = 'the account is disabled';
    end if;
    if new.role in ('admin', 'security_admin', 'auditor') then
      -- Whoever holds a link to an account becomes whom it is granted to. So the person
      -- is there first (the set-up and the command line name their people themselves),
      -- and what could still open the account is void. Links are made and used under
      -- the account's lock.
      select * into a from auth.account where id = new.account for no key update;
      if a.state <> 'active' and new.granted_by is not null then
        raise exception using errcode = '23514', constraint = 'role_grant_not_active', message = 'the person has not opened his link';
      end if;
      update auth.activation set voided_at = clock_timestamp() where account = new.account and used_at is null and voided_at is null;
      update auth.enrolment set voided_at = clock_timestamp() where account = new.account and used_at is null and voided_at is null;
    end if;
    return new;
  end if;
  if old.revoked_at is not null and (new.revoked_at, new.revoked_by) is distinct from (old.revoked_at, old.revoked_by) then
    raise exception using errcode = '23514', constraint = 'role_grant_final', message = 'a revoked grant stays revoked';
  end if;
  if old.revoked_at is null and new.revoked_at is not null and old.role in ('admin', 'security_admin', 'auditor') and a.state = 'active'
     and old.valid_from <= clock_timestamp() and (old.valid_to is null or old.valid_to > clock_timestamp()) then
    perform from auth.version for update;
    if not auth.left_over(null, old.id, old.role, old.scope, old.valid_to) then
      raise exception using errcode = '23514', constraint = 'role_grant_last', message = 'the last holder of the role stays';
    end if;
  end if;
  return new;
end
$$;
create trigger guard before insert or update on auth.role_grant for each row execute function auth.guard_grant();

create function auth.guard_account() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  g auth.role_grant;
begin
  new.version := old.version + 1;
  new.updated_at := clock_timestamp();
  new.updated_by := feed_actor();
  if new.state = 'disabled' and old.state <> 'disabled' then
    if old.username = nullif(current_setting('app.actor', true), '') then
      raise exception using errcode = '23514', constraint = 'account_not_himself', message = 'nobody disables himself';
    end if;
    if old.state = 'active' then
      perform from auth.version for update;
      for g in select * from auth.role_grant r
               where r.account = old.id and r.role in ('admin', 'security_admin', 'auditor') and r.revoked_at is null
                 and r.valid_from <= clock_timestamp() and (r.valid_to is null or r.valid_to > clock_timestamp()) loop
        if not auth.left_over(old.id, null, g.role, g.scope, g.valid_to) then
          raise exception using errcode = '23514', constraint = 'role_grant_last', message = 'the last holder of the role stays';
        end if;
      end loop;
    end if;
  end if;
  return new;
end
$$;
create trigger guard before update on auth.account for each row execute function auth.guard_account();

-- What ended stays ended.
create function auth.guard_ended() returns trigger
language plpgsql as $$
begin
  if (tg_table_name = 'session' and (to_jsonb(old) ->> 'ended_at') is not null and to_jsonb(new) -> 'ended_at' is distinct from to_jsonb(old) -> 'ended_at')
     or (tg_table_name = 'token' and (to_jsonb(old) ->> 'revoked_at') is not null and to_jsonb(new) -> 'revoked_at' is distinct from to_jsonb(old) -> 'revoked_at') then
    raise exception using errcode = '23514', constraint = 'ended_is_final', message = 'what ended stays ended';
  end if;
  return new;
end
$$;
create trigger guard before update of ended_at on auth.session for each row execute function auth.guard_ended();
create trigger guard before update of revoked_at on auth.token for each row execute function auth.guard_ended();

-- Telling the nodes -------------------------------------------------------------------------------

create trigger bump after insert or update or delete on auth.account    for each statement execute function auth.bump('rights');
create trigger bump after insert or update or delete on auth.role_grant for each statement execute function auth.bump('rights');
create trigger bump after insert or update of revoked_at or delete on auth.token for each statement execute function auth.bump('rights');
create trigger bump after insert or update of changed_at, totp_enabled_at on auth.credential for each statement execute function auth.bump('rights');
create trigger bump after insert on auth.setup_done for each statement execute function auth.bump('rights');
create trigger bump after update of ended_at, verified on auth.session for each statement execute function auth.bump('sessions');
create trigger auth_epoch after insert or update of visibility or delete on layer for each statement execute function auth.bump('epoch');

create trigger registry_changed after insert or update or delete on auth.account    for each statement execute function registry_changed('$auth');
create trigger registry_changed after insert or update or delete on auth.role_grant for each statement execute function registry_changed('$auth');
create trigger registry_changed after insert or update of revoked_at or delete on auth.token for each statement execute function registry_changed('$auth');
create trigger registry_changed after insert or update of changed_at, totp_enabled_at on auth.credential for each statement execute function registry_changed('$auth');
create trigger registry_changed after insert on auth.setup_done for each statement execute function registry_changed('$auth');
create trigger registry_changed after update of ended_at, verified on auth.session for each statement execute function registry_changed('$auth');

-- tidy forgets what nobody will ask for: failures of yesterday, links long past, and
-- sessions after 400 days (the audit must reach back six months).
create function auth.tidy() returns void
language sql security definer set search_path = public, pg_temp as $$
  delete from auth.throttle where last_at < now() - interval '1 day' and until < now();
  delete from auth.setup_link where expires_at < now() - interval '1 day';
  delete from auth.activation where expires_at < now() - interval '400 days';
  delete from auth.enrolment where expires_at < now() - interval '400 days';
  delete from auth.session where least(coalesce(ended_at, expires_at), expires_at) < now() - interval '400 days';
$$;

-- The app role adds and ends; it deletes nothing and rewrites nothing.
grant usage on schema auth to onemap_app;
grant select on all tables in schema auth to onemap_app;
grant insert on auth.account, auth.credential, auth.recovery_code, auth.role_grant, auth.token, auth.session,
  auth.activation, auth.enrolment, auth.setup_link, auth.setup_done, auth.throttle to onemap_app;
grant update (name, unit, department, position, phone, state) on auth.account to onemap_app;
grant update (phc, changed_at, history, totp_secret, totp_pending, totp_enabled_at, totp_last_step, last_sign_in_at) on auth.credential to onemap_app;
grant update (used_at, voided_at) on auth.recovery_code to onemap_app;
grant update (revoked_at, revoked_by, revoke_reason) on auth.role_grant to onemap_app;
grant update (revoked_at, revoked_by, last_used_at) on auth.token to onemap_app;
grant update (last_seen_at, ended_at, ended_why, verified) on auth.session to onemap_app;
grant update (used_at, voided_at) on auth.activation to onemap_app;
grant update (used_at, voided_at) on auth.enrolment to onemap_app;
grant update (fails, last_at, until) on auth.throttle to onemap_app;
revoke all on all functions in schema auth from public;
grant execute on function auth.tidy() to onemap_app;
