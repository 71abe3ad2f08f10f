package migrations_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"onemap/internal/pgtest"
)

// TestFieldRecords: every record has the floor and a place in the feed, without claims
// nothing of it is read, and who saw, took or ended a report stays.
func TestFieldRecords(t *testing.T) {
	dsn := pgtest.Database(t)
	admin, app := pgtest.Connect(t, dsn.Admin), pgtest.Connect(t, dsn.App)
	rows, err := admin.Query(t.Context(), `select a.attrelid::regclass::text from pg_attribute a join pg_class c on c.oid = a.attrelid
		where a.attname = 'scopes' and not a.attisdropped and c.relkind = 'r' and c.relnamespace = 'public'::regnamespace order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) < 7 {
		t.Fatalf("%v %v", tables, err)
	}
	for _, table := range tables {
		// The villages of a call-out are no records of their own: nobody asks for one, no phone
		// keeps one, and a line for each of 2000 would say no more than one for the call-out.
		// They are told of as a change of their call-out, which has the trigger, by everything
		// that writes them: its making, and the order that puts villages on or marks them
		// (TestWhatHappensToAVillageIsTold of incidents/evacuation).
		part := table == "callout_villages"
		var floor bool
		err := admin.QueryRow(t.Context(), `select c.relrowsecurity and c.relforcerowsecurity and (select count(*) from pg_policy p where p.polrelid = c.oid and p.polpermissive) = 4
			and ($2 or exists (select from pg_trigger g where g.tgrelid = c.oid and g.tgname = 'feed') and exists (select from pg_trigger g where g.tgrelid = c.oid and g.tgname = 'before_row'))
			from pg_class c where c.oid = $1::regclass`, table, part).Scan(&floor)
		if err != nil || !floor {
			t.Errorf("%s: without floor, feed or bookkeeping; %v", table, err)
		}
		var told bool
		if err := admin.QueryRow(t.Context(), `select not $2 or exists (select from pg_constraint k join pg_trigger g on g.tgrelid = k.confrelid and g.tgname = 'feed' where k.conrelid = $1::regclass and k.contype = 'f' and k.confdeltype = 'c')`, table, part).Scan(&told); err != nil || !told {
			t.Errorf("%s belongs to nothing that is told of; %v", table, err)
		}
	}
	const insert = `insert into incident_reports (id, kind, urgency, scope, home, captured_at) values (uuid_v7(), 'fire', 'urgent', code_scope('990200'), code_scope('990100'), now())`
	if _, err := admin.Exec(t.Context(), `select set_config('app.actor', 'worker', false)`); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec(t.Context(), insert); err != nil {
		t.Fatal(err)
	}
	var scopes string
	if err := admin.QueryRow(t.Context(), `select (new_scope = int8multirange(code_scope('990100'), code_scope('990200')))::text || actor from change_log where layer = 'incident_reports' and op = 'I'`).Scan(&scopes); err != nil || scopes != "trueworker" {
		t.Errorf("in the feed: %q %v", scopes, err)
	}
	var n int
	if err := app.QueryRow(t.Context(), `select count(*) from incident_reports`).Scan(&n); state(err) != "42704" {
		t.Errorf("without claims: %d, %v", n, err)
	}
	for _, c := range []struct{ sql, want string }{
		{`update incident_reports set state = 'closed', ended_at = now(), ended_by = 'x', seen_at = now(), seen_by = 'x'`, "55000"}, // nobody took it
		{`update incident_reports set state = 'taken', seen_at = now(), seen_by = 'a', taken_at = now(), taken_by = 'a'`, ""},
		{`update incident_reports set taken_by = 'b'`, "55000"}, {`update incident_reports set seen_by = 'b'`, "55000"}, {`update incident_reports set state = 'received'`, "55000"},
		{`update incident_reports set actor = 'other', description = 'x'`, ""}, {`update incident_reports set id = uuid_v7()`, "55000"}, {`truncate incident_reports`, "55000"},
		{`update incident_reports set scope = 'empty'`, "23514"}, {`update incident_reports set geom = 'SRID=4490;POINT(500 1)'`, "23514"},
	} {
		if _, err := admin.Exec(t.Context(), c.sql); state(err) != c.want {
			t.Errorf("%s: %v, want %q", c.sql, err, c.want)
		}
	}
	var actor string
	var version int64
	if err := admin.QueryRow(t.Context(), `select actor, version from incident_reports`).Scan(&actor, &version); err != nil || actor != "worker" || version != 3 {
		t.Errorf("whose it is: %q version %d, %v", actor, version, err)
	}
}
