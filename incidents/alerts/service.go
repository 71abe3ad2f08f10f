package alerts

import (
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
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
	// Dir is where file drops (a directory for each) and the keys of webhooks are. Without
	// it nothing is passed on.
	Dir    string
	Logger *slog.Logger
	Now    func() time.Time
	// Pause is between two looks at the outbox.
	Pause time.Duration
}

// Service takes warnings in and passes them on. Everything goes through the intake pool.
type Service struct {
	db        *db.DB
	queries   db.Queries
	catalogue interface{ Now() *registry.Snapshot }
	dir       string
	log       *slog.Logger
	now       func() time.Time
	pause     time.Duration
	client    *http.Client
	wake      chan struct{}
}

// Open makes the service.
func Open(o Options) (*Service, error) {
	q, err := Queries()
	if err != nil {
		return nil, err
	}
	if o.DB == nil || o.Catalogue == nil {
		return nil, errors.New("alerts: a database and a catalogue are needed")
	}
	s := &Service{db: o.DB, queries: q, catalogue: o.Catalogue, dir: o.Dir, log: o.Logger, now: o.Now, pause: o.Pause, client: client(), wake: make(chan struct{}, 1)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.pause <= 0 {
		s.pause = 2 * time.Second
	}
	return s, nil
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("alerts: %s: %w", what, err)
}
