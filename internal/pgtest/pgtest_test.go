package pgtest_test

import (
	"context"
	"testing"

	"onemap/internal/cluster"
	"onemap/internal/pgtest"
)

func TestDatabasesAreMigratedAndApart(t *testing.T) {
	ctx := context.Background()
	a, b := pgtest.Database(t), pgtest.Database(t)
	if a.Name == b.Name {
		t.Fatalf("both databases are called %s", a.Name)
	}
	conn := pgtest.Connect(t, a.Admin)
	if _, err := conn.Exec(ctx, `CREATE TABLE only_here (n int)`); err != nil {
		t.Fatal(err)
	}
	other := pgtest.Connect(t, b.Admin)
	var here, there, postgis bool
	const exists = `SELECT to_regclass('only_here') IS NOT NULL, EXISTS (SELECT FROM pg_extension WHERE extname = 'postgis')`
	if err := conn.QueryRow(ctx, exists).Scan(&here, &postgis); err != nil {
		t.Fatal(err)
	}
	if !here || !postgis {
		t.Errorf("first database: table %v, postgis %v", here, postgis)
	}
	if err := other.QueryRow(ctx, exists).Scan(&there, &postgis); err != nil {
		t.Fatal(err)
	}
	if there || !postgis {
		t.Errorf("second database: table of the first %v, postgis %v", there, postgis)
	}
}

func TestRolesAreWhatTheirNamesSay(t *testing.T) {
	ctx := context.Background()
	db := pgtest.Empty(t)
	for dsn, want := range map[string]string{
		db.Admin: cluster.Superuser, db.Owner: cluster.OwnerRole, db.App: cluster.AppRole,
	} {
		var user string
		var super bool
		if err := pgtest.Connect(t, dsn).QueryRow(ctx,
			`SELECT rolname, rolsuper FROM pg_roles WHERE rolname = current_user`).Scan(&user, &super); err != nil {
			t.Fatal(err)
		}
		if user != want || super != (want == cluster.Superuser) {
			t.Errorf("want %s, connected as %s, superuser %v", want, user, super)
		}
	}
}

func TestDatabaseIsDroppedWithItsTest(t *testing.T) {
	var name string
	t.Run("user", func(t *testing.T) {
		db := pgtest.Empty(t)
		name = db.Name
		pgtest.Connect(t, db.App)
	})
	var left bool
	conn := pgtest.Connect(t, pgtest.Server(t).DSN("postgres", cluster.Superuser))
	if err := conn.QueryRow(context.Background(),
		`SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&left); err != nil {
		t.Fatal(err)
	}
	if left {
		t.Errorf("database %s outlived its test", name)
	}
}
