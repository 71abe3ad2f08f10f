package impact

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/db"
	"onemap/internal/features"
	"onemap/internal/registry"
	"onemap/shelters/roadgraph"
)

//go:embed queries/*.sql
var files embed.FS

var (
	// ErrFull means that as many questions are being answered as the gate lets in, and
	// that the queue before it is full: 503 and Retry-After.
	ErrFull = errors.New("impact: too many questions at once")
	// ErrNotFound means an incident or alert that is absent or not visible.
	ErrNotFound = errors.New("impact: not found")
	// ErrNoPlace means an incident or alert without a place.
	ErrNoPlace = errors.New("impact: it has no place")
	// ErrNoArea means a point or a line without buffer and rings: it has no inside.
	ErrNoArea = errors.New("impact: not an area")
	// ErrTooLarge means an area larger than is answered.
	ErrTooLarge = errors.New("impact: the area is too large")
)

// Bounds of a question.
const (
	MaxAreaM2  = 60_000 * 1e6 // a large prefecture
	MaxBufferM = 50_000.0
	MaxRings   = 6
	maxItems   = 60
	nearFirst  = 160 // by straight line, before the roads decide
)

// Catalogue is where layers and rules are.
type Catalogue interface{ Now() *registry.Snapshot }

// Roads is the road graph.
type Roads interface {
	Graph() (*roadgraph.Graph, roadgraph.Speeds, error)
}

// Options of [Open].
type Options struct {
	DB        *db.DB
	Catalogue Catalogue
	Roads     Roads // nil: distances are straight
	Logger    *slog.Logger
	AtOnce    int           // questions that run, default as many as there are processors, at most 3
	Waiting   int           // that wait, default 12
	Patience  time.Duration // of one that waits, default 1.5 s
}

// Service answers questions.
type Service struct {
	opts    Options
	queries db.Queries
	running chan struct{}
	waiting chan struct{}
}

// Queries are the statements.
func Queries() (db.Queries, error) { return db.LoadQueries(files, "queries") }

// Open makes the service.
func Open(o Options) (*Service, error) {
	q, err := Queries()
	if err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.AtOnce <= 0 {
		o.AtOnce = min(3, max(1, runtime.GOMAXPROCS(0)))
	}
	if o.Waiting <= 0 {
		o.Waiting = 12
	}
	if o.Patience <= 0 {
		o.Patience = 1500 * time.Millisecond
	}
	return &Service{opts: o, queries: q, running: make(chan struct{}, o.AtOnce), waiting: make(chan struct{}, o.AtOnce+o.Waiting)}, nil
}

// enter takes a place among those who are answered, waiting a bounded time in a bounded
// queue.
func (s *Service) enter(ctx context.Context) (leave func(), err error) {
	select {
	case s.waiting <- struct{}{}:
	default:
		return nil, ErrFull
	}
	wait := time.NewTimer(s.opts.Patience)
	defer wait.Stop()
	select {
	case s.running <- struct{}{}:
		return func() { <-s.running; <-s.waiting }, nil
	case <-wait.C:
		<-s.waiting
		return nil, ErrFull
	case <-ctx.Done():
		<-s.waiting
		return nil, ctx.Err()
	}
}

// Question is what is asked: one of Shape, Incident and Alert.
type Question struct {
	Shape    orb.Geometry
	Incident string
	Alert    string
	BufferM  float64
	Rings    []float64 // radii, rising
	Times    features.Times
	Phones   bool // the asker is a person: masked numbers of who answers for it
}

// rules are what the rule set impact says; what it leaves out holds by default.
type rules struct {
	Registered []string `json:"registered"`
	NoClasses  []string `json:"shelter_classes_excluded"`
	NoStates   []string `json:"shelter_states_excluded"`
	NeighbourM float64  `json:"neighbour_m"`
	NeighbourH float64  `json:"neighbour_h"`
	BlockM     float64  `json:"block_m"`
	Nearest    int      `json:"nearest"`
	WalkMin    float64  `json:"walk_limit_min"`
	DriveMin   float64  `json:"drive_limit_min"`
}

type ringRules struct {
	Default []float64            `json:"default"`
	Kinds   map[string][]float64 `json:"kinds"`
}

func readRules(snap *registry.Snapshot) (rules, ringRules, error) {
	r := rules{
		Registered: []string{"户籍", "戶籍"}, NoClasses: []string{"air_raid"}, NoStates: []string{"closed", "full", "disabled"},
		NeighbourM: 3000, NeighbourH: 24, BlockM: 3000, Nearest: 10, WalkMin: 120, DriveMin: 90,
	}
	rings := ringRules{Default: []float64{500, 1000}}
	for name, into := range map[string]any{"impact": &r, "impact_rings": &rings} {
		if set, ok := snap.Rules[name]; ok {
			if err := json.Unmarshal(set.Body, into); err != nil {
				return r, rings, fmt.Errorf("impact: rule set %s: %w", name, err)
			}
		}
	}
	return r, rings, nil
}

// question is one being answered.
type question struct {
	s     *Service
	who   features.Asker
	q     Question
	snap  *registry.Snapshot
	rules rules
	rings ringRules
	at    time.Time
	known features.Times // record time alone: what an incident was does not depend on when it is asked about
	a     *Answer
	g     orb.Geometry
	sets  map[string]bool // data sets met

	peopleSets map[string]bool // of them those with the people
	tx         pgx.Tx

	inside *Kinds  // shelters
	closed []Block // every block near enough to matter for a way
	out    candidates
}

// Ask answers a question under the asker's rights.
func (s *Service) Ask(ctx context.Context, who features.Asker, q Question) (*Answer, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	snap := s.opts.Catalogue.Now()
	k := &question{s: s, who: who, q: q, snap: snap, sets: map[string]bool{}, peopleSets: map[string]bool{}, known: features.Times{AsOf: q.Times.AsOf}, at: time.Now()}
	if k.rules, k.rings, err = readRules(snap); err != nil {
		return nil, err
	}
	switch {
	case q.Times.To != nil:
		k.at = *q.Times.To
	case q.Times.From != nil:
		k.at = *q.Times.From
	case q.Times.AsOf != nil:
		k.at = *q.Times.AsOf
	}
	k.a = &Answer{At: k.at, AsOf: q.Times.AsOf}
	err = s.opts.DB.Query.Hold(ctx, func(conn *pgx.Conn) error {
		return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			k.tx = tx
			return k.run(ctx)
		})
	})
	if err != nil {
		return nil, err
	}
	if err := k.ways(ctx); err != nil {
		return nil, err
	}
	for _, name := range []string{"impact", "impact_rings", roadgraph.Rule} {
		if r, ok := snap.Rules[name]; ok {
			k.a.Rules = append(k.a.Rules, RuleUsed{Rule: r.Rule, Version: r.Version, Verified: r.Verified})
		}
	}
	return k.a, nil
}

// part is one statement and what reads its rows.
type part struct {
	name string
	sql  string
	args []any
	scan func(pgx.Rows) error
}

// parts collects the statements of one round trip.
type parts struct {
	k    *question
	list []part
	err  error
}

// layer is a layer the asker sees, nil otherwise.
func (k *question) layer(id string) *registry.Layer {
	l, ok := k.snap.Layer(id)
	if !ok || !l.Own || !l.SeenBy(k.who.Reach) {
		return nil
	}
	return l
}

// add puts a statement over a layer into the round trip, unless the asker does not see it.
func (p *parts) add(name, layer string, times features.Times, with func(st *features.Statement, f map[string]string), scan func(pgx.Rows) error) bool {
	l := p.k.layer(layer)
	if l == nil || p.err != nil {
		return false
	}
	var st features.Statement
	rows, where, err := st.Rows(l, p.k.who.Reach, times)
	if err != nil {
		p.err = err
		return false
	}
	f := map[string]string{"rows": rows, "where": where}
	with(&st, f)
	p.list = append(p.list, part{name + " " + layer, features.Fill(p.k.s.queries.Get(name), f), st.Args(), scan})
	return true
}

// run asks all of them at once.
func (k *question) round(ctx context.Context, p *parts) error {
	if p.err != nil {
		return p.err
	}
	if len(p.list) == 0 {
		return nil
	}
	var b pgx.Batch
	for _, x := range p.list {
		b.Queue(x.sql, x.args...)
	}
	res := k.tx.SendBatch(ctx, &b)
	defer res.Close()
	for _, x := range p.list {
		rows, err := res.Query()
		if err != nil {
			return fmt.Errorf("impact: %s: %w", x.name, err)
		}
		for rows.Next() {
			if err := x.scan(rows); err != nil {
				rows.Close()
				return fmt.Errorf("impact: %s: %w", x.name, err)
			}
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return fmt.Errorf("impact: %s: %w", x.name, err)
		}
	}
	return res.Close()
}

func (k *question) met(datasets []string) {
	for _, d := range datasets {
		if d != "" {
			k.sets[d] = true
		}
	}
}
