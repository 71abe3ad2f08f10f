-- Jobs: work that outlasts a request. A row says how far it is; the work itself is a
-- function of the process that took it. Below: further ladders, and the rules that the
-- computing of plans works by.

create table job (
  id           uuid primary key default uuid_v7(),
  kind         text not null check (kind ~ '^[a-z][a-z0-9_.]{1,79}$'),
  title_zh     text not null,
  title_en     text not null,
  object       text not null default '' check (length(object) <= 300),
  state        text not null default 'queued' check (state in ('queued', 'running', 'done', 'failed', 'cancelled')),
  done         bigint not null default 0 check (done >= 0),
  total        bigint not null default 0 check (total >= 0),
  what         text not null default '' check (length(what) <= 300),
  result       jsonb,
  error        jsonb,
  account      uuid not null,                        -- whose it is
  actor        text not null default feed_actor(),
  name         text not null default '',
  node         uuid not null,                        -- the process that does it
  heartbeat    timestamptz not null default now(),   -- of that process; a dead one's jobs are failed
  cancel_asked boolean not null default false,
  created_at   timestamptz not null default now(),
  started_at   timestamptz,
  finished_at  timestamptz,
  check ((state in ('done', 'failed', 'cancelled')) = (finished_at is not null)),
  check (state <> 'failed' or error is not null),
  check (octet_length(result::text) <= 1048576)
);
create index job_account on job (account, id);
create index job_open on job (node) where finished_at is null;
create index job_finished on job (finished_at) where finished_at is not null;

-- What is over is over, whoever comes late: a node that was taken for dead, a cancel.
create function job_is_over() returns trigger
language plpgsql as $$
begin
  if old.finished_at is not null then
    raise exception using errcode = '55000', message = 'a job that is over does not change';
  end if;
  if (new.id, new.kind, new.object, new.account, new.node, new.created_at) is distinct from
     (old.id, old.kind, old.object, old.account, old.node, old.created_at) then
    raise exception using errcode = '55000', message = 'what a job is does not change';
  end if;
  return new;
end
$$;
create trigger over before update on job for each row execute function job_is_over();

-- A job is its owner's: whatever a statement forgets, others' rows stay unseen. The
-- program itself runs them, sweeps them and shows them to who manages the system.
alter table job enable row level security;
alter table job force row level security;
create policy own on job for select using (actor = current_setting('app.actor') or current_setting('app.role') = 'system');
create policy program on job using (current_setting('app.role') = 'system') with check (current_setting('app.role') = 'system');
