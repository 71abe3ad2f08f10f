package incidents

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
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
	Logger    *slog.Logger
	Now       func() time.Time
}

// Service is the duty desk's side of reports. Everything goes through the intake pool:
// 险情 does not wait behind tiles.
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
		return nil, errors.New("incidents: a database and a catalogue are needed")
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

// takeAfter is the rule: how long 险情 may wait for somebody who takes it.
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

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("incidents: %s: %w", what, err)
}
