package blobs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	partialDir  = "partial"  // <account>/<sha256>: half-finished, grows in place
	incomingDir = "incoming" // pieces on their way
)

// final is where a whole file lies.
func (s *Service) final(sha256 string) string {
	return filepath.Join(s.opts.Dir, sha256[:2], sha256[2:])
}

func (s *Service) partial(account, sha256 string) string {
	return filepath.Join(s.opts.Dir, partialDir, account, sha256)
}

// Incoming makes an empty file for a piece, on the same disk as everything else.
func (s *Service) Incoming() (*os.File, error) {
	if err := s.room(); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Join(s.opts.Dir, incomingDir), "piece-")
	if err != nil {
		return nil, diskError(err)
	}
	return f, nil
}

// room says whether the disk may take more photos.
func (s *Service) room() error {
	var st unix.Statfs_t
	if err := unix.Statfs(s.opts.Dir, &st); err != nil {
		return fmt.Errorf("blobs: free space: %w", err)
	}
	if int64(st.Bavail)*st.Frsize < s.opts.MinFree {
		return ErrFull
	}
	return nil
}

// diskError tells a full disk from other trouble.
func diskError(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return errors.Join(ErrFull, err)
	}
	return fmt.Errorf("blobs: %w", err)
}

// lockWait is how long a piece waits for another piece of the same file.
const lockWait = 10 * time.Second

// lockPartial opens a half-finished file, or makes it, and keeps every other request and
// process off it until it is closed.
func lockPartial(ctx context.Context, path string) (*os.File, error) {
	deadline := time.Now().Add(lockWait)
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if errors.Is(err, os.ErrNotExist) {
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				return nil, diskError(err)
			}
			continue
		}
		if err != nil {
			return nil, diskError(err)
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			// Whoever had it may have finished or dropped it: then this is no file any more.
			there, statErr := os.Stat(path)
			own, ownErr := f.Stat()
			if statErr == nil && ownErr == nil && os.SameFile(there, own) {
				return f, nil
			}
			f.Close()
			if time.Now().After(deadline) {
				return nil, ErrBusy
			}
			continue
		}
		f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, fmt.Errorf("blobs: lock: %w", err)
		}
		if time.Now().After(deadline) {
			return nil, ErrBusy
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// settle moves a whole file to its place so that it is there after a power cut: the
// bytes first, then the name, then the directories that hold the name.
func (s *Service) settle(f *os.File, path, sha256 string) error {
	if err := f.Sync(); err != nil {
		return diskError(err)
	}
	to := s.final(sha256)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return diskError(err)
	}
	if err := os.Rename(path, to); err != nil {
		return diskError(err)
	}
	for _, dir := range []string{filepath.Dir(to), s.opts.Dir} {
		if err := syncDir(dir); err != nil {
			return diskError(err)
		}
	}
	return nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
