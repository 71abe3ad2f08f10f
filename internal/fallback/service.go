package fallback

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/registry"
	"onemap/internal/restricted"
)

//go:embed queries/*.sql
var files embed.FS

// Queries returns the package's statements for the schema test.
func Queries() (db.Queries, error) { return db.LoadQueries(files, "queries") }

// ErrNoPlace means no second place is configured: nothing can be written.
var ErrNoPlace = errors.New("fallback: no second place is configured")

// Options of a service.
type Options struct {
	DB        *db.DB
	Catalogue interface{ Now() *registry.Snapshot }
	Contacts  *restricted.Store
	KeyFile   string // in the data folder
	Dir       string // the second place; "" writes none
	Logger    *slog.Logger
	Now       func() time.Time
}

// Service writes packages.
type Service struct {
	db        *db.DB
	queries   db.Queries
	catalogue interface{ Now() *registry.Snapshot }
	contacts  *restricted.Store
	keyFile   string
	dir       string
	log       *slog.Logger
	now       func() time.Time
	writing   sync.Mutex // one at a time: a package is megabytes of paper
}

// Open makes the service.
func Open(o Options) (*Service, error) {
	q, err := Queries()
	if err != nil {
		return nil, err
	}
	s := &Service{db: o.DB, queries: q, catalogue: o.Catalogue, contacts: o.Contacts, keyFile: o.KeyFile, dir: o.Dir, log: o.Logger, now: o.Now}
	if o.DB == nil || o.Catalogue == nil || o.Contacts == nil || o.KeyFile == "" {
		return nil, errors.New("fallback: a database, a catalogue, the contacts and a place for the key are needed")
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

// Rules are those of the rule set fallback_package.
type Rules struct {
	Hour, Minute int // of the night
	Keep         int // packages of an area in the second place
	Warn         time.Duration
}

// Rules are those in force.
func (s *Service) Rules() Rules {
	body := struct {
		At   string  `json:"at"`
		Keep int     `json:"keep"`
		Warn float64 `json:"warn_age_h"`
	}{"02:30", 7, 26}
	if rule, ok := s.catalogue.Now().Rules["fallback_package"]; ok {
		_ = json.Unmarshal(rule.Body, &body) // a body that does not fit leaves the defaults
	}
	at, err := time.Parse("15:04", body.At)
	if err != nil {
		at = time.Date(0, 1, 1, 2, 30, 0, 0, time.UTC)
	}
	return Rules{at.Hour(), at.Minute(), max(body.Keep, 1), time.Duration(max(body.Warn, 1) * float64(time.Hour))}
}

// SetPassphrase makes the key packages are encrypted with from now on. Those written
// before open with the passphrase they were written with.
func (s *Service) SetPassphrase(passphrase string) (Key, error) {
	k, err := NewKey(passphrase, s.now())
	if errors.Is(err, ErrWeak) {
		return Key{}, &auth.Invalid{Items: []auth.Fault{{Path: "passphrase", Code: "too_short", ZH: "口令至少 12 个字符", EN: "the passphrase has at least 12 characters"}}}
	}
	if err == nil {
		err = k.write(s.keyFile)
	}
	return k, wrap("passphrase", err)
}

// Ready says whether a package can be written; the errors say what is missing.
func (s *Service) Ready() (Key, error) {
	if s.dir == "" {
		return Key{}, ErrNoPlace
	}
	k, err := readKey(s.keyFile)
	return k, wrap("key", err)
}

// Package is a package that was written, or an attempt that failed.
type Package struct {
	ID, Area, File, SHA256, Actor, Reason, Failed string
	Bytes                                         int64
	Counts                                        map[string]int
	Automatic                                     bool
	AsOf, MadeAt                                  time.Time
}

// fileName is what a package is called: what it is, where, when.
func fileName(area string, at time.Time) string {
	if area == "" {
		area = "all"
	}
	return fmt.Sprintf("onemap-fallback-%s-%s.html", area, at.Format("20060102-150405"))
}

// prune leaves the newest packages of an area in the second place.
func (s *Service) prune(area string, keep int) error {
	if area == "" {
		area = "all"
	}
	list, err := filepath.Glob(filepath.Join(s.dir, "onemap-fallback-"+area+"-*.html"))
	if err != nil {
		return err
	}
	slices.Sort(list) // by time
	for len(list) > keep {
		if err := os.Remove(list[0]); err != nil {
			return err
		}
		list = list[1:]
	}
	return nil
}

// Run writes the nightly package at its time until the context ends. areas are those of
// the grants packages are made for; the whole in one file.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := s.Nightly(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("fallback: tonight's package was not written", "err", err)
			}
		}
	}
}

// Nightly writes the package of the night once its hour has come, if no node has. One that
// was missed, because the server stood still, is made as soon as it stands again.
func (s *Service) Nightly(ctx context.Context) error {
	if _, err := s.Ready(); errors.Is(err, ErrNoPlace) || errors.Is(err, ErrNoPassphrase) {
		return nil // said by check and by the list; a log line every minute helps nobody
	} else if err != nil {
		return err
	}
	r, zone := s.Rules(), s.catalogue.Now().Location()
	now := s.now().In(zone)
	due := time.Date(now.Year(), now.Month(), now.Day(), r.Hour, r.Minute, 0, 0, zone)
	if now.Before(due) {
		due = due.AddDate(0, 0, -1)
	}
	mine, err := s.begin(ctx, due)
	if err != nil || !mine {
		return wrap("nightly", err)
	}
	_, err = s.Make(ctx, Order{Claims: db.System("onemap"), Automatic: true, Reason: "每日兜底包 nightly fallback package", By: "onemap"}, func(int, int, string) {})
	return err
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("fallback: %s: %w", what, err)
}

// clip bounds what is written of an error.
func clip(s string) string {
	if r := []rune(s); len(r) > 500 {
		s = string(r[:500])
	}
	return strings.ToValidUTF8(s, "")
}
