package cluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	logBytes = 16 << 20 // size at which the log is rotated
	logKeep  = 4        // older files kept beside it
)

// openLog opens PostgreSQL's log for appending. The postmaster and all its
// children write to it directly, so that the lines of a shutdown are there
// even when this process was killed.
func (c *Cluster) openLog() (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(c.logPath), 0o750); err != nil {
		return nil, c.ioError("无法建立日志目录。The log directory cannot be created", err)
	}
	f, err := os.OpenFile(c.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, c.ioError("无法打开日志。The log cannot be opened", err)
	}
	return f, nil
}

// rotateLog keeps the log bounded: copy, then truncate in place, because the
// writers keep their descriptor. They append, so truncating is safe; lines
// written between the two steps are lost.
func (c *Cluster) rotateLog(limit int64) error {
	info, err := os.Stat(c.logPath)
	if errors.Is(err, os.ErrNotExist) || (err == nil && info.Size() < limit) {
		return nil
	}
	if err != nil {
		return err
	}
	name := func(i int) string { return fmt.Sprintf("%s.%d", c.logPath, i) }
	for i := logKeep - 1; i >= 1; i-- {
		if err := os.Rename(name(i), name(i+1)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	// A full disk must not keep the log growing: truncate even if the copy fails.
	copyErr := copyFile(name(1), c.logPath)
	return errors.Join(copyErr, os.Truncate(c.logPath, 0))
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// logTail returns the last lines written at or after offset.
func (c *Cluster) logTail(offset int64, lines int) string {
	f, err := os.Open(c.logPath)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	if info.Size() < offset { // rotated since
		offset = 0
	}
	offset = max(offset, info.Size()-16<<10)
	text, err := io.ReadAll(io.NewSectionReader(f, offset, info.Size()-offset))
	if err != nil {
		return ""
	}
	return lastLines(string(text), lines)
}

func (c *Cluster) logSize() int64 {
	info, err := os.Stat(c.logPath)
	if err != nil {
		return 0
	}
	return info.Size()
}

func lastLines(text string, n int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}
