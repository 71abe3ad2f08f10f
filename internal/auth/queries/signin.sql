Signing in. Failures are counted before the password is looked at, so that a hundred
attempts at once are a hundred, not one.

-- name: attempt
insert into auth.throttle as t (key, fails, last_at, until) values ($1, 1, $2, $2)
on conflict (key) do update set
  last_at = $2,
  fails = case when t.last_at < $2 - make_interval(secs => $5) then 1 else t.fails + 1 end,
  until = $2 + make_interval(secs => case
    when t.last_at < $2 - make_interval(secs => $5) or t.fails + 1 <= $3 then 0
    when t.fails + 1 >= $6 then $4
    else least($4, power(2, least(t.fails - $3, 20))) end)
where t.until <= $2
returning fails

-- name: throttled_until
select until from auth.throttle where key = $1

-- name: attempt_forgiven
update auth.throttle set fails = 0, until = $2 where key = $1

-- name: attempt_undone
update auth.throttle set fails = greatest(fails - 1, 0), until = $2 where key = $1

-- name: known_address
select exists (select from auth.session s join auth.account a on a.id = s.account
  where a.username = $1 and s.peer = $2 and s.kind = 'session' and s.created_at > $3)

-- name: sign_in_account
select a.id, a.state, coalesce(a.unit, ''), coalesce(c.phc, ''), c.totp_enabled_at is not null
from auth.account a left join auth.credential c on c.account = a.id where a.username = $1

-- name: lock_account
select a.username, a.name, coalesce(a.unit, ''), a.unit_scope, a.state, a.version from auth.account a where a.id = $1 for no key update

-- name: lock_credential
select coalesce(phc, ''), changed_at, history, totp_secret, totp_pending, totp_enabled_at is not null, totp_last_step
from auth.credential where account = $1 for no key update

-- name: use_step
update auth.credential set totp_last_step = $2 where account = $1 and totp_last_step < $2

-- name: use_recovery
update auth.recovery_code set used_at = $3 where account = $1 and hash = $2 and used_at is null and voided_at is null

-- name: recovery_left
select count(*) from auth.recovery_code where account = $1 and used_at is null and voided_at is null

-- name: rehash
update auth.credential set phc = $2 where account = $1

-- name: signed_in
update auth.credential set last_sign_in_at = $2 where account = $1

-- name: new_credential
insert into auth.credential (account, phc, changed_at, history) values ($1, $2, $3, $4)
on conflict (account) do update set phc = excluded.phc, changed_at = excluded.changed_at, history = excluded.history

-- name: new_session
insert into auth.session (hash, id, account, token, kind, device, device_name, verified, created_at, last_seen_at, expires_at, peer, agent)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11, $12)

-- name: end_session
update auth.session set ended_at = $2, ended_why = $3 where id = $1 and ended_at is null

-- name: end_sessions_of
update auth.session set ended_at = $2, ended_why = $3
where account = $1 and ended_at is null and expires_at > $2 and id is distinct from $4

-- name: end_device
update auth.session set ended_at = $2, ended_why = 'replaced' where kind = 'device' and device = $1 and ended_at is null

-- name: sessions_of
select s.id, s.kind, s.created_at, s.last_seen_at, s.expires_at, coalesce(host(s.peer), ''), coalesce(s.agent, ''),
       coalesce(s.device, ''), coalesce(s.device_name, '')
from auth.session s where s.account = $1 and s.ended_at is null and s.expires_at > $2 order by s.last_seen_at desc limit 1000

-- name: session_owner
select s.account, s.token, coalesce(a.username, ''), coalesce(a.unit_scope, t.scope), coalesce(a.unit, t.area, '')
from auth.session s left join auth.account a on a.id = s.account left join auth.token t on t.id = s.token
where s.id = $1 and s.ended_at is null

-- name: set_pending_factor
update auth.credential set totp_pending = $2 where account = $1

-- name: set_factor
update auth.credential set totp_secret = $2, totp_pending = null, totp_enabled_at = $3, totp_last_step = $4 where account = $1

-- name: verify_session
update auth.session set verified = true where id = $1 and ended_at is null

-- name: new_recovery
insert into auth.recovery_code (account, hash) select $1, unnest($2::bytea[])

-- name: void_recovery
update auth.recovery_code set voided_at = $2 where account = $1 and used_at is null and voided_at is null

-- name: new_setup_link
insert into auth.setup_link (hash, created_at, expires_at) values ($1, $2, $3)

-- name: setup_link_holds
select exists (select from auth.setup_link where hash = $1 and expires_at > $2)

-- name: end_setup
insert into auth.setup_done (at) values ($1) on conflict do nothing

-- name: is_setup_done
select exists (select from auth.setup_done)

-- name: new_activation
insert into auth.activation (hash, account, created_at, expires_at, issuer) values ($1, $2, $3, $4, $5)

-- name: void_activations
update auth.activation set voided_at = $2 where account = $1 and used_at is null and voided_at is null

-- name: find_activation
select account, issuer from auth.activation where hash = $1 and used_at is null and voided_at is null and expires_at > $2

-- name: use_activation
update auth.activation set used_at = $2 where hash = $1 and used_at is null and voided_at is null and expires_at > $2

-- name: new_enrolment
insert into auth.enrolment (hash, account, created_at, expires_at, issuer) values ($1, $2, $3, $4, $5)

-- name: find_enrolment
select account, issuer from auth.enrolment where hash = $1 and used_at is null and voided_at is null and expires_at > $2

-- name: use_enrolment
update auth.enrolment set used_at = $2 where hash = $1 and used_at is null and voided_at is null and expires_at > $2

-- name: void_enrolments
update auth.enrolment set voided_at = $2 where account = $1 and used_at is null and voided_at is null
