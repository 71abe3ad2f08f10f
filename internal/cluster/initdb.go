package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

const freshPrefix = "pg.new-"

// initialise creates the cluster if there is none. It is built beside its
// final place and renamed, so that a killed initdb leaves nothing that looks
// like a database.
func (c *Cluster) initialise(ctx context.Context) error {
	if major, err := dataMajor(c.pgDir); err != nil || major > 0 {
		return err
	}
	if entries, err := os.ReadDir(c.pgDir); err == nil && len(entries) > 0 {
		return fail(CodeInit, fmt.Sprintf(
			"%s 不是空目录，也不是数据库；请移走其中的文件。%s is neither empty nor a database: move its files away.", c.pgDir, c.pgDir), nil)
	}
	c.removeUnfinished()
	fresh, err := os.MkdirTemp(c.dataDir, freshPrefix)
	if err != nil {
		return c.ioError("无法建立数据库目录。The database directory cannot be created in "+c.dataDir, err)
	}
	if err := c.account.own(fresh); err != nil {
		return fail(CodeInit, "无法移交数据库目录。The database directory cannot be handed over: "+fresh, err)
	}
	if err := c.account.checkTraversal(c.bin.path("postgres"), fresh); err != nil {
		_ = os.Remove(fresh)
		return err
	}
	c.log.Info("cluster: creating the database", "dir", c.pgDir, "postgresql", c.bin.major)
	args := []string{
		"-D", fresh, "-U", Superuser, "--auth=peer", "--encoding=UTF8",
		"--locale-provider=libc", "--locale=C.UTF-8", "--data-checksums",
	}
	if c.opts.Settings["fsync"] == "off" {
		args = append(args, "--no-sync")
	}
	out, err := c.runInitdb(ctx, fresh, args)
	if err != nil {
		c.removeUnfinished()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		e := fail(CodeInit, "无法建立数据库。The database cannot be created", err)
		if saysDiskFull(out) {
			e = c.diskFull(err)
		}
		e.Log = lastLines(out, 15)
		return e
	}
	// An empty directory may stand in the place; rename replaces it.
	if err := os.Rename(fresh, c.pgDir); err != nil {
		return c.ioError("无法启用新数据库。The new database cannot be put in place: "+c.pgDir, err)
	}
	return syncDir(filepath.Dir(c.pgDir))
}

// runInitdb runs initdb so that it dies with us, like the postmaster.
func (c *Cluster) runInitdb(ctx context.Context, dir string, args []string) (string, error) {
	var out bytes.Buffer
	cmd := exec.Command(c.bin.path("initdb"), args...)
	cmd.Dir = dir
	cmd.Env = childEnv()
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = c.account.attributes()
	cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	ch, err := spawn(cmd)
	if err != nil {
		return "", err
	}
	select {
	case <-ch.exited:
	case <-ctx.Done():
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ch.exited
	}
	return out.String(), ch.err
}

// removeUnfinished removes what killed attempts left. One of them may still be
// dying and writing; each attempt has a directory of its own, so that does no
// harm, and the next start removes the rest.
func (c *Cluster) removeUnfinished() {
	old, err := filepath.Glob(filepath.Join(c.dataDir, freshPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range old {
		if err := os.RemoveAll(dir); err != nil {
			c.log.Warn("cluster: an unfinished database cannot be removed", "dir", dir, "err", err)
		}
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
