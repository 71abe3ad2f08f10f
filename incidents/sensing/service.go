package sensing

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"onemap/internal/db"
	"onemap/internal/poll"
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
	Poll      *poll.Client // nil: no source is asked
	Logger    *slog.Logger
	Now       func() time.Time
}

// Service takes observations and answers for stations.
type Service struct {
	db        *db.DB
	queries   db.Queries
	catalogue interface{ Now() *registry.Snapshot }
	poll      *poll.Client
	log       *slog.Logger
	now       func() time.Time
	poke      chan struct{}

	mu     sync.Mutex      // guards what follows
	months map[string]bool // partitions known to be there
}

// Open makes the service.
func Open(o Options) (*Service, error) {
	q, err := Queries()
	if err != nil {
		return nil, err
	}
	if o.DB == nil || o.Catalogue == nil {
		return nil, errors.New("sensing: a database and a catalogue are needed")
	}
	s := &Service{db: o.DB, queries: q, catalogue: o.Catalogue, poll: o.Poll, log: o.Logger, now: o.Now, poke: make(chan struct{}, 1), months: map[string]bool{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

// Rules are the thresholds that hold for all stations.
type Rules struct {
	SilentS int       `json:"silent_s"`
	FutureS int       `json:"future_s"`
	Signals []Signal  `json:"signals"`
	Classes Classes   `json:"classes"`
	Village []Village `json:"village"` // where a village has no thresholds of its own
}

// Signal is a rainstorm signal: so much rain in so many hours.
type Signal struct {
	Level int     `json:"level"`
	Hours int     `json:"hours"`
	MM    float64 `json:"mm"`
}

// Classes are the lower bounds of 中雨 大雨 暴雨 大暴雨 特大暴雨.
type Classes struct {
	H24 []float64 `json:"h24"`
	H12 []float64 `json:"h12"`
}

// Rules are those of the rule set station_rules.
func (s *Service) Rules() Rules {
	r := Rules{}
	if set, ok := s.catalogue.Now().Rules["station_rules"]; ok {
		if err := json.Unmarshal(set.Body, &r); err != nil {
			s.log.Error("station_rules", "err", err)
		}
	}
	if r.SilentS <= 0 {
		r.SilentS = 900
	}
	if r.FutureS <= 0 {
		r.FutureS = 600
	}
	return r
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sensing: %s: %w", what, err)
}
