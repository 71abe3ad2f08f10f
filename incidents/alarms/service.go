package alarms

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/registry"
)

//go:embed queries/*.sql
var files embed.FS

// Queries returns the package's statements for the schema test.
func Queries() (db.Queries, error) { return db.LoadQueries(files, "queries") }

// Condition is something that holds now and should ring: it is told again each time it is
// looked at, and counted when At moves on.
type Condition struct {
	Kind, Key, Area, Title, Detail string
	Scope                          geo.Scope // null: what Area says, everywhere without one
	Level                          int
	At                             time.Time
	RefKind, RefID                 string
	Geometry                       orb.Geometry
	Exercise                       bool
}

// Source looks at what holds now. What its kinds told of before and it no longer names is
// over.
type Source struct {
	Kinds    []string
	Standing func(ctx context.Context) ([]Condition, error)
}

// Options of a service.
type Options struct {
	DB        *db.DB
	Catalogue interface{ Now() *registry.Snapshot }
	Sources   []Source
	Logger    *slog.Logger
	Now       func() time.Time
}

// Service keeps the alarms.
type Service struct {
	db        *db.DB
	queries   db.Queries
	catalogue interface{ Now() *registry.Snapshot }
	sources   []Source
	log       *slog.Logger
	now       func() time.Time
}

// Open makes the service.
func Open(o Options) (*Service, error) {
	q, err := Queries()
	if err != nil {
		return nil, err
	}
	if o.DB == nil || o.Catalogue == nil {
		return nil, errors.New("alarms: a database and a catalogue are needed")
	}
	s := &Service{db: o.DB, queries: q, catalogue: o.Catalogue, sources: o.Sources, log: o.Logger, now: o.Now}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

// rules are those of the rule set alarm_rules.
type rules struct {
	WindowS      int            `json:"window_s"` // after one is closed the same again does not ring
	FoldS        int            `json:"fold_s"`   // counts reach the screens this often
	EscalateS    map[string]int `json:"escalate_s"`
	AssignedS    int            `json:"assigned_s"`
	EscalateMost int            `json:"escalate_most"`
}

func (s *Service) rules() rules {
	r := rules{WindowS: 600, FoldS: 5, AssignedS: 1800, EscalateMost: 2}
	if set, ok := s.catalogue.Now().Rules["alarm_rules"]; ok {
		if err := json.Unmarshal(set.Body, &r); err != nil {
			s.log.Error("alarm_rules", "err", err)
		}
	}
	r.FoldS, r.EscalateMost = max(r.FoldS, 1), min(max(r.EscalateMost, 0), 9)
	return r
}

// patience is how long an alarm of a level waits before it goes a step up; nil: for ever.
func (r rules) patience(level int) *float64 {
	s := r.EscalateS[strconv.Itoa(level)]
	if s <= 0 {
		return nil
	}
	v := float64(s)
	return &v
}

// reserve is how long 险情 may wait for a person before it rings here: the rule of field work.
func (s *Service) takeAfter() time.Duration {
	rule, ok := s.catalogue.Now().Rules["field_work"]
	var body struct {
		TakeAfter int `json:"take_after_s"`
	}
	if !ok || json.Unmarshal(rule.Body, &body) != nil || body.TakeAfter <= 0 {
		return 2 * time.Minute
	}
	return time.Duration(body.TakeAfter) * time.Second
}

// Areas are where somebody is told of alarms: a duty desk, a command post, and the screens
// on the wall of one.
func Areas(who *auth.Identity, now time.Time) geo.Scopes {
	if who == nil || !who.SignedIn() || who.Kind == auth.Token {
		return nil
	}
	var out geo.Scopes
	for _, g := range who.Grants {
		if g.Valid(now) && (g.Role.May(auth.WorkDesk) || g.Role.May(auth.CommandPost)) {
			out = append(out, g.Scope())
		}
	}
	return out.Normal()
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("alarms: %s: %w", what, err)
}
