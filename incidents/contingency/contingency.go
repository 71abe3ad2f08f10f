package contingency

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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

// Kinds are 总体, 专项, 部门, 基层 and 企业 plans.
func Kinds() []string {
	return []string{"overall", "special", "department", "grassroots", "enterprise"}
}

// Plan is a contingency plan.
type Plan struct {
	ID, Title, Kind, Hazard, Area string
	Unit                          string // who issued it
	DocumentNumber, VersionText   string
	IssuedOn, ReviewDue           *time.Time
	Lead                          string // 专项指挥部
	State                         string // valid, withdrawn
	Clauses                       []Clause
	ClauseCount                   int
	Version                       int64
	UpdatedAt                     time.Time
	UpdatedBy                     string
}

// Overdue says whether its review was due before a day.
func (p Plan) Overdue(day time.Time) bool {
	return p.State == "valid" && p.ReviewDue != nil && p.ReviewDue.Before(day)
}

// Clause is one duty of a plan. Level is the mildest response at which it applies, 0 at
// every; Hazard "" is the plan's.
type Clause struct {
	ID, Hazard, Action, Unit, Text string
	Seq, Level                     int
	Minutes                        *int
}

// Match is a clause that applies, with the plan it stands in.
type Match struct {
	Clause
	Plan, PlanTitle, PlanKind, Area string
}

// Case is what happens: a hazard or a kind of incident, a level and where.
type Case struct {
	Hazard, Kind string
	Level        int
	Area         string
}

// Query says which plans.
type Query struct {
	Hazard, Area, Kind, Text string
	Overdue                  bool // only those whose review is due
	Limit                    int  // default 200, at most 1000
}

// Service is plans, clauses and tasks.
type Service struct {
	db        *db.DB
	queries   db.Queries
	catalogue interface{ Now() *registry.Snapshot }
	now       func() time.Time
}

// Options of a service.
type Options struct {
	DB        *db.DB
	Catalogue interface{ Now() *registry.Snapshot }
	Now       func() time.Time
}

// Open makes the service.
func Open(o Options) (*Service, error) {
	q, err := Queries()
	if err != nil {
		return nil, err
	}
	if o.DB == nil || o.Catalogue == nil {
		return nil, errors.New("contingency: a database and a catalogue are needed")
	}
	s := &Service{db: o.DB, queries: q, catalogue: o.Catalogue, now: o.Now}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

// hazards are the hazards a case falls under: its own, the one its kind stands for, and
// what holds for every hazard.
func (s *Service) hazards(c Case) []string {
	out := []string{"multi"}
	add := func(h string) {
		if h != "" && !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	add(c.Hazard)
	add(c.Kind)
	if rule, ok := s.catalogue.Now().Rules["response_profile"]; ok {
		var body struct {
			Kinds map[string]string `json:"kind_hazard"`
		}
		if json.Unmarshal(rule.Body, &body) == nil {
			add(body.Kinds[c.Kind])
			add(body.Kinds[c.Hazard])
		}
	}
	return out
}

// knownHazard says whether a code is a hazard or a kind of incident.
func (s *Service) knownHazard(code string) bool {
	snap := s.catalogue.Now()
	for _, list := range []string{"hazard", "incident_kind"} {
		if l, ok := snap.CodeLists[list]; ok {
			if _, ok := l.Item(code); ok && code != "" {
				return true
			}
		}
	}
	return false
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("contingency: %s: %w", what, err)
}

// faults collects what is wrong with an input.
type faults []auth.Fault

func (f *faults) add(path, code, zh, en string) {
	*f = append(*f, auth.Fault{Path: path, Code: code, ZH: zh, EN: en})
}

func (f *faults) text(path, s string, least, most int) string {
	s = strings.TrimSpace(s)
	if n := utf8.RuneCountInString(s); n < least || n > most || strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
		if least == 0 {
			f.add(path, "length", "过长或含有无效字符", "too long, or not text")
		} else {
			f.add(path, "length", "请填写，且不要过长", "it is needed, and not too long")
		}
	}
	return s
}

func (f *faults) area(path, code string) geo.Scope {
	s, err := geo.ParseScope(code)
	if err != nil || code == "" {
		f.add(path, "not_a_code", "应为行政区划代码", "it is an administrative code")
	}
	return s
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &auth.Invalid{Items: f}
}

func clash(code, zh, en string) error { return &auth.Conflict{Code: code, ZH: zh, EN: en} }

func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func nullInt(n int) any {
	if n == 0 {
		return nil
	}
	return n
}

// holds says whether somebody himself has a permission anywhere.
func holds(who *auth.Identity, p auth.Permission, now time.Time) bool {
	return who != nil && who.SignedIn() && who.Account != "" && who.May(p, now)
}
