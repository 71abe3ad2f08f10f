-- What waits for nobody any more says so.

-- 响应任务 -----------------------------------------------------------------------------------

-- What was not done when its response ended, or its incident, waits for nobody any more: it
-- says since when and why.
alter table response_tasks add column closed_at timestamptz, add column closed_why text check (closed_why in ('response_ended', 'incident_closed')),
  add constraint response_tasks_closed check ((closed_at is null) = (closed_why is null) and (closed_at is null or state <> 'done'));
drop index response_tasks_open;
create index response_tasks_open on response_tasks (due_at) where state in ('waiting', 'acknowledged') and closed_at is null;

-- They run as the program itself: who ends a response ends its tasks wherever they lie.
create function response_ends() returns trigger
language plpgsql security definer set search_path = public, pg_temp
set app.role = 'system'
set app.read = '{[1000000000000000,3000000000000000)}'
set app.write = '{[1000000000000000,3000000000000000)}'
set app.demo = 'off'
as $$
begin
  update response_tasks set closed_at = coalesce(new.ended_at, clock_timestamp()), closed_why = 'response_ended'
  where response = new.id and state in ('waiting', 'acknowledged') and closed_at is null;
  return null;
end
$$;
create trigger tasks_end after update on response for each row when (new.state = 'ended' and old.state <> 'ended') execute function response_ends();

-- Tasks of an incident without a response end with the incident, and wait again when it is
-- opened again.
create function incident_ends() returns trigger
language plpgsql security definer set search_path = public, pg_temp
set app.role = 'system'
set app.read = '{[1000000000000000,3000000000000000)}'
set app.write = '{[1000000000000000,3000000000000000)}'
set app.demo = 'off'
as $$
begin
  if new.state in ('closed', 'archived', 'merged') then
    update response_tasks set closed_at = coalesce(new.closed_at, clock_timestamp()), closed_why = 'incident_closed'
    where incident = new.id and response is null and state in ('waiting', 'acknowledged') and closed_at is null;
  else
    update response_tasks set closed_at = null, closed_why = null where incident = new.id and response is null and closed_why = 'incident_closed';
  end if;
  return null;
end
$$;
create trigger tasks_end after update on incidents for each row when (new.state is distinct from old.state) execute function incident_ends();
revoke all on function response_ends(), incident_ends() from public;

do $$
begin
  perform set_config('app.role', 'system', true), set_config('app.actor', 'onemap', true), set_config('app.demo', 'off', true),
    set_config('app.read', '{[1000000000000000,3000000000000000)}', true), set_config('app.write', '{[1000000000000000,3000000000000000)}', true);
  update response_tasks t set closed_at = coalesce(r.ended_at, clock_timestamp()), closed_why = 'response_ended'
  from response r where r.id = t.response and r.state = 'ended' and t.state in ('waiting', 'acknowledged');
end
$$;
