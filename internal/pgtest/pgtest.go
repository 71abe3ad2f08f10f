package pgtest

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/cluster"
	"onemap/migrations"
)

// patience bounds every step of the set-up; a busy machine needs some.
const patience = 3 * time.Minute

// Instance is the PostgreSQL of this test process.
type Instance struct {
	socketDir string
	exit      *os.File // see removeAtExit

	template     func() (string, error) // makes the template database once
	nextDatabase atomic.Int64
}

// DSNs are the ways into one database.
type DSNs struct {
	Name  string // of the database
	Admin string // superuser
	Owner string // owner of the database and of what migrations create as owner
	App   string // the role the server runs as: no owner, no superuser
}

// One cluster per test process is what this package is for.
var instance = sync.OnceValues(open)

// Server starts the cluster of this test process, or finds it running.
func Server(t testing.TB) *Instance {
	t.Helper()
	in, err := instance()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return in
}

// DSN names a database of the cluster for a role.
func (in *Instance) DSN(database, role string) string {
	return fmt.Sprintf("host='%s' port=5432 user='%s' dbname='%s' sslmode=disable", in.socketDir, role, database)
}

// SocketDir is where the cluster listens.
func (in *Instance) SocketDir() string { return in.socketDir }

// Database gives the test a database of its own with all migrations applied.
// It is dropped when the test ends.
func Database(t testing.TB) DSNs {
	t.Helper()
	in := Server(t)
	template, err := in.template()
	if err != nil {
		t.Fatalf("pgtest: template database: %v", err)
	}
	return in.create(t, template)
}

// Empty gives the test a database without anything in it.
func Empty(t testing.TB) DSNs {
	t.Helper()
	return Server(t).create(t, "template0")
}

// Connect opens a connection that is closed when the test ends.
func Connect(t testing.TB, dsn string) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		conn.Close(ctx)
	})
	return conn
}

// Writer connects as the app role and claims everything for the whole session: a
// stand-in for the program itself, under the same row security as everybody.
func Writer(t testing.TB, dsn string) *pgx.Conn {
	t.Helper()
	conn := Connect(t, dsn)
	_, err := conn.Exec(context.Background(), `select set_config('app.' || c, '{[1000000000000000,3000000000000000)}', false)
		from unnest(array['public', 'read', 'sensitive', 'write']) c union all select set_config('app.demo', 'off', false)`)
	if err != nil {
		t.Fatalf("pgtest: claims: %v", err)
	}
	return conn
}

func (in *Instance) create(t testing.TB, template string) DSNs {
	t.Helper()
	name := in.databaseName(in.nextDatabase.Add(1))
	if err := in.admin(createDatabase(name, template)); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		// FORCE: a test that failed may have left connections open.
		if err := in.admin("DROP DATABASE IF EXISTS " + pgx.Identifier{name}.Sanitize() + " WITH (FORCE)"); err != nil {
			t.Logf("pgtest: %v", err)
		}
	})
	return DSNs{
		Name:  name,
		Admin: in.DSN(name, cluster.Superuser),
		Owner: in.DSN(name, cluster.OwnerRole),
		App:   in.DSN(name, cluster.AppRole),
	}
}

func createDatabase(name, template string) string {
	s := "CREATE DATABASE " + pgx.Identifier{name}.Sanitize() + " OWNER " + cluster.OwnerRole +
		" TEMPLATE " + pgx.Identifier{template}.Sanitize()
	if template == "template0" {
		s += " ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'"
	}
	return s
}

// databaseName carries our pid, so that what a killed process left on a shared
// cluster can be told from what is in use.
func (in *Instance) databaseName(n int64) string {
	return fmt.Sprintf("%s%d_%d", namePrefix, os.Getpid(), n)
}

const namePrefix = "onemap_test_"

// admin runs one statement as superuser.
func (in *Instance) admin(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, in.DSN("postgres", cluster.Superuser))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

// makeTemplate builds the migrated template. The connection must be gone
// before the first clone, CREATE DATABASE refuses a template in use.
func (in *Instance) makeTemplate() (string, error) {
	name := in.databaseName(0)
	if err := in.admin(createDatabase(name, "template0")); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, in.DSN(name, cluster.Superuser))
	if err != nil {
		return "", err
	}
	if err = migrations.Apply(ctx, conn); err == nil {
		err = migrations.MarkLeakproof(ctx, conn)
	}
	if closeErr := conn.Close(ctx); err == nil {
		err = closeErr
	}
	if err != nil {
		return "", fmt.Errorf("apply migrations: %w", err)
	}
	return name, in.admin("ALTER DATABASE " + pgx.Identifier{name}.Sanitize() + " ALLOW_CONNECTIONS false")
}

// dropAbandoned removes the databases of test processes that are gone; only a
// shared cluster has any.
func (in *Instance) dropAbandoned() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, in.DSN("postgres", cluster.Superuser))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, `SELECT datname FROM pg_database WHERE starts_with(datname, $1)`, namePrefix)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		owner, _, _ := strings.Cut(strings.TrimPrefix(name, namePrefix), "_")
		pid, err := strconv.Atoi(owner)
		if err != nil || alive(pid) {
			continue
		}
		if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
			return err
		}
	}
	return nil
}
