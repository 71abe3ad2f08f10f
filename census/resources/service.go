package resources

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

// Service works with what command sends. Everything goes through the intake pool: orders do not wait
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
		return nil, errors.New("resources: a database and a catalogue are needed")
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

// Rules are those of forces and of blocked roads.
type Rules struct {
	TeamStale, Acknowledge time.Duration // of shelter_rules
	Trunk                  time.Duration // within which a trunk road is open again
	TrunkClasses           []string
	WithinM                float64 // how near a block lies to the road it blocks
}

// Rules are those in force.
func (s *Service) Rules() Rules {
	forces := struct {
		TeamStale   int `json:"team_stale_min"`
		Acknowledge int `json:"acknowledge_min"`
	}{15, 10}
	roads := struct {
		Hours   float64  `json:"trunk_hours"`
		Classes []string `json:"classes"`
		Within  float64  `json:"within_m"`
	}{8, []string{"expressway", "national", "provincial"}, 60}
	rules := s.catalogue.Now().Rules
	// A body that does not fit leaves the defaults.
	if rule, ok := rules["shelter_rules"]; ok {
		_ = json.Unmarshal(rule.Body, &forces)
	}
	if rule, ok := rules["road_block_rules"]; ok {
		_ = json.Unmarshal(rule.Body, &roads)
	}
	return Rules{
		TeamStale: time.Duration(max(forces.TeamStale, 1)) * time.Minute, Acknowledge: time.Duration(max(forces.Acknowledge, 1)) * time.Minute,
		Trunk: time.Duration(max(roads.Hours, 0.1) * float64(time.Hour)), TrunkClasses: roads.Classes, WithinM: min(max(roads.Within, 0), 1000),
	}
}

// code says whether a list has a code.
func (s *Service) code(list, code string) bool {
	l, ok := s.catalogue.Now().CodeLists[list]
	if !ok {
		return false
	}
	_, ok = l.Item(code)
	return ok
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
	return fmt.Errorf("resources: %s: %w", what, err)
}
