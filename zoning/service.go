package zoning

import (
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"onemap/internal/auth"
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

// Service keeps the plans. Questions go through the query pool, one step of drawing and
// one transition through the intake pool, what may take longer through the bulk pool.
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
		return nil, errors.New("zoning: a database and a catalogue are needed")
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

// today is the date in the office's time zone, as text: what dates are compared with.
func (s *Service) today() string {
	return s.now().In(s.catalogue.Now().Location()).Format(time.DateOnly)
}

// person says whether somebody acts who can be told from others: a plan is made,
// reviewed and approved by persons, not by tokens or the command line.
func person(who *auth.Identity) bool { return who.SignedIn() && who.Account != "" }

// wrap names the operation in an error and keeps what callers branch on.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("zoning: %s: %w", what, err)
}

// newID is a UUID of version 7 at the service's clock.
func (s *Service) newID() string { return newID(s.now()) }
