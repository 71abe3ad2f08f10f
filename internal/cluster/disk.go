package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const (
	lowBytes     = 1 << 30   // warn below this much free space
	lowShare     = 20        // or below 1/20 of the file system
	ballastBytes = 200 << 20 // reserve that is given up to get going again
	ballastRoom  = 3 << 30   // made only where this much is free
	startBytes   = 48 << 20  // a start needs room for its first WAL segments
)

// DiskState is the room left on the file system of the data directory.
type DiskState struct {
	Free, Total uint64
	// Low asks everybody to leave out what can wait: tile caches, photos.
	Low bool
}

// Disk measures the file system of the data directory.
func (c *Cluster) Disk() (DiskState, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(c.dataDir, &st); err != nil {
		return DiskState{}, fmt.Errorf("cluster: free space of %s: %w", c.dataDir, err)
	}
	unit := uint64(st.Frsize)
	d := DiskState{Free: st.Bavail * unit, Total: st.Blocks * unit}
	d.Low = d.Free < lowBytes || d.Free < d.Total/lowShare
	return d, nil
}

func (c *Cluster) ballastPath() string { return filepath.Join(c.dataDir, "ballast") }

// prepareDisk looks at the free space before a start. With next to none left
// the ballast is given up, so that the server comes up and somebody can make
// room; with plenty left it is laid in again.
func (c *Cluster) prepareDisk() error {
	d, err := c.Disk()
	if err != nil {
		return err
	}
	if d.Free < startBytes {
		if err := os.Remove(c.ballastPath()); err == nil {
			c.log.Warn("cluster: the disk is full, the reserve file was given up: make room now", "path", c.ballastPath())
		}
		return nil
	}
	if d.Low {
		c.log.Warn("cluster: little disk space left", "free", d.Free, "total", d.Total, "dir", c.dataDir)
	}
	if d.Free < ballastRoom {
		return nil
	}
	if info, err := os.Stat(c.ballastPath()); err == nil && info.Size() == ballastBytes {
		return nil
	}
	if err := layBallast(c.ballastPath(), ballastBytes); err != nil {
		// A file system without fallocate, or a quota: worth a word, no more.
		c.log.Info("cluster: no reserve file", "path", c.ballastPath(), "err", err)
	}
	return nil
}

// layBallast reserves real blocks; a sparse file would free nothing.
func layBallast(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = syscall.Fallocate(int(f.Fd()), 0, 0, size)
	err = errors.Join(err, f.Close())
	if err != nil {
		err = errors.Join(err, removeQuietly(path))
	}
	return err
}

func (c *Cluster) diskFull(err error) *Error {
	zh, en := "", ""
	if _, statErr := os.Stat(c.ballastPath()); statErr == nil {
		zh = fmt.Sprintf("删除保留文件 %s 可先恢复运行。", c.ballastPath())
		en = fmt.Sprintf(" Deleting the reserve file %s helps to get going.", c.ballastPath())
	}
	return fail(CodeDiskFull, fmt.Sprintf("磁盘已满，请在 %s 所在的磁盘上腾出空间。%sThe disk of %s is full: make room.%s",
		c.dataDir, zh, c.dataDir, en), err)
}

// ioError gives a failed write the words of a full disk where that is why.
func (c *Cluster) ioError(message string, err error) *Error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return c.diskFull(err)
	}
	return fail(CodeInit, message, err)
}
