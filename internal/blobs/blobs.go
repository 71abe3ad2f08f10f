package blobs

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/singleflight"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/registry"
)

// Bounds of a photo.
const (
	MaxBytes  = 20 << 20   // whole
	MaxPiece  = 4 << 20    // in one request
	MaxPixels = 50_000_000 // by the header
	// unfinishedFor is how long a half-finished file waits for the rest.
	unfinishedFor = 14 * 24 * time.Hour
	// maxUnfinished and maxLoose bound what one person may leave here without a record that
	// refers to it.
	maxUnfinished = 500
	maxLoose      = 2000
	// pieceFor is how long a piece may lie between its arrival and its place.
	pieceFor = time.Hour
)

var (
	// ErrAbsent: there is no such photo, or none the asker may see.
	ErrAbsent = errors.New("blobs: no such photo")
	// ErrName: that is not a SHA-256 in small hexadecimal digits.
	ErrName = errors.New("blobs: not a SHA-256")
	// ErrFull: the disk is full, or so nearly that the rest is kept for the database.
	ErrFull = errors.New("blobs: the disk is full")
	// ErrBusy: another request is writing the same file.
	ErrBusy = errors.New("blobs: the file is being written by another request")
	// ErrForbidden: the asker may not send files.
	ErrForbidden = errors.New("blobs: nothing may be sent")
	// ErrTooLarge: the file is, or will be, larger than [MaxBytes].
	ErrTooLarge = errors.New("blobs: the file is too large")
	// ErrTooMany: the sender left too much here that no record refers to.
	ErrTooMany = errors.New("blobs: too many files without a record")
	// ErrHash: the bytes are not those of the name; they are gone.
	ErrHash = errors.New("blobs: the bytes do not have this hash")
	// ErrImage: the bytes are not an image of ours; they are gone.
	ErrImage = errors.New("blobs: not an image")
	// ErrPixels: the image has more than [MaxPixels]; its bytes are gone.
	ErrPixels = errors.New("blobs: too many pixels")
	// ErrLength: the piece goes beyond the announced length.
	ErrLength = errors.New("blobs: longer than announced")
	// ErrPicture: the photo cannot be decoded, so there is no small picture of it.
	ErrPicture = errors.New("blobs: the photo cannot be decoded")
)

// OffsetError says where a piece has to begin that does not begin where the file ends.
type OffsetError struct{ Offset int64 }

func (e *OffsetError) Error() string {
	return fmt.Sprintf("blobs: the next piece begins at %d", e.Offset)
}

// Source says where the records of a kind are, for kinds whose table is not a layer of
// the same name.
type Source struct {
	Table      string
	Visibility string // of a layer with the same protection
	// Readable decides instead, where more than place and protection does.
	Readable func(ctx context.Context, who *auth.Identity, id string) (bool, error)
	// Also lets somebody read beside those whom place and protection do: a unit what is
	// assigned to it.
	Also func(ctx context.Context, who *auth.Identity, id string) (bool, error)
}

// Options of the store. DB, Dir and Catalogue are needed.
type Options struct {
	DB        *db.DB
	Dir       string
	Catalogue interface{ Now() *registry.Snapshot }
	Kinds     map[string]Source
	// MinFree is what photos leave free on the disk, default 512 MiB: a report without its
	// photo is worth more than a photo without its report.
	MinFree int64
	Logger  *slog.Logger
	Now     func() time.Time
}

// Service takes, keeps and gives photos.
type Service struct {
	opts    Options
	store   *store
	small   singleflight.Group
	drawing chan struct{} // small pictures being made
}

// Open makes the directory and the service.
func Open(opts Options) (*Service, error) {
	if opts.DB == nil || opts.Dir == "" || opts.Catalogue == nil {
		return nil, errors.New("blobs: Options need DB, Dir and Catalogue")
	}
	if opts.MinFree == 0 {
		opts.MinFree = 512 << 20
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	st, err := openStore(opts.DB)
	if err != nil {
		return nil, err
	}
	for _, d := range []string{"", partialDir, incomingDir} {
		if err := os.MkdirAll(filepath.Join(opts.Dir, d), 0o700); err != nil {
			return nil, fmt.Errorf("blobs: %w", err)
		}
	}
	return &Service{opts: opts, store: st, drawing: make(chan struct{}, 2)}, nil
}

// ParseName reads a hash as it stands in an address.
func ParseName(sha256 string) ([]byte, error) {
	if len(sha256) != 64 {
		return nil, ErrName
	}
	for _, c := range []byte(sha256) {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			return nil, ErrName
		}
	}
	b, err := hex.DecodeString(sha256)
	if err != nil {
		return nil, ErrName
	}
	return b, nil
}

// Run forgets what nobody finished, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	for {
		s.sweep(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Hour):
		}
	}
}

// sweep removes half-finished files after fourteen days, at once those whose sender has
// sent them whole, and pieces that were left lying by a process that ended. Whole files
// are never touched, but where the process ended before anybody was told of one and its
// sender never came again.
func (s *Service) sweep(ctx context.Context) {
	now := s.opts.Now()
	for pattern, age := range map[string]time.Duration{
		filepath.Join(partialDir, "*", "*"): unfinishedFor, filepath.Join(incomingDir, "*"): pieceFor,
	} {
		paths, err := filepath.Glob(filepath.Join(s.opts.Dir, pattern))
		if err != nil {
			s.opts.Logger.Error("blobs: sweep", "err", err)
			continue
		}
		for _, path := range paths {
			info, err := os.Lstat(path)
			if err != nil || !info.Mode().IsRegular() {
				continue
			}
			if now.Sub(info.ModTime()) < age {
				s.forgetEnded(ctx, path)
				continue
			}
			if !s.forgetUntold(ctx, path) {
				continue // another time
			}
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				s.opts.Logger.Warn("blobs: an unfinished file stays", "err", err)
			}
		}
	}
}

// forgetEnded removes the half-finished name of a file that its sender has sent whole: the
// process ended between remembering the file and dropping that name.
func (s *Service) forgetEnded(ctx context.Context, path string) {
	name, account := filepath.Base(path), filepath.Base(filepath.Dir(path))
	sha, err := ParseName(name)
	if err != nil || path != s.partial(account, name) {
		return
	}
	r, ok, err := s.store.blob(ctx, sha, account)
	if err != nil || !ok || !r.owned || !s.onDisk(name, r.size) {
		return
	}
	f, _, err := lockPartial(ctx, path)
	if err != nil {
		return // its sender is here again
	}
	defer f.Close()
	drop(path)
}

// forgetUntold removes the whole file that a half-finished one is a second name of, where
// the table does not know it. False: it cannot be told now.
func (s *Service) forgetUntold(ctx context.Context, path string) bool {
	sha, err := ParseName(filepath.Base(path))
	if err != nil {
		return true
	}
	final := s.final(filepath.Base(path))
	half, err := os.Lstat(path)
	if err != nil {
		return true
	}
	whole, err := os.Lstat(final)
	if err != nil || !os.SameFile(half, whole) {
		return true
	}
	f, _, err := lockPartial(ctx, path)
	if err != nil {
		return false // its sender is here again
	}
	defer f.Close()
	_, known, err := s.store.blob(ctx, sha, "")
	if err != nil || known {
		return err == nil
	}
	if err := os.Remove(final); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.opts.Logger.Warn("blobs: a file nobody knows stays", "err", err)
	}
	return true
}
