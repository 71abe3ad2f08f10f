package cluster_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/cluster"
)

const serverEnv = "ONEMAP_CLUSTER_TEST_SERVER"

// TestMain lets the test binary play the server, so that there is a process
// to kill: with serverEnv set it runs a cluster on that directory until told
// to stop, and says on standard output how far it is.
func TestMain(m *testing.M) {
	if dir := os.Getenv(serverEnv); dir != "" {
		os.Exit(serve(dir))
	}
	os.Exit(m.Run())
}

func serve(dir string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	o := options(dir)
	o.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	c, err := cluster.New(o)
	if err == nil {
		err = c.Start(ctx)
	}
	if err != nil {
		fmt.Printf("failed %s %s\n", cluster.CodeOf(err), strings.ReplaceAll(err.Error(), "\n", " | "))
		return 3
	}
	fmt.Printf("ready %d\n", c.PID())
	<-ctx.Done()
	if err := c.Stop(context.Background()); err != nil {
		fmt.Println("stop", err)
		return 4
	}
	fmt.Println("stopped")
	return 0
}

// server is a cluster in a process of its own.
type server struct {
	t     *testing.T
	dir   string
	cmd   *exec.Cmd
	lines chan string
	err   *strings.Builder
	gone  chan struct{}
}

func launch(t *testing.T, dir string) *server {
	t.Helper()
	s := &server{t: t, dir: dir, lines: make(chan string, 16), err: &strings.Builder{}, gone: make(chan struct{})}
	s.cmd = exec.Command(os.Args[0])
	s.cmd.Env = append(os.Environ(), serverEnv+"="+dir)
	s.cmd.Stderr = s.err
	// The tests must not leave servers behind when they themselves are killed.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		scan := bufio.NewScanner(out)
		for scan.Scan() {
			s.lines <- scan.Text()
		}
		_, _ = io.Copy(io.Discard, out)
		_ = s.cmd.Wait()
		close(s.lines)
		close(s.gone)
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-s.gone:
		case <-time.After(40 * time.Second):
			_ = s.cmd.Process.Kill()
		}
	})
	return s
}

// line waits for the next thing the server says.
func (s *server) line() string {
	s.t.Helper()
	select {
	case l := <-s.lines:
		return l
	case <-time.After(time.Minute):
		s.t.Fatalf("the server says nothing; its log:\n%s", s.err)
		return ""
	}
}

// ready waits until the server serves and returns its postmaster's pid.
func (s *server) ready() int {
	s.t.Helper()
	l := s.line()
	pid, err := strconv.Atoi(strings.TrimPrefix(l, "ready "))
	if err != nil {
		s.t.Fatalf("server: %q\n%s", l, s.err)
	}
	return pid
}

func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.gone
}

func (s *server) alive() bool {
	select {
	case <-s.gone:
		return false
	default:
		return true
	}
}

// writers insert rows and remember which ones were acknowledged.
type writers struct {
	t       *testing.T
	dsn     string
	payload int
	stop    context.CancelFunc
	wg      sync.WaitGroup
	next    atomic.Int64
	count   atomic.Int64
	full    atomic.Int64 // answers 53100
	pause   atomic.Bool

	mu     sync.Mutex
	acked  []int64
	lastOK time.Time
}

func startWriters(t *testing.T, dsn string, payload int) *writers {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &writers{t: t, dsn: dsn, payload: payload, stop: cancel}
	for range 4 {
		w.wg.Go(func() {
			for ctx.Err() == nil {
				w.session(ctx)
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	t.Cleanup(w.end)
	return w
}

func (w *writers) end() { w.stop(); w.wg.Wait() }

// session writes on one connection until that breaks.
func (w *writers) session(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, w.dsn)
	if err != nil {
		return
	}
	defer conn.Close(context.Background())
	for ctx.Err() == nil {
		if w.pause.Load() {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		id := w.next.Add(1)
		_, err := conn.Exec(ctx, `INSERT INTO crash (id, filler)
			SELECT $1, string_agg(md5(random()::text), '') FROM generate_series(1, $2)`, id, w.payload)
		if err != nil {
			if strings.Contains(err.Error(), "53100") {
				w.full.Add(1)
				time.Sleep(20 * time.Millisecond)
			}
			if conn.IsClosed() {
				return
			}
			continue
		}
		w.mu.Lock()
		w.acked = append(w.acked, id)
		w.lastOK = time.Now()
		w.mu.Unlock()
		w.count.Add(1)
	}
}

// progress waits for n further acknowledged rows.
func (w *writers) progress(n int64) {
	w.t.Helper()
	target := w.count.Load() + n
	for end := time.Now().Add(time.Minute); w.count.Load() < target; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("no progress: %d acknowledged rows", w.count.Load())
		}
	}
}

// lost counts acknowledged rows that the database does not have.
func (w *writers) lost() (acked, lost int) {
	w.t.Helper()
	ctx := within(w.t, time.Minute)
	conn, err := pgx.Connect(ctx, w.dsn)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close(ctx)
	w.mu.Lock()
	ids := append([]int64(nil), w.acked...)
	w.mu.Unlock()
	if err := conn.QueryRow(ctx, `SELECT count(*) FROM unnest($1::bigint[]) AS a (id)
		WHERE NOT EXISTS (SELECT FROM crash c WHERE c.id = a.id)`, ids).Scan(&lost); err != nil {
		w.t.Fatal(err)
	}
	return len(ids), lost
}

// createTable makes the table the writers use and returns their DSN.
func createTable(t *testing.T, dir string) string {
	t.Helper()
	o := options(dir)
	dsn := fmt.Sprintf("host='%s' port=5432 user=%s dbname=%s sslmode=disable connect_timeout=5",
		o.RuntimeDir, cluster.Superuser, cluster.Database)
	ctx := within(t, time.Minute)
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, `CREATE TABLE crash (id bigint PRIMARY KEY, filler text)`); err != nil {
		t.Fatal(err)
	}
	return dsn
}

// postgresOn lists the processes that work in dir, except zombies.
func postgresOn(dir string) []int {
	procs, _ := filepath.Glob("/proc/[0-9]*")
	var out []int
	for _, p := range procs {
		if cwd, err := os.Readlink(filepath.Join(p, "cwd")); err == nil && cwd == dir {
			if pid, err := strconv.Atoi(filepath.Base(p)); err == nil {
				out = append(out, pid)
			}
		}
	}
	return out
}

func waitGone(t *testing.T, dir string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); len(postgresOn(dir)) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("PostgreSQL processes left on %s: %v", dir, postgresOn(dir))
		}
	}
}

// asOwner makes cmd run under the account that owns the cluster.
func asOwner(t *testing.T, cmd *exec.Cmd, pgDir string) {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() != 0 {
		return
	}
	info, err := os.Stat(pgDir)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: st.Uid, Gid: st.Gid}
}

func stopServer(t *testing.T, s *server) {
	t.Helper()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	if l := s.line(); l != "stopped" {
		t.Fatalf("stop: %q\n%s", l, s.err)
	}
	<-s.gone
	if _, err := os.Stat(filepath.Join(s.dir, "pg", "postmaster.pid")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("postmaster.pid is left after a clean stop: %v", err)
	}
}

func pidIn(t *testing.T, pidFile string) int {
	t.Helper()
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// backend finds the server process of one writer.
func backend(t *testing.T, dsn string) int {
	t.Helper()
	ctx := within(t, 20*time.Second)
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var pid int
	if err := conn.QueryRow(ctx, `SELECT pid FROM pg_stat_activity
		WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() LIMIT 1`).Scan(&pid); err != nil {
		t.Fatal(err)
	}
	return pid
}

// compute starts a query that never ends and returns its backend's pid.
func compute(t *testing.T, dsn string) int {
	t.Helper()
	conn, err := pgx.Connect(within(t, 20*time.Second), dsn)
	if err != nil {
		t.Fatal(err)
	}
	pid := int(conn.PgConn().PID())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = conn.Exec(context.Background(), `DO $$ BEGIN LOOP END LOOP; END $$`)
		conn.Close(context.Background())
	}()
	t.Cleanup(func() { <-done })
	time.Sleep(50 * time.Millisecond) // on its way into the loop
	return pid
}

// waitForCrash waits until the server refuses connections.
func waitForCrash(t *testing.T, w *writers) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, err := upSince(w); err != nil {
			return
		}
	}
	t.Fatal("the crash was never felt")
}

// waitServing waits for a server that was started after since. Backends go on
// for a moment after their postmaster died, so an answer alone proves nothing.
func waitServing(t *testing.T, w *writers, since time.Time) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if up, err := upSince(w); err == nil && up.After(since) {
			return
		}
	}
	t.Fatal("the server did not come back")
}

func upSince(w *writers) (up time.Time, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, w.dsn)
	if err != nil {
		return up, err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, `SELECT pg_postmaster_start_time()`).Scan(&up)
	return up, err
}

func writeAsOwner(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		return
	}
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	if err := os.Chown(path, int(st.Uid), int(st.Gid)); err != nil {
		t.Fatal(err)
	}
}

// orphanPostmaster starts a PostgreSQL on the directory that does not die
// with anybody, as a server without Pdeathsig would leave it behind.
func orphanPostmaster(t *testing.T, pgDir, socketDir string) int {
	t.Helper()
	exe, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(exe) == 0 {
		t.Fatalf("no postgres for the orphan: %v", err)
	}
	version, err := os.ReadFile(filepath.Join(pgDir, "PG_VERSION"))
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join("/usr/lib/postgresql", strings.TrimSpace(string(version)), "bin", "postgres")
	// The socket directory went with the server that stopped.
	if err := os.MkdirAll(socketDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(pgDir); err == nil && os.Geteuid() == 0 {
		st := info.Sys().(*syscall.Stat_t)
		if err := os.Chown(socketDir, int(st.Uid), int(st.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(bin, "-D", pgDir, "-c", "listen_addresses=", "-c", "unix_socket_directories="+socketDir)
	asOwner(t, cmd, pgDir)
	cmd.Dir = pgDir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = cmd.Wait() }()
	return cmd.Process.Pid
}
