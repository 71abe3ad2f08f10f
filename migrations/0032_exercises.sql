-- An exercise has numbers of its own: what is promised, counted and sent in one leaves what
-- is real as it is.

-- 避难场所 -----------------------------------------------------------------------------------

-- shelters.reserved and shelters.occupancy are of what is real alone; those of exercises are
-- added up from their own lines.
alter table shelter_reservations add column exercise boolean not null default false;
alter table shelter_checkins add column exercise boolean not null default false;
create index shelter_checkins_exercise on shelter_checkins (shelter, created_at desc) where exercise;

-- 队伍 ---------------------------------------------------------------------------------------

-- A team is in one place; what it plays keeps it from nothing real.
drop index dispatches_team;
create unique index dispatches_team on dispatches (team) where state in ('sent', 'acknowledged', 'departed', 'arrived') and not exercise;
create unique index dispatches_team_exercise on dispatches (team) where state in ('sent', 'acknowledged', 'departed', 'arrived') and exercise;
