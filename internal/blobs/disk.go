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
// process off it until it is closed. waited says that another had it before.
func lockPartial(ctx context.Context, path string) (f *os.File, waited bool, err error) {
	deadline := time.Now().Add(lockWait)
	for {
		f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if errors.Is(err, os.ErrNotExist) {
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				return nil, waited, diskError(err)
			}
			continue
		}
		if err != nil {
			return nil, waited, diskError(err)
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			// Whoever had it may have finished or dropped it: then this is no file any more.
			there, statErr := os.Stat(path)
			own, ownErr := f.Stat()
			if statErr == nil && ownErr == nil && os.SameFile(there, own) {
				return f, waited, nil
			}
			waited = true
			f.Close()
			if time.Now().After(deadline) {
				return nil, waited, ErrBusy
			}
			continue
		}
		waited = true
		f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, waited, fmt.Errorf("blobs: lock: %w", err)
		}
		if time.Now().After(deadline) {
			return nil, waited, ErrBusy
		}
		select {
		case <-ctx.Done():
			return nil, waited, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// settle puts a whole file in its place so that it is there after a power cut: the
// bytes first, then the name, then the directories that hold the name.
func (s *Service) settle(f *os.File, path, sha256 string) error {
	if err := f.Sync(); err != nil {
		return diskError(err)
	}
	to := s.final(sha256)
	switch err := os.Mkdir(filepath.Dir(to), 0o700); {
	case err == nil:
		err = syncDir(s.opts.Dir)
		if err != nil {
			return errors.Join(diskError(err), os.Remove(filepath.Dir(to)))
		}
	case !errors.Is(err, os.ErrExist):
		return diskError(err)
	}
	// A second name, which takes the place of whatever is there. The first one stays until
	// the file is remembered: who sends the same file at this moment waits for the lock on
	// it, and after a crash the next request finds it whole and ends it.
	second := path + ".whole"
	_ = os.Remove(second) // of a process that ended here
	if err := os.Link(path, second); err != nil {
		return diskError(err)
	}
	if err := os.Rename(second, to); err != nil {
		return diskError(err)
	}
	_ = os.Remove(second) // it is still there where both were one file already
	return diskError(syncDir(filepath.Dir(to)))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
