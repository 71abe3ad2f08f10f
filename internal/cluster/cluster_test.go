package cluster_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/cluster"
)

// testDir makes a directory that the postgres account can pass through:
// t.TempDir is 0700 above us when the tests run as root.
func testDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "onemap-ct-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "data")
}

// small keeps the machine's memory for others; durability stays on.
func small() map[string]string {
	return map[string]string{"shared_buffers": "32MB", "max_wal_size": "64MB", "min_wal_size": "32MB"}
}

func options(dir string) cluster.Options {
	return cluster.Options{
		DataDir: dir, RuntimeDir: filepath.Join(filepath.Dir(dir), "s"),
		Settings: small(), StopGrace: 20 * time.Second,
	}
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, o cluster.Options) *cluster.Cluster {
	t.Helper()
	c, err := cluster.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(within(t, time.Minute)); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestStartServesAndStops(t *testing.T) {
	dir := testDir(t)
	c := start(t, options(dir))
	ctx := within(t, time.Minute)
	for _, role := range []string{cluster.Superuser, cluster.OwnerRole, cluster.AppRole} {
		conn, err := pgx.Connect(ctx, c.DSN(cluster.Database, role))
		if err != nil {
			t.Fatal(err)
		}
		var user, listen, collate string
		var super, bypass bool
		if err := conn.QueryRow(ctx, `SELECT current_user, current_setting('listen_addresses'), rolsuper, rolbypassrls,
			(SELECT datcollate FROM pg_database WHERE datname = current_database())
			FROM pg_roles WHERE rolname = current_user`).Scan(&user, &listen, &super, &bypass, &collate); err != nil {
			t.Fatal(err)
		}
		conn.Close(ctx)
		wantSuper := role == cluster.Superuser
		if user != role || super != wantSuper || bypass != wantSuper || listen != "" || collate != "C.UTF-8" {
			t.Errorf("connected as %s: super %v, bypassrls %v, listen %q, collate %s", user, super, bypass, listen, collate)
		}
	}
	if c.Err() != nil {
		t.Errorf("Err while running: %v", c.Err())
	}
	if err := c.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(ctx); err != nil {
		t.Fatalf("second Stop: %v", err)
	}
	<-c.Done()
	for _, gone := range []string{filepath.Join(dir, "pg", "postmaster.pid"), c.SocketDir()} {
		if _, err := os.Stat(gone); !os.IsNotExist(err) {
			t.Errorf("%s is left after Stop (%v)", gone, err)
		}
	}
}
