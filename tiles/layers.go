package tiles

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/paulmach/orb"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"onemap/internal/db"
	"onemap/internal/registry"
)

// LayerInfo is a layer with its figures, for one reach.
type LayerInfo struct {
	Layer      *registry.Layer
	Count      int64      // rows shown now
	Bounds     *orb.Bound // degrees; nil when there is nothing
	SourceDate *time.Time // newest date of the data sets behind it
	HasFeed    bool       // changes are reported; otherwise seen after [Options.ForeignTTL]
	Lag        time.Duration
	Err        error // why the figures are missing; the layer itself is there
}

// known is what the engine remembers about layers between catalogue changes.
type known struct {
	mu    sync.Mutex
	snap  *registry.Snapshot
	facts map[string]facts // of foreign layers, for snap
	gen   map[string]uint64
	kept  map[figureKey]figure
	calls singleflight.Group
}

type figureKey struct{ layer, reach string }

type figure struct {
	gen    uint64
	at     time.Time
	cost   time.Duration
	count  int64
	bounds *orb.Bound
	source *time.Time
}

func newKnown() known {
	return known{facts: map[string]facts{}, gen: map[string]uint64{}, kept: map[figureKey]figure{}}
}

// touch says that a layer changed.
func (k *known) touch(layer string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.gen[layer]++
}

// forget drops everything: the catalogue or the data sets changed.
func (k *known) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.snap, k.facts, k.kept = nil, map[string]facts{}, map[figureKey]figure{}
}

// factsOf reads once per catalogue what it does not say about foreign tables.
func (e *Engine) factsOf(ctx context.Context, snap *registry.Snapshot, layer string) (facts, error) {
	e.known.mu.Lock()
	f, same := e.known.facts[layer], e.known.snap == snap
	e.known.mu.Unlock()
	if same {
		return f, nil
	}
	all, err := e.parts.foreignFacts(ctx, e.opts.DB.Query)
	if err != nil {
		return facts{}, fmt.Errorf("tiles: foreign tables: %w", err)
	}
	e.known.mu.Lock()
	defer e.known.mu.Unlock()
	e.known.snap, e.known.facts = snap, all
	return all[layer], nil
}

// Layers gives every layer the reach sees, with its figures for it. Figures are
// kept until the layer changes; a layer that changes without pause is counted
// again only after twenty times what counting costs.
func (e *Engine) Layers(ctx context.Context, reach db.Reach) ([]LayerInfo, error) {
	snap := e.opts.Registry.Now()
	var lag time.Duration
	if e.opts.Feed != nil {
		lag = e.opts.Feed.State().Lag
	}
	var seen []*registry.Layer
	for _, l := range snap.Layers {
		if l.SeenBy(reach) {
			seen = append(seen, l)
		}
	}
	out := make([]LayerInfo, len(seen))
	// A few at a time: counting must not take all connections from the tiles.
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(3)
	for i, l := range seen {
		g.Go(func() error {
			info := LayerInfo{Layer: l, HasFeed: l.Own, Lag: lag}
			if !l.Own {
				f, err := e.factsOf(ctx, snap, l.ID)
				if err != nil {
					return err
				}
				info.HasFeed = f.feed
			}
			fig, err := e.figures(ctx, l, reach, info.HasFeed, false)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				e.opts.Logger.Warn("tiles: layer figures", "layer", l.ID, "err", err)
			}
			info.Count, info.Bounds, info.SourceDate, info.Err = fig.count, fig.bounds, fig.source, err
			out[i] = info
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}

// figures gives a layer's figures; exact ones are never older than the layer's last
// reported change.
func (e *Engine) figures(ctx context.Context, l *registry.Layer, reach db.Reach, feed, exact bool) (figure, error) {
	k := figureKey{l.ID, reach.Key()}
	e.known.mu.Lock()
	f, ok := e.known.kept[k]
	gen := e.known.gen[l.ID]
	e.known.mu.Unlock()
	if ok {
		age := time.Since(f.at)
		if !exact && age < min(20*f.cost, 10*time.Second) || f.gen == gen && (age < time.Minute || feed && l.TimeKind != registry.Interval) {
			return f, nil
		}
	}
	v, err, _ := e.known.calls.Do(k.layer+"\x00"+k.reach+"\x00"+strconv.FormatUint(gen, 36), func() (any, error) {
		start := time.Now()
		// Others may wait for this count: who asked first must not take it away.
		fig, err := e.parts.count(context.WithoutCancel(ctx), e.opts.DB.Query, l, reach, e.opts.Now().UTC())
		if err != nil {
			return figure{}, fmt.Errorf("tiles: figures of %s: %w", l.ID, err)
		}
		fig.gen, fig.at, fig.cost = gen, start, time.Since(start)
		e.known.mu.Lock()
		defer e.known.mu.Unlock()
		if len(e.known.kept) > 10_000 { // scopes come and go
			e.known.kept = map[figureKey]figure{}
		}
		e.known.kept[k] = fig
		return fig, nil
	})
	if err != nil {
		return figure{}, err
	}
	return v.(figure), nil
}

// dataBound is where a foreign layer's data is, with a margin: outside it a
// projection need not be defined. nil bounds mean an empty table.
func (e *Engine) dataBound(ctx context.Context, l *registry.Layer, feed bool) (*bound, error) {
	f, err := e.figures(ctx, l, db.Everything(), feed, true)
	if err != nil {
		return nil, err
	}
	if f.bounds == nil {
		return &bound{1, 1, -1, -1}, nil
	}
	b := f.bounds
	dx, dy := 0.1+(b.Max[0]-b.Min[0])/10, 0.1+(b.Max[1]-b.Min[1])/10
	return &bound{b.Min[0] - dx, b.Min[1] - dy, b.Max[0] + dx, b.Max[1] + dy}, nil
}

// TileJSON is TileJSON 3.0.
type TileJSON struct {
	TileJSON     string        `json:"tilejson"`
	Name         string        `json:"name"`
	Attribution  string        `json:"attribution,omitempty"`
	Scheme       string        `json:"scheme"`
	Tiles        []string      `json:"tiles"`
	MinZoom      int           `json:"minzoom"`
	MaxZoom      int           `json:"maxzoom"`
	Bounds       *[4]float64   `json:"bounds,omitempty"`
	VectorLayers []VectorLayer `json:"vector_layers"`
}

// VectorLayer is one layer of a [TileJSON].
type VectorLayer struct {
	ID          string            `json:"id"`
	Description string            `json:"description"`
	MinZoom     int               `json:"minzoom"`
	MaxZoom     int               `json:"maxzoom"`
	Fields      map[string]string `json:"fields"`
}

// TileJSON describes the tiles of these layers. base is put before the path, e.g.
// https://host.
func (e *Engine) TileJSON(ctx context.Context, layers []string, base string, lang registry.Lang, reach db.Reach) (*TileJSON, error) {
	req := Request{Layers: layers, Reach: reach}
	snap := e.opts.Registry.Now()
	if err := e.check(snap, &req); err != nil {
		return nil, err
	}
	tj := &TileJSON{TileJSON: "3.0.0", Scheme: "xyz", MinZoom: MaxZoom, Tiles: []string{base + "/tiles/" + join(layers) + "/{z}/{x}/{y}.mvt"}}
	var all *orb.Bound
	for i, id := range layers {
		l, _ := snap.Layer(id)
		if i > 0 {
			tj.Name += ", "
		}
		tj.Name += l.Title.In(lang)
		tj.MinZoom, tj.MaxZoom = min(tj.MinZoom, l.MinZoom), max(tj.MaxZoom, l.MaxZoom)
		v := VectorLayer{ID: id, Description: l.Title.In(lang), MinZoom: l.MinZoom, MaxZoom: l.MaxZoom, Fields: map[string]string{}}
		for _, f := range l.TileFields(MaxZoom) {
			v.Fields[f.Name] = tileJSONType(f.Type)
		}
		tj.VectorLayers = append(tj.VectorLayers, v)
		feed := l.Own
		if !l.Own {
			f, err := e.factsOf(ctx, snap, id)
			if err != nil {
				return nil, err
			}
			feed = f.feed
		}
		fig, err := e.figures(ctx, l, reach, feed, false)
		if err != nil {
			return nil, err
		}
		if fig.bounds != nil {
			u := *fig.bounds
			if all != nil {
				u = all.Union(u)
			}
			all = &u
		}
	}
	if all != nil {
		tj.Bounds = &[4]float64{all.Min[0], all.Min[1], all.Max[0], all.Max[1]}
	}
	return tj, nil
}

func tileJSONType(t registry.FieldType) string {
	switch t {
	case registry.Integer, registry.Number:
		return "Number"
	case registry.Boolean:
		return "Boolean"
	}
	return "String"
}
