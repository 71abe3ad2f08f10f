package cluster_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5"

	"onemap/internal/cluster"
)

// refuse starts a cluster that must not start, and checks the words: a code,
// Chinese first, English after it, and what the reader needs to act.
func refuse(t *testing.T, o cluster.Options, code cluster.Code, wants ...string) *cluster.Error {
	t.Helper()
	c, err := cluster.New(o)
	if err == nil {
		err = c.Start(within(t, time.Minute))
		if err == nil {
			err = errors.Join(errors.New("started"), c.Stop(within(t, time.Minute)))
		}
	}
	var e *cluster.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("want %s, got %v", code, err)
	}
	if first := []rune(e.Message)[0]; !unicode.Is(unicode.Han, first) && !strings.Contains(e.Message, "。") {
		t.Errorf("message does not begin in Chinese: %s", e.Message)
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("message lacks %q: %s", want, err)
		}
	}
	return e
}

func TestRefusalsBeforeAnythingIsCreated(t *testing.T) {
	dir := testDir(t)
	empty := filepath.Join(filepath.Dir(dir), "no-postgres")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Run("no binaries", func(t *testing.T) {
		o := options(dir)
		o.BinDir = empty
		refuse(t, o, cluster.CodeBinaries, empty, "postgresql-15-postgis-3")
	})
	t.Run("missing extension", func(t *testing.T) {
		o := options(dir)
		o.Extensions = []string{"postgis", "no_such_extension"}
		e := refuse(t, o, cluster.CodeExtensions, "no_such_extension")
		if strings.Contains(e.Message, "postgis, ") {
			t.Errorf("names an extension that is there: %s", e.Message)
		}
	})
	t.Run("no such user", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("only root changes the user")
		}
		o := options(dir)
		o.User = "no-such-user"
		refuse(t, o, cluster.CodeUser, "postgres")
	})
	t.Run("socket path too long", func(t *testing.T) {
		o := options(dir)
		o.RuntimeDir = filepath.Join(os.TempDir(), strings.Repeat("x", 90))
		refuse(t, o, cluster.CodeSocket, o.RuntimeDir)
	})
	if _, err := os.Stat(filepath.Join(dir, "pg")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused start created a database (%v)", err)
	}
}

func TestUntraversablePathNamesTheFolder(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root hands the cluster to another user")
	}
	base := filepath.Dir(testDir(t))
	blocking := filepath.Join(base, "closed")
	if err := os.MkdirAll(filepath.Join(blocking, "open"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(blocking, 0o700); err != nil {
		t.Fatal(err)
	}
	o := options(filepath.Join(blocking, "open", "data"))
	o.RuntimeDir = filepath.Join(base, "s")
	refuse(t, o, cluster.CodePath, "文件夹 "+blocking+"；", "chmod o+x "+blocking)
}

func TestWordsAboutExistingData(t *testing.T) {
	dir := testDir(t)
	c := start(t, options(dir))
	if err := c.Stop(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	pgDir := filepath.Join(dir, "pg")
	version := filepath.Join(pgDir, "PG_VERSION")
	major, err := os.ReadFile(version)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("wrong major version", func(t *testing.T) {
		writeAsOwner(t, version, "9\n")
		refuse(t, options(dir), cluster.CodeVersion, "PostgreSQL 9", "postgresql-9")
		writeAsOwner(t, version, string(major))
	})
	t.Run("checksums off", func(t *testing.T) {
		tool := filepath.Join("/usr/lib/postgresql", strings.TrimSpace(string(major)), "bin", "pg_checksums")
		for _, how := range []string{"--disable", "--enable"} {
			cmd := exec.Command(tool, how, "-D", pgDir)
			asOwner(t, cmd, pgDir)
			cmd.Dir = pgDir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if how == "--disable" {
				refuse(t, options(dir), cluster.CodeUnsafe, "data_checksums = off")
			}
		}
	})
	t.Run("damaged configuration shows the log", func(t *testing.T) {
		local := filepath.Join(pgDir, "local.conf")
		writeAsOwner(t, local, "no_such_setting = 1\n")
		e := refuse(t, options(dir), cluster.CodeStart, "no_such_setting")
		if e.Log == "" {
			t.Error("no log tail")
		}
		writeAsOwner(t, local, "")
	})
	t.Run("ALTER SYSTEM cannot make it forget", func(t *testing.T) {
		auto := filepath.Join(pgDir, "postgresql.auto.conf")
		writeAsOwner(t, auto, "fsync = off\nsynchronous_commit = off\nlisten_addresses = '*'\n")
		c := start(t, options(dir))
		conn, err := pgx.Connect(within(t, time.Minute), c.DSN("postgres", cluster.Superuser))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		var got string
		if err := conn.QueryRow(within(t, time.Minute), `SELECT concat_ws(' ', current_setting('fsync'),
			current_setting('synchronous_commit'), '[' || current_setting('listen_addresses') || ']')`).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != "on on []" {
			t.Errorf("fsync, synchronous_commit, listen_addresses: %s", got)
		}
	})
}

func TestJoinUsesARunningServer(t *testing.T) {
	dir := testDir(t)
	ctx := within(t, 2*time.Minute)
	o := options(dir)
	first, joined, err := cluster.Join(ctx, o)
	if err != nil || joined {
		t.Fatalf("first: joined %v, %v", joined, err)
	}
	// A different runtime directory must not matter: the lock file says where.
	o.RuntimeDir += "-other"
	second, joined, err := cluster.Join(ctx, o)
	if err != nil || !joined {
		t.Fatalf("second: joined %v, %v", joined, err)
	}
	conn, err := pgx.Connect(ctx, second.DSN(cluster.Database, cluster.AppRole))
	if err != nil {
		t.Fatal(err)
	}
	// The first command finishes, but its guest still works.
	stopped := make(chan error, 1)
	go func() { stopped <- first.Stop(ctx) }()
	for range 20 {
		time.Sleep(10 * time.Millisecond)
		if _, err := conn.Exec(ctx, "SELECT 1"); err != nil {
			t.Fatalf("the cluster went away under its guest: %v", err)
		}
	}
	conn.Close(ctx)
	if err := second.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	<-second.Done()
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if left := postgresOn(filepath.Join(dir, "pg")); len(left) > 0 {
		t.Errorf("processes left after both commands ended: %v", left)
	}
	third, joined, err := cluster.Join(ctx, o)
	if err != nil || joined {
		t.Fatalf("third: joined %v, %v", joined, err)
	}
	if err := third.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}
