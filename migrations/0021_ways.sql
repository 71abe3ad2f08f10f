-- Ways out are proposed by a duty desk and approved by another person who may; a phone
-- shows what is approved. What was approved is not edited: it is withdrawn, and another
-- proposed.

alter table evacuation_routes
  alter column approved_by drop not null,
  alter column approved_at drop not null,
  add column state            text not null default 'approved' check (state in ('proposed', 'approved', 'withdrawn')),
  add column approved_account uuid,
  add column withdrawn_at     timestamptz,
  add column withdrawn_by     text,
  add column reason           text check (length(reason) <= 2000),
  add constraint way_approved check (state <> 'approved' or approved_by is not null and approved_at is not null),
  add constraint way_withdrawn check ((state = 'withdrawn') = (withdrawn_at is not null)),
  add constraint way_four_eyes check (approved_account is null or account is null or approved_account <> account);

-- What is not approved is seen by the office, which reads sensitive layers there.
create policy approved on evacuation_routes as restrictive for select
  using (state = 'approved' or coalesce(scope && current_setting('app.sensitive')::int8multirange, false));

-- The program itself brings in what was approved on paper. Errors as of dangers: OM011 it
-- does not change any more, OM012 out of order, OM013 four eyes, OM014 not his to do.
create function way_life() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  who  text := coalesce(current_setting('app.role', true), '');
  me   uuid;
  kept evacuation_routes;
begin
  if who in ('', 'system') then
    return new;
  end if;
  select a.id into me from auth.account a where a.username = nullif(current_setting('app.actor', true), '');
  if tg_op = 'INSERT' then
    if new.state <> 'proposed' or num_nonnulls(new.approved_by, new.approved_at, new.approved_account, new.dataset) > 0 or new.account is distinct from me or me is null
       or who not in ('duty_officer', 'commander') then
      raise exception 'way %: it begins as a proposal', new.id using errcode = 'OM012';
    end if;
    return new;
  end if;
  kept := new;
  kept.state := old.state; kept.version := old.version; kept.updated_at := old.updated_at; kept.updated_by := old.updated_by;
  kept.approved_by := old.approved_by; kept.approved_at := old.approved_at; kept.approved_account := old.approved_account;
  kept.withdrawn_at := old.withdrawn_at; kept.withdrawn_by := old.withdrawn_by; kept.reason := old.reason;
  -- Generated columns are made after this.
  kept.scope := old.scope; kept.scopes := old.scopes;
  if kept is distinct from old or new.state = old.state or old.state = 'withdrawn' then
    raise exception 'way %: what is drawn stays', old.id using errcode = 'OM011';
  end if;
  if new.state = 'approved' then
    if old.state <> 'proposed' then
      raise exception 'way %: % cannot follow %', old.id, new.state, old.state using errcode = 'OM012';
    end if;
    if who not in ('approver', 'commander') or me is null or new.approved_account is distinct from me then
      raise exception 'way %: not his to approve', old.id using errcode = 'OM014';
    end if;
    if old.account = me then
      raise exception 'way %: who drew it does not approve it', old.id using errcode = 'OM013';
    end if;
  elsif new.state = 'withdrawn' then
    if who not in ('duty_officer', 'approver', 'commander') then
      raise exception 'way %: not his to withdraw', old.id using errcode = 'OM014';
    end if;
  else
    raise exception 'way %: % cannot follow %', old.id, new.state, old.state using errcode = 'OM012';
  end if;
  return new;
end
$$;
create trigger way_life before insert or update on evacuation_routes for each row execute function way_life();
