package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// joinPatience bounds the wait for a server that holds the lock but does not
// answer yet: it may be recovering.
const joinPatience = time.Minute

// Join gives an offline command a cluster to work on. If a live process holds
// the data directory, its cluster is used through its socket and joined is
// true; Stop then only lets go. Otherwise the cluster is started, and Stop
// stops it after the commands that joined meanwhile have finished.
func Join(ctx context.Context, o Options) (c *Cluster, joined bool, err error) {
	if c, err = New(o); err != nil {
		return nil, false, err
	}
	deadline := time.Now().Add(joinPatience)
	var last error
	for {
		err = c.Start(ctx)
		if CodeOf(err) != CodeLocked {
			if err != nil {
				return nil, false, err
			}
			c.mu.Lock()
			c.waitGuest = true
			c.mu.Unlock()
			return c, false, nil
		}
		if last = c.enter(ctx); last == nil {
			return c, true, nil
		}
		if CodeOf(last) == CodeUnreached || time.Now().After(deadline) {
			return nil, false, errors.Join(last, err)
		}
		select {
		case <-ctx.Done():
			return nil, false, errors.Join(context.Cause(ctx), last)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// enter connects to the cluster that another process runs.
func (c *Cluster) enter(ctx context.Context) error {
	pid, dir := holder(c.dataDir)
	if dir == "" {
		return fmt.Errorf("cluster: process %d has not said where its socket is", pid)
	}
	if _, err := os.Stat(filepath.Join(dir, socketName)); errors.Is(err, os.ErrPermission) {
		return &Error{Code: CodeUnreached, PID: pid, Err: err, Message: fmt.Sprintf(
			"进程 %d 的服务属于另一个用户；请用该用户或 root 运行本命令。Process %d serves this data under another user: run this command as that user or as root",
			pid, pid)}
	}
	guests, err := os.OpenFile(filepath.Join(c.dataDir, "guests.lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	// Held exclusively by an owner that is shutting down: then wait our turn.
	if err := flock(guests, syscall.LOCK_SH|syscall.LOCK_NB); err != nil {
		return errors.Join(fmt.Errorf("cluster: process %d is shutting down: %w", pid, err), guests.Close())
	}
	c.socketDir = dir
	conn, err := c.connect(ctx, Database, Superuser)
	if err != nil {
		return errors.Join(err, guests.Close())
	}
	c.guests, c.joined = guests, true
	return conn.Close(ctx)
}

func (c *Cluster) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.guests != nil {
		_ = c.guests.Close()
		c.guests = nil
		close(c.done)
	}
}

// awaitGuests lets commands that joined this offline command's cluster finish
// before it goes down. A server does not wait: its operator asked it to stop.
func (c *Cluster) awaitGuests() {
	c.mu.Lock()
	wait := c.waitGuest
	c.mu.Unlock()
	if !wait {
		return
	}
	f, err := os.OpenFile(filepath.Join(c.dataDir, "guests.lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return
	}
	// Kept open until the postmaster is down; the process's end closes it.
	c.guests = f
	for said := false; ; said = true {
		if err := flock(f, syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			return
		}
		if !said {
			c.log.Info("cluster: waiting for other commands that use this database")
		}
		select {
		case <-c.hurry:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}
