package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// climb is the start-up ladder: it brings the data directory into a state in
// which a new postmaster can start, whatever ended the last one. The caller
// holds the lock, so nobody else is starting or stopping here.
//
//   - processes still work in the directory: a leftover postmaster is shut
//     down; backends whose postmaster is gone end by themselves, or are told
//     to (a backend inside a long geometry call does not notice its death)
//   - postmaster.pid is empty or unreadable: removed, PostgreSQL would refuse
//   - it names a live process that is none of ours (a recycled pid, common in
//     containers) or a zombie: removed, PostgreSQL would refuse when the uid
//     is the same
//   - it names a dead process: left alone, PostgreSQL handles it and checks
//     the shared memory as well
//   - the lock file beside the socket has the same three diseases and gets the
//     same treatment, if it is about our data directory
func (c *Cluster) climb(ctx context.Context) error {
	if err := c.clearWorkers(ctx); err != nil {
		return err
	}
	if err := c.clearPIDFile(filepath.Join(c.pgDir, "postmaster.pid"), ""); err != nil {
		return err
	}
	// A RuntimeDir may be shared; another cluster's lock is none of ours.
	return c.clearPIDFile(filepath.Join(c.socketDir, socketName+".lock"), c.pgDir)
}

// clearPIDFile removes a lock file of PostgreSQL's that would keep it from
// starting although nobody works in the data directory. If about is given, the
// file must name that data directory in its second line.
func (c *Cluster) clearPIDFile(path, about string) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cluster: read %s: %w", filepath.Base(path), err)
	}
	pid, ok := parsePID(string(text))
	switch lines := strings.Split(string(text), "\n"); {
	case !ok:
		c.log.Warn("cluster: removing an empty or damaged lock file of PostgreSQL", "path", path)
	case about != "" && len(lines) > 1 && lines[1] != about:
		return nil
	case running(pid):
		c.log.Warn("cluster: removing a lock file whose process is not PostgreSQL on this directory", "path", path, "pid", pid)
	default:
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cluster: remove %s: %w", filepath.Base(path), err)
	}
	return nil
}

// parsePID reads the first line of postmaster.pid. A standalone backend
// writes its pid negated.
func parsePID(text string) (int, bool) {
	line, _, _ := strings.Cut(text, "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid == 0 {
		return 0, false
	}
	if pid < 0 {
		pid = -pid
	}
	return pid, true
}

// clearWorkers ends what an earlier server left running in the directory.
func (c *Cluster) clearWorkers(ctx context.Context) error {
	const orphanPatience = time.Second
	start := time.Now()
	asked, quit := false, false
	for {
		left, err := workers(c.pgDir)
		if err != nil {
			return fmt.Errorf("cluster: look for leftover processes: %w", err)
		}
		if len(left) == 0 {
			return nil
		}
		var master int
		for _, w := range left {
			if w.postmaster {
				master = w.pid
			}
		}
		waited := time.Since(start)
		switch {
		case master != 0 && !asked:
			asked = true
			c.log.Warn("cluster: shutting down a leftover PostgreSQL on our data directory", "pid", master)
			_ = syscall.Kill(master, syscall.SIGINT)
		case master != 0 && !quit && waited > c.opts.StopGrace:
			quit = true
			c.log.Warn("cluster: the leftover PostgreSQL does not end, asking for an immediate shutdown", "pid", master)
			_ = syscall.Kill(master, syscall.SIGQUIT)
		case master == 0 && !quit && waited > orphanPatience:
			quit = true
			for _, w := range left {
				c.log.Warn("cluster: ending a backend whose server is gone", "pid", w.pid)
				_ = syscall.Kill(w.pid, syscall.SIGQUIT)
			}
		case waited > c.opts.StopGrace+quitGrace:
			e := fail(CodeBusy, fmt.Sprintf(
				"数据目录上仍有旧的 PostgreSQL 进程 %d 没有结束。An old PostgreSQL process %d still works on the data directory.",
				left[0].pid, left[0].pid), nil)
			e.PID = left[0].pid
			return e
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
