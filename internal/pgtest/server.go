package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"onemap/internal/cluster"
)

const dirPrefix = "onemap-pgtest-"

func open() (*Instance, error) {
	in := &Instance{socketDir: os.Getenv("ONEMAP_TEST_CLUSTER")}
	in.template = sync.OnceValues(in.makeTemplate)
	if in.socketDir != "" {
		if err := in.dropAbandoned(); err != nil {
			return nil, fmt.Errorf("ONEMAP_TEST_CLUSTER=%s: %w", in.socketDir, err)
		}
		return in, nil
	}
	sweep(os.TempDir())
	dir, err := os.MkdirTemp("", dirPrefix)
	if err != nil {
		return nil, err
	}
	// As root PostgreSQL runs under another user, which has to get through.
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, err
	}
	if in.exit, err = removeAtExit(dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	c, err := cluster.New(cluster.Options{
		DataDir:    filepath.Join(dir, "data"),
		RuntimeDir: filepath.Join(dir, "s"),
		StopGrace:  10 * time.Second,
		Settings: map[string]string{
			"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
			"shared_buffers": "64MB", "max_wal_size": "1GB", "checkpoint_timeout": "30min",
			"max_connections": "100", "autovacuum_naptime": "30s",
		},
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Start(ctx); err != nil {
		return nil, err
	}
	in.socketDir = c.SocketDir()
	return in, nil
}

// removeAtExit leaves a shell waiting on a pipe whose other end only this
// process holds: when it ends, for whatever reason, the shell waits for
// PostgreSQL to go and removes the directory. It has a session of its own, so
// that Ctrl-C does not take it along, and none of our outputs, or go test
// would wait for it.
//
// The caller keeps the returned end: a collected os.File closes itself, and
// the directory would go under our feet.
func removeAtExit(dir string) (*os.File, error) {
	const script = `cat
i=0
while [ -e "$1/data/pg/postmaster.pid" ] && [ $i -lt 150 ]; do sleep 0.2; i=$((i+1)); done
rm -rf -- "$1"`
	// os.Pipe is close-on-exec: no other child of ours keeps the end open.
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd := exec.Command("/bin/sh", "-c", script, "pgtest-remove", dir)
	cmd.Stdin = r
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, cmd.Process.Release()
}

// sweep removes directories that neither a living test process nor a
// PostgreSQL uses any more. Young ones may belong to a process that is just
// starting.
func sweep(tmp string) {
	dirs, err := filepath.Glob(filepath.Join(tmp, dirPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < 5*time.Minute {
			continue
		}
		lock, err := os.OpenFile(filepath.Join(dir, "data", "server.lock"), os.O_RDWR, 0)
		if err == nil {
			held := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil
			lock.Close()
			if held {
				continue
			}
		}
		if _, err := os.Stat(filepath.Join(dir, "data", "pg", "postmaster.pid")); err == nil && time.Since(info.ModTime()) < time.Hour {
			continue // being shut down, or left by a crash: later
		}
		_ = os.RemoveAll(dir) // fails for another user's: not ours to remove
	}
}

func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
