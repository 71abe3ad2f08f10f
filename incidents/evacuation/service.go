package evacuation

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/decision"
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
	// Order writes an emergency order into the ledger and does what it says in the same
	// transaction.
	Order  func(ctx context.Context, by auth.By, o decision.Order) (decision.Decision, error)
	Logger *slog.Logger
	Now    func() time.Time
}

// Service calls people out and keeps the board. Everything goes through the intake pool.
type Service struct {
	db        *db.DB
	queries   db.Queries
	catalogue interface{ Now() *registry.Snapshot }
	order     func(ctx context.Context, by auth.By, o decision.Order) (decision.Decision, error)
	log       *slog.Logger
	now       func() time.Time
}

// Open makes the service.
func Open(o Options) (*Service, error) {
	q, err := Queries()
	if err != nil {
		return nil, err
	}
	if o.DB == nil || o.Catalogue == nil || o.Order == nil {
		return nil, errors.New("evacuation: a database, a catalogue and a ledger are needed")
	}
	s := &Service{db: o.DB, queries: q, catalogue: o.Catalogue, order: o.Order, log: o.Logger, now: o.Now}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

// Rules are the rule set call_out_rules.
type Rules struct {
	Due           map[string]int     `json:"due_s"`
	Factor        map[string]float64 `json:"level_factor"`
	LostAfter     int                `json:"lost_after_s"`
	HouseholdsMax int                `json:"households_max"`
	Radius        float64            `json:"incident_radius_m"`
}

func (s *Service) rules() Rules {
	var r Rules
	if rule, ok := s.catalogue.Now().Rules["call_out_rules"]; ok {
		if err := json.Unmarshal(rule.Body, &r); err != nil {
			s.log.Warn("evacuation: the rule set call_out_rules cannot be read", "err", err)
		}
	}
	if r.LostAfter <= 0 {
		r.LostAfter = 1800
	}
	if r.HouseholdsMax <= 0 {
		r.HouseholdsMax = 500
	}
	if r.Radius <= 0 {
		r.Radius = 500
	}
	return r
}

// due is how long somebody may take to answer: shorter, the worse it is.
func (r Rules) due(who string, level *int) time.Duration {
	seconds := r.Due[who]
	if seconds <= 0 {
		seconds = 300
	}
	f := 1.0
	if level != nil {
		if x := r.Factor[strconv.Itoa(*level)]; x > 0 {
			f = x
		}
	}
	return time.Duration(float64(seconds) * f * float64(time.Second))
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("evacuation: %s: %w", what, err)
}

func person(who *auth.Identity) bool { return who.SignedIn() && who.Account != "" }

func invalid(path, code, zh, en string) error {
	return &auth.Invalid{Items: []auth.Fault{{Path: path, Code: code, ZH: zh, EN: en}}}
}

func clash(code, zh, en string) error { return &auth.Conflict{Code: code, ZH: zh, EN: en} }

// words is a text as it is kept.
func words(s string, least, most int) (string, bool) {
	s = strings.TrimSpace(s)
	n := utf8.RuneCountInString(s)
	return s, n >= least && n <= most && utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

func null(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// grantFor is the smallest grant with a permission that contains an area.
func grantFor(who *auth.Identity, p auth.Permission, area geo.Scope, now time.Time) (best auth.Grant, found bool) {
	if !person(who) {
		return best, false
	}
	for _, g := range who.Grants {
		s := g.Scope()
		if !g.Valid(now) || !g.Role.May(p) || !s.Contains(area) {
			continue
		}
		if b := best.Scope(); !found || s.Hi-s.Lo < b.Hi-b.Lo {
			best, found = g, true
		}
	}
	return best, found
}

// common is the smallest unit that holds all of the codes, "" where none does.
func common(codes []string) string {
	if len(codes) == 0 {
		return ""
	}
	p := codes[0]
	for _, c := range codes[1:] {
		n := 0
		for n < len(p) && n < len(c) && p[n] == c[n] {
			n++
		}
		p = p[:n]
	}
	lengths := []int{15, 12, 9, 6, 4, 2}
	if n := len(codes[0]); n == 5 || n == 8 || n == 11 {
		lengths = []int{11, 8, 5}
	}
	for _, n := range lengths {
		if len(p) >= n {
			return p[:n]
		}
	}
	return ""
}
