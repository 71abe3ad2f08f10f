package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lockFile is DataDir/server.lock: whoever holds its flock owns the data
// directory. Its text (pid, socket directory) is information for others and
// never decides anything.
type lockFile struct{ f *os.File }

// errHeld reports that another process holds the lock.
var errHeld = errors.New("cluster: lock held")

func acquire(dataDir, socketDir string) (*lockFile, error) {
	f, err := os.OpenFile(filepath.Join(dataDir, "server.lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if errors.Is(err, os.ErrPermission) {
		owner := "?"
		if info, statErr := os.Stat(dataDir); statErr == nil {
			owner = userName(ownerOf(info))
		}
		return nil, fail(CodeOwner, fmt.Sprintf(
			"数据目录 %s 属于用户 %s；请用该用户或 root 运行。The data directory %s belongs to %s: run as that user or as root",
			dataDir, owner, dataDir, owner), err)
	}
	if err != nil {
		return nil, fail(CodeOwner, "无法打开锁文件。The lock file cannot be opened", err)
	}
	if err := flock(f, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errHeld
		}
		return nil, fmt.Errorf("cluster: lock %s: %w", f.Name(), err)
	}
	l := &lockFile{f: f}
	// A full disk may refuse these few bytes; the lock itself holds anyway.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(fmt.Sprintf("%d\n%s\n", os.Getpid(), socketDir)), 0)
	}
	return l, nil
}

func (l *lockFile) release() {
	if l == nil || l.f == nil {
		return
	}
	_ = l.f.Truncate(0)
	_ = l.f.Close()
	l.f = nil
}

// holder reads who wrote the lock file last.
func holder(dataDir string) (pid int, socketDir string) {
	text, err := os.ReadFile(filepath.Join(dataDir, "server.lock"))
	if err != nil {
		return 0, ""
	}
	lines := strings.Split(string(text), "\n")
	if pid, err = strconv.Atoi(lines[0]); err != nil {
		return 0, ""
	}
	if len(lines) > 1 {
		socketDir = lines[1]
	}
	return pid, socketDir
}

func errLocked(dataDir string) *Error {
	pid, _ := holder(dataDir)
	e := fail(CodeLocked, fmt.Sprintf(
		"数据目录 %s 正由进程 %d 使用；同一目录只能有一个服务。The data directory %s is in use by process %d: one server per directory.",
		dataDir, pid, dataDir, pid), nil)
	e.PID = pid
	return e
}

// flock retries the interrupted call; Go's own signals interrupt it.
func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
