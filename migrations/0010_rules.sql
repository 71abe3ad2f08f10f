-- Rule sets say who must hold them against the standard; a version is never edited,
-- only confirmed once. Layers get a version, so that two administrators cannot
-- overwrite each other unseen.

alter table rule_set
  add column responsible      text,         -- department or role that must verify
  add column verified_at      timestamptz,
  add column verified_account uuid,         -- the person; another than the maker
  add column created_account  uuid,         -- null: came with the program
  add column reason           text,         -- why this version was made
  add column note             text,         -- what it was verified against
  add check (verified_account is null or verified_account is distinct from created_account);

update rule_set set responsible = case rule
  when 'incident_level_accident' then '应急管理局 应急指挥科'
  when 'gb18218_alpha' then '应急管理局 危险化学品科'
  when 'gb18218_level' then '应急管理局 危险化学品科'
  when 'shelter_area_per_person' then '应急管理局 救灾和物资保障科'
  when 'rainstorm_warning' then '气象局'
  else '应急管理局 信息化科' end;

create function rule_set_is_final() returns trigger
language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    raise exception using errcode = '55000', message = 'a version of a rule set is never deleted: results refer to it';
  end if;
  if (new.rule, new.version, new.title_zh, new.title_en, new.body, new.valid_from, new.created_at, new.created_by)
       is distinct from (old.rule, old.version, old.title_zh, old.title_en, old.body, old.valid_from, old.created_at, old.created_by)
     or new.standard is distinct from old.standard
     or new.created_account is distinct from old.created_account or new.reason is distinct from old.reason
     or (old.verified and (new.verified, new.verified_by, new.verified_at, new.verified_account, new.note)
           is distinct from (old.verified, old.verified_by, old.verified_at, old.verified_account, old.note)) then
    raise exception using errcode = '55000', message = 'a version of a rule set is never edited: make a new one';
  end if;
  return new;
end
$$;
create trigger final before update or delete on rule_set for each row execute function rule_set_is_final();

alter table layer add column version bigint not null default 1;
create function layer_row_version() returns trigger
language plpgsql as $$
begin
  new.version := old.version + 1;
  return new;
end
$$;
create trigger version before update on layer for each row execute function layer_row_version();
