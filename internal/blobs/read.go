package blobs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"

	"onemap/internal/auth"
	"onemap/internal/db"
)

// Photo is an open file; whoever gets it closes it.
type Photo struct {
	File *os.File
	Size int64
	Type string
}

// State says how much of a file is here, to somebody who may read it or is sending it.
// For everybody else there is none of it.
func (s *Service) State(ctx context.Context, who *auth.Identity, name string) (State, error) {
	sha, err := ParseName(name)
	if err != nil {
		return State{}, ErrAbsent
	}
	r, found, err := s.store.blob(ctx, sha, who.Account)
	if err != nil {
		return State{}, err
	}
	if found {
		ok, err := s.readable(ctx, who, sha, r)
		if err != nil {
			return State{}, err
		}
		if ok && s.onDisk(name, r.size) {
			return State{SHA256: name, Offset: r.size, Complete: true}, nil
		}
	}
	if n := s.begun(who, name); n > 0 {
		return State{SHA256: name, Offset: n}, nil
	}
	return State{}, ErrAbsent
}

// Photo opens a photo the asker may read: the original, or with a size a small picture
// whose longer side has that many pixels at most.
func (s *Service) Photo(ctx context.Context, who *auth.Identity, name string, size int) (*Photo, error) {
	sha, err := ParseName(name)
	if err != nil {
		return nil, ErrAbsent
	}
	r, found, err := s.store.blob(ctx, sha, who.Account)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, ErrAbsent
	}
	ok, err := s.readable(ctx, who, sha, r)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrAbsent
	}
	if size > 0 {
		return s.picture(ctx, name, size)
	}
	f, err := os.Open(s.final(name))
	if err != nil {
		// The table has it and the disk has not: a disk that is not mounted, a restore of
		// the database alone. That is no client's mistake.
		return nil, fmt.Errorf("blobs: %w", err)
	}
	info, err := f.Stat()
	if err != nil || info.Size() != r.size {
		f.Close()
		return nil, errors.Join(fmt.Errorf("blobs: %s has another size than it had", name), err)
	}
	return &Photo{File: f, Size: r.size, Type: r.mime}, nil
}

var uuidText = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// readable says whether the asker sent the photo or may read something that refers to it.
func (s *Service) readable(ctx context.Context, who *auth.Identity, sha []byte, r row) (bool, error) {
	if who == nil {
		return false, nil
	}
	if r.owned && who.SignedIn() {
		return true, nil
	}
	refs, err := s.store.refs(ctx, sha)
	if err != nil {
		return false, err
	}
	for _, ref := range refs {
		ok, err := s.sees(ctx, who, ref)
		if err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

// source says where the records of a kind are. A photo is never more public than
// internal: there are people in it.
func (s *Service) source(kind string) Source {
	if src, ok := s.opts.Kinds[kind]; ok {
		return src
	}
	src := Source{Table: kind, Visibility: db.Internal}
	if l, ok := s.opts.Catalogue.Now().Layer(kind); ok && l.Own {
		src.Table = l.Table
		if db.Protection(l.Visibility) > db.Protection(db.Internal) {
			src.Visibility = l.Visibility
		}
	}
	return src
}

// sees says whether the asker may read the record. While it is there its own row decides:
// by its policies, and by where it is. A record that is not there (deleted, or still in
// quarantine) is judged by where it was when it referred to the photo.
func (s *Service) sees(ctx context.Context, who *auth.Identity, r ref) (bool, error) {
	src := s.source(r.kind)
	if src.Readable != nil {
		return src.Readable(ctx, who, r.object)
	}
	if src.Also != nil {
		if ok, err := src.Also(ctx, who, r.object); err != nil || ok {
			return ok, err
		}
	}
	areas := who.Reach.Of(src.Visibility)
	if len(areas) == 0 {
		return false, nil
	}
	if uuidText.MatchString(r.object) {
		scope, there, err := s.store.rowScope(ctx, who.Reading(), src.Table, r.object)
		if err != nil || there {
			return areas.Overlaps(scope), err
		}
		if _, there, err = s.store.rowScope(ctx, db.System("blobs"), src.Table, r.object); err != nil || there {
			return false, err
		}
	}
	if who.Reach.Demo() {
		return false, nil // what is not there is no row of a demonstration
	}
	return slices.ContainsFunc(r.scopes, areas.Overlaps), nil
}
