-- The desks hear of their cases by the change feed, as of reports and tasks.
create function sync_case_feed() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  insert into change_log (layer, id, op, old_scope, new_scope, actor)
  values ('sync_case', new.id, left(tg_op, 1)::"char", case when tg_op = 'UPDATE' then int8multirange(old.scope) end, int8multirange(new.scope), feed_actor());
  return null;
end
$$;
revoke all on function sync_case_feed() from public;
create trigger feed after insert or update on sync_case for each row execute function sync_case_feed();
