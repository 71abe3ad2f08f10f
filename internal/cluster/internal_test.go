package cluster

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestParseMajor(t *testing.T) {
	for text, want := range map[string]int{
		"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)": 15,
		"postgres (PostgreSQL) 17beta1":                        17,
		"postgres (PostgreSQL) 18":                             18,
	} {
		if got, err := parseMajor(text); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "mysqld 8", "postgres (PostgreSQL) devel"} {
		if got, err := parseMajor(text); err == nil {
			t.Errorf("%q: %d without an error", text, got)
		}
	}
}

func TestParsePID(t *testing.T) {
	for text, want := range map[string]int{"12\n/data\n": 12, "-7\n": 7, "3": 3} {
		if got, ok := parsePID(text); !ok || got != want {
			t.Errorf("%q: %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "\n", "0\n", "x\n", "\x00\x00"} {
		if got, ok := parsePID(text); ok {
			t.Errorf("%q: %d", text, got)
		}
	}
}

func TestDSNQuotesItsValues(t *testing.T) {
	got := dsn(`/tmp/o'neil \x`, "db", "role")
	if want := `host='/tmp/o\'neil \\x' `; !strings.HasPrefix(got, want) {
		t.Errorf("got %s, want prefix %s", got, want)
	}
}

func TestLogStaysBounded(t *testing.T) {
	c := &Cluster{logPath: filepath.Join(t.TempDir(), "postgres.log")}
	f, err := os.OpenFile(c.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const limit = 1000
	for i := range 10 {
		fmt.Fprintf(f, "round %d %s\n", i, strings.Repeat("x", limit))
		if err := c.rotateLog(limit); err != nil {
			t.Fatal(err)
		}
		if c.logSize() != 0 {
			t.Fatalf("round %d: %d bytes left in place", i, c.logSize())
		}
	}
	files, err := filepath.Glob(c.logPath + "*")
	if err != nil || len(files) != 1+logKeep {
		t.Errorf("files: %v %v", files, err)
	}
	for i, want := range map[int]string{1: "round 9", logKeep: fmt.Sprintf("round %d", 10-logKeep)} {
		text, err := os.ReadFile(fmt.Sprintf("%s.%d", c.logPath, i))
		if err != nil || !bytes.HasPrefix(text, []byte(want)) {
			t.Errorf("file %d: %.20q %v", i, text, err)
		}
	}
	fmt.Fprintln(f, "first\nlast")
	if got := c.logTail(0, 1); got != "last" {
		t.Errorf("tail: %q", got)
	}
	// An offset from before a rotation must not hide the new lines.
	if got := c.logTail(1<<20, 2); got != "first\nlast" {
		t.Errorf("tail after rotation: %q", got)
	}
}

func TestBallastIsRealAndGivenUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ballast")
	if err := layBallast(path, 1<<20); err != nil {
		t.Skipf("this file system reserves no blocks: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); st.Blocks*512 < 1<<20 {
		t.Errorf("%d blocks for 1 MiB: sparse", st.Blocks)
	}
	// More than the disk holds: nothing half made stays behind.
	if err := layBallast(path, 1<<60); err == nil {
		t.Error("a reserve of 2^60 bytes was laid in")
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("a failed reserve is left: %v", err)
	}

	dir := t.TempDir()
	c := &Cluster{dataDir: dir, log: slog.New(slog.DiscardHandler)}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("no small file system can be mounted here: %v", err)
	}
	defer func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }()
	if err := os.WriteFile(c.ballastPath(), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err := c.Disk(); err != nil || !d.Low || d.Total != 4<<20 {
		t.Errorf("disk state %+v, %v", d, err)
	}
	if err := c.prepareDisk(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.ballastPath()); !os.IsNotExist(err) {
		t.Errorf("the reserve was not given up on a full disk: %v", err)
	}
}

func TestBlockingFolderJudgesOwnerGroupAndOthers(t *testing.T) {
	dir := t.TempDir()
	inner := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	a := filepath.Join(dir, "a")
	me := account{uid: os.Geteuid(), gid: os.Getegid()}
	group := account{uid: -2, gid: os.Getegid()}
	other := account{uid: -2, gid: -2}
	for _, c := range []struct {
		who  account
		mode os.FileMode
		want string
	}{
		{me, 0o100, ""}, {me, 0o611, a}, {group, 0o710, ""}, {group, 0o701, a}, {other, 0o701, ""}, {other, 0o770, a},
	} {
		if err := os.Chmod(dir, 0o711); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(a, c.mode); err != nil {
			t.Fatal(err)
		}
		if got := c.who.blockingFolder(filepath.Join(inner, "x")); got != c.want {
			t.Errorf("%+v with %o: %q, want %q", c.who, c.mode, got, c.want)
		}
	}
	_ = os.Chmod(a, 0o755)
}
