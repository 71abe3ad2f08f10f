package shelters

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/registry"
)

//go:embed queries/*.sql
var files embed.FS

// Queries returns the package's statements for the schema test.
func Queries() (db.Queries, error) { return db.LoadQueries(files, "queries") }

// Options of a service.
type Options struct {
	DB        *db.DB
	Catalogue interface{ Now() *registry.Snapshot }
	Logger    *slog.Logger
	Now       func() time.Time
}

// Service works with shelters. Everything goes through the intake pool: beds do not wait
// behind tiles.
type Service struct {
	db        *db.DB
	queries   db.Queries
	catalogue interface{ Now() *registry.Snapshot }
	log       *slog.Logger
	now       func() time.Time
}

// Open makes the service.
func Open(o Options) (*Service, error) {
	q, err := Queries()
	if err != nil {
		return nil, err
	}
	s := &Service{db: o.DB, queries: q, catalogue: o.Catalogue, log: o.Logger, now: o.Now}
	if o.DB == nil || o.Catalogue == nil {
		return nil, errors.New("shelters: a database and a catalogue are needed")
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

// Rules are the ages of shelter_rules.
type Rules struct{ OpenStale, FullStale, Reservation time.Duration }

// Rules are those in force.
func (s *Service) Rules() Rules {
	body := struct {
		Open        int `json:"open_stale_min"`
		Full        int `json:"full_stale_min"`
		Reservation int `json:"reservation_min"`
	}{120, 120, 360}
	if rule, ok := s.catalogue.Now().Rules["shelter_rules"]; ok {
		_ = json.Unmarshal(rule.Body, &body) // a body that does not fit leaves the defaults
	}
	minutes := func(n, usual int) time.Duration {
		if n <= 0 {
			n = usual
		}
		return time.Duration(n) * time.Minute
	}
	return Rules{minutes(body.Open, 120), minutes(body.Full, 120), minutes(body.Reservation, 360)}
}

// grant is the smallest grant with one of the permissions that contains the scope.
func (s *Service) grant(who *auth.Identity, scope geo.Scope, any ...auth.Permission) (auth.Grant, error) {
	for _, p := range any {
		if g, ok := who.Grant(p, scope, s.now()); ok {
			return g, nil
		}
	}
	return auth.Grant{}, auth.ErrForbidden
}

// faults collects what is wrong with a request.
type faults []auth.Fault

func (f *faults) add(path, code, zh, en string) {
	*f = append(*f, auth.Fault{Path: path, Code: code, ZH: zh, EN: en})
}

// text trims and bounds what somebody wrote.
func (f *faults) text(path, s string, least, most int) string {
	s = strings.TrimSpace(s)
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		f.add(path, "not_text", "含有无效字符", "it is not text")
	case n == 0 && least > 0:
		f.add(path, "required", "请填写", "it is needed")
	case n < least || n > most:
		f.add(path, "length", "过短或过长", "too short or too long")
	}
	return s
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &auth.Invalid{Items: f}
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("shelters: %s: %w", what, err)
}
