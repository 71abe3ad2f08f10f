-- Figures that were computed stand beside those that were reported: taken into a draft by
-- somebody, with how and as of when, and frozen with the rest.
alter table papers add column estimates jsonb not null default '[]' check (jsonb_typeof(estimates) = 'array');
comment on column papers.estimates is '估算数:由影响估算放入草稿,签发时与上报数一并固定';
