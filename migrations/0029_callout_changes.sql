-- A warning that is updated covers other villages than the call-out that runs for it. What
-- is new is added to the list by somebody, what is no longer inside is marked by somebody:
-- nothing falls off a list by itself.

alter table callout_villages
  add column added_at   timestamptz,                     -- null: on the list from the start
  add column added_by   text check (length(added_by) <= 100),
  add column left_at    timestamptz,                     -- no longer inside; still on the list
  add column left_by    text check (length(left_by) <= 100),
  add column left_alert uuid,                            -- the message that said so
  add check ((added_at is null) = (added_by is null)),
  add check ((left_at is null) = (left_by is null));

-- A village that is on the list stays on it, with the figures it was put on with.
create function callout_village_stays() returns trigger
language plpgsql as $$
begin
  if (new.callout, new.code, new.name, new.households, new.whole) is distinct from (old.callout, old.code, old.name, old.households, old.whole)
     or new.dataset is distinct from old.dataset or new.threatened is distinct from old.threatened or new.elderly is distinct from old.elderly
     or new.level is distinct from old.level or new.to_move is distinct from old.to_move or new.to_move_source is distinct from old.to_move_source
     or new.added_at is distinct from old.added_at or new.added_by is distinct from old.added_by then
    raise exception using errcode = '55000', message = 'a village of a call-out stays as it was put on the list';
  end if;
  return new;
end
$$;
create trigger stays before update on callout_villages for each row execute function callout_village_stays();

drop policy changing on callout_villages;
create policy changing on callout_villages for update
  using (current_setting('app.role') in ('duty_officer', 'commander', 'system') and coalesce(scopes <@ current_setting('app.write')::int8multirange, false))
  with check (current_setting('app.role') in ('duty_officer', 'commander', 'system') and coalesce(scopes <@ current_setting('app.write')::int8multirange, false));

-- What was ordered stays as it was ordered, except that villages may come to it.
create or replace function callout_stays() returns trigger
language plpgsql as $$
begin
  if (new.kind, new.title, new.reason, new.areas, new.exercise, new.started_at) is distinct from (old.kind, old.title, old.reason, old.areas, old.exercise, old.started_at)
     or new.alert is distinct from old.alert or new.incident is distinct from old.incident or new.decision is distinct from old.decision
     or not new.scopes @> old.scopes or not new.scope @> old.scope
     or old.state = 'ended' then
    raise exception using errcode = '55000', message = 'a call-out stays as it was ordered: end it and order another';
  end if;
  return new;
end
$$;
