What every node holds in memory. Accounts whose rights can matter, grants that hold or
will, tokens that are not over.

-- name: version
select rights, sessions, epoch, exists (select from auth.setup_done) from auth.version

-- name: people
select a.id, a.username, a.name, coalesce(a.unit, ''), a.state, c.phc is not null, c.changed_at, c.totp_enabled_at is not null
from auth.account a left join auth.credential c on c.account = a.id
where a.state <> 'disabled'

-- name: held
select id, account, role, area, valid_from, valid_to from auth.role_grant
where revoked_at is null and (valid_to is null or valid_to > $1) order by valid_from, id

-- name: live_tokens
select id, hash, name, role, area, scopes, network, created_at, expires_at, case when not stands then created_by end from auth.token
where revoked_at is null and expires_at > $1

-- name: find_session
select s.id, s.account, s.token, s.kind, coalesce(s.device, ''), s.verified, s.created_at, s.last_seen_at, s.expires_at, v.sessions, v.rights
from auth.session s cross join auth.version v
where s.hash = $1 and s.ended_at is null

-- name: moved_sessions
select hash, ended_at is not null, verified from auth.session where hash = any($1) and (ended_at is not null or verified)

-- name: seen
update auth.session s set last_seen_at = greatest(s.last_seen_at, n.at)
from unnest($1::bytea[], $2::timestamptz[]) n(hash, at) where s.hash = n.hash and s.ended_at is null

-- name: token_used
update auth.token t set last_used_at = greatest(t.last_used_at, n.at)
from unnest($1::uuid[], $2::timestamptz[]) n(id, at) where t.id = n.id

-- name: tidy
select auth.tidy()
