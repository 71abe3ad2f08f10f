package cluster_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"onemap/internal/cluster"
)

// table collects what is printed at the end.
type table struct{ rows []string }

func (tb *table) add(scenario, after string, took time.Duration, acked, lost int) {
	tb.rows = append(tb.rows, fmt.Sprintf("%s\t%s\t%.2f s\t%d / %d", scenario, after, took.Seconds(), acked, lost))
}

func (tb *table) print(t *testing.T) {
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 2, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "fault\tafter it\tback in\tacknowledged / lost")
	for _, r := range tb.rows {
		fmt.Fprintln(tw, r)
	}
	tw.Flush()
	t.Log("crash table\n" + b.String())
}

// TestCrashTable kills what can be killed while writers count acknowledged
// rows, on one data directory, one fault after the other. No acknowledged row
// may ever be missing.
func TestCrashTable(t *testing.T) {
	dir := testDir(t)
	pgDir := filepath.Join(dir, "pg")
	pidFile := filepath.Join(pgDir, "postmaster.pid")
	tb := &table{}
	defer tb.print(t)

	// A server killed while it creates the database leaves nothing in the way.
	s := launch(t, dir)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if seen, _ := filepath.Glob(filepath.Join(dir, "pg.new-*", "base")); len(seen) > 0 {
			break
		}
		if time.Now().After(end) || !s.alive() {
			t.Fatalf("initdb was never seen at work\n%s", s.err)
		}
	}
	s.kill()
	begun := time.Now()
	s = launch(t, dir)
	master := s.ready()
	tb.add("kill -9 during initdb", "next start creates it anew", time.Since(begun), 0, 0)

	w := startWriters(t, createTable(t, dir), 2)
	check := func(scenario, after string, begun time.Time) {
		t.Helper()
		took := time.Since(begun)
		acked, lost := w.lost()
		tb.add(scenario, after, took, acked, lost)
		if lost > 0 {
			t.Errorf("%s: %d of %d acknowledged rows are lost", scenario, lost, acked)
		}
	}
	const load = 300

	w.progress(load)
	begun = time.Now()
	if err := syscall.Kill(master, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitServing(t, w, begun)
	w.progress(1)
	check("kill -9 postmaster", "restarted by the living server", begun)
	if !s.alive() {
		t.Fatalf("the server process ended with its postmaster\n%s", s.err)
	}
	if master = pidIn(t, pidFile); master == 0 {
		t.Fatal("no pid after the restart")
	}

	// A backend deep in a computation does not notice that its postmaster died
	// and holds the shared memory, without which no new one starts.
	w.progress(load)
	busy := compute(t, w.dsn)
	begun = time.Now()
	if err := syscall.Kill(master, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitServing(t, w, begun)
	w.progress(1)
	check("kill -9 postmaster, a backend computing", "the backend is ended, then restarted", begun)
	master = pidIn(t, pidFile)
	if slices.Contains(postgresOn(pgDir), busy) {
		t.Errorf("backend %d of the dead postmaster still computes", busy)
	}

	w.progress(load)
	begun = time.Now()
	if err := syscall.Kill(backend(t, w.dsn), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitForCrash(t, w)
	waitServing(t, w, time.Time{})
	w.progress(1)
	check("kill -9 one backend", "PostgreSQL recovers by itself", begun)
	if now := pidIn(t, pidFile); now != master {
		t.Errorf("postmaster %d was replaced by %d", master, now)
	}

	w.progress(load)
	s.kill()
	waitGone(t, pgDir)
	if _, err := os.Stat(pidFile); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("postmaster.pid is left after the parent's death: %v", err)
	}
	begun = time.Now()
	s = launch(t, dir)
	s.ready()
	check("kill -9 server process", "postgres shuts down cleanly (Pdeathsig)", begun)

	// Immediately: the next server meets the last one's postmaster going down.
	w.progress(load)
	s.kill()
	begun = time.Now()
	s = launch(t, dir)
	s.ready()
	check("kill -9 server, restart at once", "waits for the old postmaster", begun)

	w.progress(load)
	pids := postgresOn(pgDir)
	_ = s.cmd.Process.Kill()
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-s.gone
	waitGone(t, pgDir)
	if pidIn(t, pidFile) == 0 {
		t.Error("everything was killed, postmaster.pid should be stale")
	}
	begun = time.Now()
	s = launch(t, dir)
	s.ready()
	check(fmt.Sprintf("kill -9 everything (%d processes)", len(pids)+1), "stale postmaster.pid, redo", begun)

	w.progress(load)
	stopServer(t, s)
	begun = time.Now()
	s = launch(t, dir)
	s.ready()
	check("SIGTERM under load", "clean stop, pid file gone", begun)

	for _, bad := range []struct{ name, after, text string }{
		{"postmaster.pid empty", "removed", ""},
		{"postmaster.pid cut off", "removed", "\n" + pgDir},
		{"postmaster.pid names a dead process", "left to PostgreSQL", "4194301\n" + pgDir + "\n1700000000\n5432\n\n\n\nready   \n"},
		{"postmaster.pid names a living process", "removed, process unharmed", "recycled"},
	} {
		w.progress(load / 10)
		stopServer(t, s)
		text := bad.text
		var stranger *exec.Cmd
		if text == "recycled" {
			stranger = exec.Command("sleep", "60")
			asOwner(t, stranger, pgDir)
			if err := stranger.Start(); err != nil {
				t.Fatal(err)
			}
			text = fmt.Sprintf("%d\n%s\n1700000000\n5432\n\n\n\nready   \n", stranger.Process.Pid, pgDir)
		}
		writeAsOwner(t, pidFile, text)
		begun = time.Now()
		s = launch(t, dir)
		s.ready()
		check(bad.name, bad.after, begun)
		if stranger != nil {
			if err := stranger.Process.Signal(syscall.Signal(0)); err != nil {
				t.Errorf("the process that got the old pid was harmed: %v", err)
			}
			_ = stranger.Process.Kill()
			_ = stranger.Wait()
		}
	}

	w.progress(load / 10)
	begun = time.Now()
	second := launch(t, dir)
	if l := second.line(); !strings.HasPrefix(l, "failed "+string(cluster.CodeLocked)) ||
		!strings.Contains(l, strconv.Itoa(s.cmd.Process.Pid)) {
		t.Errorf("second server: %q", l)
	}
	refused := time.Since(begun)
	<-second.gone
	w.progress(load / 10)
	acked, lost := w.lost()
	tb.add("second server on the same directory", "refused with the first one's pid", refused, acked, lost)

	stopServer(t, s)
	orphan := orphanPostmaster(t, pgDir, options(dir).RuntimeDir)
	w.progress(load / 10)
	begun = time.Now()
	s = launch(t, dir)
	if pid := s.ready(); pid == orphan {
		t.Errorf("the orphan %d was taken for our own child", orphan)
	}
	check("orphan postmaster on our directory", "shut down, then our own", begun)
	w.progress(load / 10)
	w.end()
	stopServer(t, s)
	waitGone(t, pgDir)
}
