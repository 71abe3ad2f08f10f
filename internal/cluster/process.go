package cluster

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// child is a postmaster that this process started.
type child struct {
	cmd    *exec.Cmd
	pid    int
	exited chan struct{} // closed when it is gone and reaped
	err    error         // its exit status; read after exited
}

// spawn starts the postmaster from a goroutine that keeps its OS thread until
// the child is gone. Pdeathsig is tied to the thread that forked: on a thread
// the runtime may retire, the server would be shut down at random.
func spawn(cmd *exec.Cmd) (*child, error) {
	ch := &child{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		ch.pid = cmd.Process.Pid
		started <- nil
		ch.err = cmd.Wait()
		close(ch.exited)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return ch, nil
}

func (ch *child) alive() bool {
	select {
	case <-ch.exited:
		return false
	default:
		return true
	}
}

// wait reports whether the child ended within d or before cancel.
func (ch *child) wait(d time.Duration, cancel <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ch.exited:
		return true
	case <-t.C:
	case <-cancel:
	}
	return !ch.alive()
}

// shutdown asks for a fast shutdown, after the grace for an immediate one,
// and never kills: a killed postmaster leaves its children and the shared
// memory behind.
func (ch *child) shutdown(grace time.Duration, hurry <-chan struct{}) error {
	_ = ch.cmd.Process.Signal(syscall.SIGINT)
	if ch.wait(grace, hurry) {
		return nil
	}
	_ = ch.cmd.Process.Signal(syscall.SIGQUIT)
	if ch.wait(quitGrace, nil) {
		return nil
	}
	e := fail(CodeStop, "PostgreSQL 没有在限定时间内停止。PostgreSQL did not stop in time", nil)
	e.PID = ch.pid
	return e
}

// worker is a process found in /proc that works in the data directory.
type worker struct {
	pid        int
	postmaster bool
}

// workers lists the PostgreSQL processes whose working directory is dir. The
// kernel knows better than postmaster.pid, which can be stale or empty.
func workers(dir string) ([]worker, error) {
	want, err := os.Stat(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var out []worker
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		proc := filepath.Join("/proc", e.Name())
		// Both fail for other users' processes and for those just gone.
		cwd, err := os.Stat(filepath.Join(proc, "cwd"))
		if err != nil || !os.SameFile(cwd, want) {
			continue
		}
		exe, err := os.Readlink(filepath.Join(proc, "exe"))
		// An upgraded package leaves "/.../postgres (deleted)".
		if err != nil || filepath.Base(strings.TrimSuffix(exe, " (deleted)")) != "postgres" {
			continue
		}
		cmdline, err := os.ReadFile(filepath.Join(proc, "cmdline"))
		if err != nil {
			continue
		}
		// Every child of a postmaster calls itself "postgres: ...".
		out = append(out, worker{pid: pid, postmaster: !bytes.HasPrefix(cmdline, []byte("postgres: "))})
	}
	return out, nil
}

// running reports whether a process exists, whoever owns it.
func running(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
