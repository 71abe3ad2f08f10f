-- Photos. The bytes lie in files named by their hash (internal/blobs); here is which of
-- them are whole, who brought them, and what refers to them.

create table blob (
  sha256 bytea primary key check (octet_length(sha256) = 32),
  size   bigint not null check (size > 0),
  type   text not null check (type in ('image/jpeg', 'image/png', 'image/webp')),
  width  integer not null check (width > 0),
  height integer not null check (height > 0),
  at     timestamptz not null default now()
);

-- Whoever sent the whole of a file has shown that he has it. Two people may.
create table blob_owner (
  sha256  bytea not null references blob,
  account uuid not null,
  device  text not null default '',
  at      timestamptz not null default now(),
  primary key (account, sha256)
);
create index blob_owner_blob on blob_owner (sha256);

-- A reference may be here before its file. scope is where the record was then; while the
-- record itself is there, its own row says who may see it.
create table blob_ref (
  sha256  bytea not null check (octet_length(sha256) = 32),
  kind    text not null check (kind ~ '^[a-z][a-z0-9_]{0,62}$'),
  object  text not null check (length(object) between 1 and 100),
  op_id   text not null check (length(op_id) between 1 and 100),
  scope   int8range,                                  -- null: only the record itself says who may see it
  account uuid,
  actor   text not null default feed_actor(),
  at      timestamptz not null default now(),
  primary key (sha256, kind, object, op_id)
);
create index blob_ref_object on blob_ref (kind, object);
create index blob_ref_scope on blob_ref using gist (scope);

-- Nothing of these ever changes or goes away by the server's hand.
revoke update, delete on blob, blob_owner, blob_ref from onemap_app;

-- The floor. The program itself reads them to decide who may see a photo; who asks for
-- one never does. A reference is made in the transaction of the record, by its maker.
do $$
declare
  t text;
begin
  foreach t in array array['blob', 'blob_owner', 'blob_ref'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy program on %I using (current_setting(''app.role'') = ''system'') with check (current_setting(''app.role'') = ''system'')', t);
  end loop;
end
$$;
create policy referring on blob_ref for insert with check (actor = current_setting('app.actor'));

-- blob_row is the scope of the row a reference means, as its reader sees it: it runs with
-- his claims, so the row's own policies decide; null where there is none for him. It looks
-- only into tables that are guarded.
create function blob_row(tab text, object uuid) returns int8range
language plpgsql stable set search_path = public, pg_temp as $$
declare
  found_scope int8range;
begin
  if not exists (
    select from pg_class c
    where c.oid = to_regclass(format('public.%I', tab)) and c.relrowsecurity
      and (select count(*) from pg_attribute a where a.attrelid = c.oid and a.attname in ('id', 'scope') and not a.attisdropped) = 2) then
    return null;
  end if;
  execute format('select scope from public.%I where id = $1', tab) into found_scope using object;
  return found_scope;
end
$$;
