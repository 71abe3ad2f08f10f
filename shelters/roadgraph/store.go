package roadgraph

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/db"
	"onemap/internal/feed"
	"onemap/internal/geo"
	"onemap/internal/registry"
)

//go:embed queries/*.sql
var files embed.FS

// ErrLoading means that the roads have not been read yet; asking again in a moment is
// right.
var ErrLoading = errors.New("roadgraph: the roads are being read")

// Rule is the rule set the speeds are in.
const Rule = "road_speeds"

// Catalogue is where the speeds are.
type Catalogue interface{ Now() *registry.Snapshot }

// Options of [Open].
type Options struct {
	DB        *db.DB
	Catalogue Catalogue
	Logger    *slog.Logger
	// Quiet is how long roads must be left alone before they are read again, default
	// 300 ms; however long they are not, they are read after ten times that.
	Quiet time.Duration
}

// Service keeps the graph of the layer roads.
type Service struct {
	opts    Options
	queries db.Queries
	state   atomic.Pointer[state]
	dirty   chan struct{}
}

type state struct {
	graph  *Graph
	speeds Speeds
	at     time.Time
}

// Queries are the statements, for the test that prepares them.
func Queries() (db.Queries, error) { return db.LoadQueries(files, "queries") }

// Open makes the service; [Service.Run] reads the roads.
func Open(o Options) (*Service, error) {
	q, err := Queries()
	if err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Quiet <= 0 {
		o.Quiet = 300 * time.Millisecond
	}
	return &Service{opts: o, queries: q, dirty: make(chan struct{}, 1)}, nil
}

// Graph is the network as it is now.
func (s *Service) Graph() (*Graph, Speeds, error) {
	st := s.state.Load()
	if st == nil {
		return nil, Speeds{}, ErrLoading
	}
	return st.graph, st.speeds, nil
}

// Changed is a handler of the feed: it sees whether the roads or the rules changed.
func (s *Service) Changed(_ context.Context, b feed.Batch) {
	if slices.ContainsFunc(b.Changes, func(c feed.Change) bool {
		return c.Layer == "roads" || c.Layer == feed.RegistryChanged || c.Layer == feed.CatalogueChanged
	}) {
		s.touch()
	}
}

func (s *Service) touch() {
	select {
	case s.dirty <- struct{}{}:
	default:
	}
}

// Run reads the roads, and again whenever they changed, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	for {
		if err := s.Load(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s.opts.Logger.Error("road graph", "err", err)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(5 * time.Second):
			}
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.dirty:
		}
		last := time.After(10 * s.opts.Quiet)
	quiet:
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-s.dirty:
			case <-last:
				break quiet
			case <-time.After(s.opts.Quiet):
				break quiet
			}
		}
	}
}

// Load reads the roads once.
func (s *Service) Load(ctx context.Context) error {
	speeds := DefaultSpeeds()
	if r, ok := s.opts.Catalogue.Now().Rules[Rule]; ok {
		if err := json.Unmarshal(r.Body, &speeds); err != nil {
			return fmt.Errorf("roadgraph: rule set %s: %w", Rule, err)
		}
	}
	began := time.Now()
	var roads []Road
	err := s.opts.DB.Bulk.Ask(ctx, db.System("roadgraph"), s.queries.Get("roads"), nil, func(rows pgx.Rows) error {
		for rows.Next() {
			var r Road
			var shape geo.Shape
			if err := rows.Scan(&r.ID, &r.Class, &r.Oneway, &r.WalkOK, &r.KMH, &r.Over, &r.Scope, &r.Demo, &shape); err != nil {
				return err
			}
			r.Shape = shape.Geometry
			roads = append(roads, r)
		}
		return rows.Err()
	})
	if err != nil {
		return fmt.Errorf("roadgraph: read the roads: %w", err)
	}
	slices.SortFunc(roads, func(a, b Road) int { return int(min(1, max(-1, a.ID-b.ID))) })
	g := FromRoads(roads, speeds)
	s.state.Store(&state{graph: g, speeds: speeds, at: time.Now()})
	s.opts.Logger.Info("road graph", "roads", len(roads), "nodes", g.Nodes(), "edges", g.Edges(), "took", time.Since(began).Round(time.Millisecond))
	return nil
}
