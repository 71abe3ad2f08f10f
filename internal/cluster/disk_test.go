package cluster_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"onemap/internal/cluster"
)

// TestDiskFull fills a small file system under writers: they get errors and no
// acknowledgement, reading goes on, and when room is made everything works
// again without anybody's help. A server started on the full disk says so.
func TestDiskFull(t *testing.T) {
	dir := testDir(t)
	if err := os.Mkdir(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=230m,mode=711"); err != nil {
		t.Skipf("no small file system can be mounted here (%v), a full disk is not tested", err)
	}
	// Cleanups run last in, first out: after the server's and the writers'.
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	tb := &table{}
	defer tb.print(t)
	s := launch(t, dir)
	s.ready()
	dsn := createTable(t, dir)
	fill := func(leave uint64) string {
		t.Helper()
		var st syscall.Statfs_t
		if err := syscall.Statfs(dir, &st); err != nil {
			t.Fatal(err)
		}
		free := st.Bavail * uint64(st.Bsize)
		path := filepath.Join(dir, "filler")
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if free > leave {
			if err := syscall.Fallocate(int(f.Fd()), 0, 0, int64(free-leave)); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	filler := fill(6 << 20)

	w := startWriters(t, dsn, 400)
	w.progress(20)
	for end := time.Now().Add(40 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if before := w.count.Load(); w.full.Load() > 20 || !canConnect(dsn) {
			time.Sleep(300 * time.Millisecond)
			if w.count.Load() == before {
				break
			}
		}
		if time.Now().After(end) {
			t.Fatalf("the disk never got full: %d rows, %d times 53100", w.count.Load(), w.full.Load())
		}
	}
	if !s.alive() {
		t.Fatalf("the server process ended on a full disk\n%s", s.err)
	}
	reads := "reads go on"
	if !canConnect(dsn) {
		reads = "PostgreSQL down, being retried"
	}
	begun := time.Now()
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	w.progress(1)
	took := time.Since(begun)
	acked, lost := w.lost()
	tb.add(fmt.Sprintf("disk full (%d times 53100)", w.full.Load()), reads+"; writes after room is made", took, acked, lost)
	if lost > 0 {
		t.Errorf("%d of %d acknowledged rows are lost", lost, acked)
	}
	w.end()

	// Killed with a full disk and started on it.
	filler = fill(64 << 10)
	s.kill()
	waitGone(t, filepath.Join(dir, "pg"))
	s = launch(t, dir)
	switch l := s.line(); {
	case strings.HasPrefix(l, "failed "+string(cluster.CodeDiskFull)):
		t.Logf("start on the full disk: %s", l[:min(len(l), 400)])
		<-s.gone
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		s = launch(t, dir)
		s.ready()
	case strings.HasPrefix(l, "ready "):
		t.Log("start on the full disk: came up")
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("start on the full disk: %q", l)
	}
	acked, lost = w.lost()
	tb.add("restart on the full disk", "up again when room is made", 0, acked, lost)
	if lost > 0 {
		t.Errorf("%d of %d acknowledged rows are lost", lost, acked)
	}
	stopServer(t, s)
}

func canConnect(dsn string) bool {
	_, err := upSince(&writers{dsn: dsn})
	return err == nil
}
