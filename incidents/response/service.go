package response

import (
	"embed"
	"errors"
	"fmt"
	"time"

	"onemap/internal/db"
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
	Now       func() time.Time
}

// Service is 应急响应 and the duty desk. It goes through the intake pool: a response does
// not wait behind tiles.
type Service struct {
	db        *db.DB
	queries   db.Queries
	catalogue interface{ Now() *registry.Snapshot }
	now       func() time.Time
}

// Open makes the service.
func Open(o Options) (*Service, error) {
	q, err := Queries()
	if err != nil {
		return nil, err
	}
	if o.DB == nil || o.Catalogue == nil {
		return nil, errors.New("response: a database and a catalogue are needed")
	}
	s := &Service{db: o.DB, queries: q, catalogue: o.Catalogue, now: o.Now}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

func (s *Service) rules() rules {
	rule, ok := s.catalogue.Now().Rules["response_profile"]
	if !ok {
		return readRules(nil)
	}
	return readRules(rule.Body)
}

// ReportEvery is how often is reported at a level, in minutes; 0 where the rules do not say.
func (s *Service) ReportEvery(level int) int { return s.rules().every(level) }

// ProfileOf is what one response would make it.
func (s *Service) ProfileOf(r Response) string { return s.rules().profile([]Response{r}).Name }

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("response: %s: %w", what, err)
}
