package blobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"onemap/internal/auth"
)

// State is how much of a file is here. Offset is where the next piece begins.
type State struct {
	SHA256   string
	Offset   int64
	Complete bool
}

// Piece is the next part of a file: the bytes of the file at Path, Size of them, which
// begin at Offset of a file that will be Length long.
type Piece struct {
	SHA256         string
	Offset, Length int64
	Path           string
	Size           int64
}

// maySend says whether somebody may send files: a person who writes something.
func (s *Service) maySend(who *auth.Identity) error {
	if !who.SignedIn() || who.Account == "" || who.Kind != auth.Session && who.Kind != auth.Device {
		return ErrForbidden
	}
	now := s.opts.Now()
	if !slices.ContainsFunc(who.Grants, func(g auth.Grant) bool {
		info, ok := g.Role.Info()
		return ok && (info.Writes || g.Role == auth.Unit) && g.Valid(now)
	}) {
		return ErrForbidden
	}
	return nil
}

// awaited says whether something of the person's own that was taken names the photo.
func (s *Service) awaited(ctx context.Context, who *auth.Identity, sha []byte) (bool, error) {
	if !who.SignedIn() || who.Account == "" || who.Kind != auth.Session && who.Kind != auth.Device {
		return false, nil
	}
	return s.store.awaited(ctx, sha, who.Account)
}

// Put takes a piece. When it is the last one the file is checked, put on the disk for
// good and remembered as the sender's; only then the answer says complete. A repeated
// last piece is answered like the first.
func (s *Service) Put(ctx context.Context, who *auth.Identity, p Piece) (State, error) {
	sha, err := ParseName(p.SHA256)
	if err != nil {
		return State{}, err
	}
	if err := s.maySend(who); err != nil {
		// Whose grant ended while he was out is heard, and so are the photos of what was taken.
		if awaited, aerr := s.awaited(ctx, who, sha); aerr != nil || !awaited {
			return State{}, errors.Join(err, aerr)
		}
	}
	switch {
	case p.Length > MaxBytes || p.Size > MaxPiece:
		return State{}, ErrTooLarge
	case p.Length <= 0 || p.Offset < 0 || p.Size < 0 || p.Offset+p.Size > p.Length:
		return State{}, ErrLength
	}
	if done, ok, err := s.mine(ctx, who, p.SHA256, sha); err != nil || ok {
		return done, err
	}
	path := s.partial(who.Account, p.SHA256)
	if p.Offset == 0 {
		if err := s.mayBegin(ctx, who, path); err != nil {
			return State{}, err
		}
	}
	f, waited, err := lockPartial(ctx, path)
	if err != nil {
		return State{}, err
	}
	defer f.Close()
	begun, err := f.Stat()
	if err != nil {
		return State{}, fmt.Errorf("blobs: %w", err)
	}
	if waited || begun.Size() == 0 {
		// Another request may have ended it since we looked, and what we would begin here
		// nobody would come back for.
		done, ok, err := s.mine(ctx, who, p.SHA256, sha)
		if ok {
			drop(path)
		}
		if err != nil || ok {
			return done, err
		}
	}
	end, err := s.append(f, path, p)
	if err != nil {
		return State{}, err
	}
	state := State{SHA256: p.SHA256, Offset: end}
	h, err := s.look(f, path, end, end == p.Length)
	if err != nil {
		return State{}, err
	}
	if end < p.Length {
		if end == 0 {
			drop(path) // a piece of nothing begins nothing
		}
		return state, nil
	}
	if err := verify(f, p.SHA256); err != nil {
		drop(path)
		return State{}, err
	}
	if err := s.settle(f, path, p.SHA256); err != nil {
		return State{}, err
	}
	if err := s.store.keep(ctx, sha, end, h, who); err != nil {
		return State{}, err
	}
	drop(path)
	state.Complete = true
	return state, nil
}

// mine says whether the asker sent the whole file already, and it is still there.
func (s *Service) mine(ctx context.Context, who *auth.Identity, name string, sha []byte) (State, bool, error) {
	r, ok, err := s.store.blob(ctx, sha, who.Account)
	if err != nil || !ok || !r.owned {
		return State{}, false, err
	}
	if !s.onDisk(name, r.size) {
		return State{}, false, nil // lost from the disk: it may be sent again
	}
	return State{SHA256: name, Offset: r.size, Complete: true}, true, nil
}

// onDisk says whether the whole file is where it belongs.
func (s *Service) onDisk(name string, size int64) bool {
	info, err := os.Stat(s.final(name))
	return err == nil && info.Size() == size
}

// mayBegin bounds what one person may leave here.
func (s *Service) mayBegin(ctx context.Context, who *auth.Identity, path string) error {
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	begun, err := os.ReadDir(filepath.Dir(path))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("blobs: %w", err)
	}
	if len(begun) >= maxUnfinished {
		return ErrTooMany
	}
	n, err := s.store.loose(ctx, who.Account, maxLoose)
	if err != nil {
		return err
	}
	if n >= maxLoose {
		return ErrTooMany
	}
	return nil
}

// append puts the piece at the end of the file, whole or not at all.
func (s *Service) append(f *os.File, path string, p Piece) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("blobs: %w", err)
	}
	have := info.Size()
	if have != p.Offset {
		if have == 0 {
			drop(path) // made by asking for it
		}
		return 0, &OffsetError{Offset: have}
	}
	if p.Size == 0 {
		return have, nil
	}
	undo := func(err error) (int64, error) {
		if have == 0 {
			drop(path)
		} else if terr := f.Truncate(have); terr != nil {
			err = errors.Join(err, terr)
		}
		return 0, diskError(err)
	}
	if err := s.room(); err != nil {
		return undo(err)
	}
	piece, err := os.Open(p.Path)
	if err != nil {
		return undo(err)
	}
	defer piece.Close()
	if _, err := f.Seek(have, io.SeekStart); err != nil {
		return undo(err)
	}
	n, err := io.Copy(f, io.LimitReader(piece, p.Size))
	if err == nil && n != p.Size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return undo(err)
	}
	return have + n, nil
}

// drop forgets a half-finished file. It is locked, so its name still means it. It is not
// cut: a whole one is the same file as that in its place.
func drop(path string) {
	_ = os.Remove(path) // if it stays, the sweep takes it
}

// look refuses what is no image of ours as early as its bytes show it: of a file that
// says by its header that it has too many pixels, the rest need not be sent.
func (s *Service) look(f *os.File, path string, n int64, whole bool) (header, error) {
	if n == 0 {
		return header{}, nil
	}
	h, err := readHeader(f, n)
	switch {
	case h.pixels() > MaxPixels:
		drop(path)
		return h, ErrPixels
	case errors.Is(err, errForeign), whole && errors.Is(err, errShort):
		drop(path)
		return h, ErrImage
	case err != nil && !errors.Is(err, errShort):
		return h, fmt.Errorf("blobs: %w", err)
	}
	return h, nil
}

// verify reads the whole file and compares its hash with its name.
func verify(f *os.File, name string) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("blobs: %w", err)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return fmt.Errorf("blobs: %w", err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != name {
		return ErrHash
	}
	return nil
}

// MaxNames is how many photos may be asked for at once.
const MaxNames = 1000

// Missing says which of these the asker has not sent whole, and where each goes on.
func (s *Service) Missing(ctx context.Context, who *auth.Identity, names []string) ([]State, error) {
	if err := s.maySend(who); err != nil {
		return nil, err
	}
	shas := make([][]byte, len(names))
	for i, name := range names {
		b, err := ParseName(name)
		if err != nil {
			return nil, err
		}
		shas[i] = b
	}
	have, err := s.store.owned(ctx, who.Account, shas)
	if err != nil {
		return nil, err
	}
	out := []State{}
	seen := map[string]bool{}
	for i, name := range names {
		if seen[name] {
			continue
		}
		seen[name] = true
		if size, ok := have[string(shas[i])]; ok && s.onDisk(name, size) {
			continue
		}
		out = append(out, State{SHA256: name, Offset: s.begun(who, name)})
	}
	return out, nil
}

// begun is how much of a file of the asker's is here.
func (s *Service) begun(who *auth.Identity, name string) int64 {
	if who == nil || who.Account == "" {
		return 0
	}
	info, err := os.Lstat(s.partial(who.Account, name))
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	return info.Size()
}
