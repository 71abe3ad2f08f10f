package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

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
	fresh := c.pgDir + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return fail(CodeInit, "无法清理未完成的数据库。An unfinished database cannot be removed: "+fresh, err)
	}
	if err := os.Mkdir(fresh, 0o700); err != nil {
		return c.ioError("无法建立数据库目录。The database directory cannot be created: "+fresh, err)
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
	cmd := exec.CommandContext(ctx, c.bin.path("initdb"), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Dir = fresh
	cmd.Env = childEnv()
	cmd.SysProcAttr = c.account.attributes()
	out, err := cmd.CombinedOutput()
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		e := fail(CodeInit, "无法建立数据库。The database cannot be created", err)
		if saysDiskFull(string(out)) {
			e = c.diskFull(err)
		}
		e.Log = lastLines(string(out), 15)
		return e
	}
	// An empty directory may stand in the place; rename replaces it.
	if err := os.Rename(fresh, c.pgDir); err != nil {
		return c.ioError("无法启用新数据库。The new database cannot be put in place: "+c.pgDir, err)
	}
	return syncDir(filepath.Dir(c.pgDir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
