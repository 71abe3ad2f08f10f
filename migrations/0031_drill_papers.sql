-- The papers of exercises have a series of their own, as their incidents have: a number of the
-- real series that a drill took would be missing there.
create or replace function paper_number(p_kind text, s int8range, y integer) returns text
language plpgsql volatile set search_path = public, pg_temp as $$
declare
  family bigint := lower(s) / 1000000000000000;
  width  bigint := case lower(s) / 1000000000000000 when 2 then 10000000000 else 1000000000 end;
  drill  boolean := starts_with(p_kind, 'drill_');
  county text;
  n      integer;
begin
  county := case when upper(s) - lower(s) > width then '000000'
                 when family = 2 then lpad(((lower(s) % 1000000000000000) / width)::text, 5, '0')
                 else lpad(((lower(s) % 1000000000000000) / width)::text, 6, '0') end;
  insert into number_counter (kind, county_code, year, last) values ('paper_' || p_kind, county, y, 1)
  on conflict (kind, county_code, year) do update set last = number_counter.last + 1
  returning last into n;
  return format('%s%s-%s-%s-%s', case when drill then 'YL-' else '' end,
    case replace(p_kind, 'drill_', '') when 'flash' then 'KB' when 'special' then 'ZB' else 'JB' end, county, y, lpad(n::text, greatest(3, length(n::text)), '0'));
end
$$;
