package sync

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5" //nolint:depguard // photos are remembered in the transaction of their operation

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/feed"
	"onemap/internal/geo"
	"onemap/internal/registry"
)

//go:embed queries/*.sql
var files embed.FS

// Queries returns the package's statements for the schema test.
func Queries() (db.Queries, error) { return db.LoadQueries(files, "queries") }

// Blobs remembers that a record refers to photos. A photo may come after its record; who
// may see it follows from what refers to it.
type Blobs interface {
	Refer(ctx context.Context, tx pgx.Tx, by auth.By, sha256 []string, kind, id, opID string, scope geo.Scope) error
}

// Feed is the change feed, as far as it has been delivered here.
type Feed interface {
	State() feed.State
	Since(ctx context.Context, p feed.Position, limit int) ([]feed.Change, error)
}

// Options of the engine. Kinds are what devices send; Downs what they are sent and do not
// write (a Kind that is a Down too is sent by itself).
type Options struct {
	DB        *db.DB
	Feed      Feed
	Catalogue interface{ Now() *registry.Snapshot }
	Kinds     []Kind
	Downs     []Down
	Blobs     Blobs // nil: photos are listed in the log only
	Logger    *slog.Logger
	Now       func() time.Time
}

// Service is the engine.
type Service struct {
	opts    Options
	kinds   map[string]Kind
	downs   map[string]Down
	queries db.Queries
}

// New makes the engine. Two kinds of one name are an error.
func New(o Options) (*Service, error) {
	if o.DB == nil || o.Feed == nil || o.Catalogue == nil {
		return nil, errors.New("sync: a database, a feed and a catalogue are needed")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	q, err := Queries()
	if err != nil {
		return nil, err
	}
	s := &Service{opts: o, kinds: map[string]Kind{}, downs: map[string]Down{}, queries: q}
	down := func(d Down) error {
		name := d.Dictionary().Kind
		if _, twice := s.downs[name]; twice {
			return fmt.Errorf("sync: kind %s is given twice", name)
		}
		s.downs[name] = d
		return nil
	}
	for _, k := range o.Kinds {
		name := k.Dictionary().Kind
		if _, twice := s.kinds[name]; twice || name == "" {
			return nil, fmt.Errorf("sync: kind %q is given twice or has no name", name)
		}
		s.kinds[name] = k
		if d, ok := k.(Down); ok {
			if err := down(d); err != nil {
				return nil, err
			}
		}
	}
	for _, d := range o.Downs {
		if err := down(d); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Dictionaries are those of every kind, by name.
func (s *Service) Dictionaries() []Dictionary {
	all := map[string]Dictionary{}
	for name, d := range s.downs {
		all[name] = d.Dictionary()
	}
	for name, k := range s.kinds {
		all[name] = k.Dictionary()
	}
	out := make([]Dictionary, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, all[name])
	}
	return out
}
