-- A danger that is a draft is its author's. Everything made for many (tiles, items,
-- counts, search, streams, packs) leaves it out for everybody, its author too: what he
-- sees would lie in caches others share. Row security holds it for whatever forgets; the
-- author's own way to it is the ledger. A draft without an author came with a data set.

alter table dangers_history add column shown boolean default true;
alter table dangers add column shown boolean not null default true;
select layer_install('dangers');
alter table dangers_history alter column shown drop default;
comment on column dangers.shown is '草稿不显示:由触发器按状态填写';

create function danger_shown() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  new.shown := new.state is distinct from 'draft';
  return new;
end
$$;
create trigger danger_shown before insert or update on dangers for each row execute function danger_shown();

-- What is there already. (The owner is bound by row security too, where it is forced.)
alter table dangers no force row level security;
alter table dangers_history no force row level security;
alter table dangers disable trigger user;
update dangers set shown = false where state = 'draft';
update dangers_history set shown = false where state = 'draft';
alter table dangers enable trigger user;
alter table dangers force row level security;
alter table dangers_history force row level security;

update layer set shown_field = 'shown' where layer = 'dangers';

-- danger_author says whether a draft is whoever asks' own, or the program's business.
create function danger_author(author uuid) returns boolean
language sql stable security definer set search_path = public, pg_temp as $$
  select author is null or coalesce(current_setting('app.role', true), '') = 'system'
    or exists (select from auth.account a where a.id = author and a.username = nullif(current_setting('app.actor', true), ''))
$$;
revoke all on function danger_author(uuid) from public;
grant execute on function danger_author(uuid) to onemap_app;

-- Beside the policies of the layer, which know areas only, whenever those are written anew.
create policy drafts on dangers as restrictive using (shown or danger_author(reported_account)) with check (true);
create policy drafts on dangers_history as restrictive for select using (shown or danger_author(reported_account));
