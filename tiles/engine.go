package tiles

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"

	"onemap/internal/db"
	"onemap/internal/feed"
	"onemap/internal/registry"
)

// Tile is a finished tile. It is shared by everybody who asks; nobody changes it.
type Tile struct {
	Body     []byte // MVT, gzip; nil when Empty
	RawSize  int    // bytes before compression
	ETag     string // strong, quoted, of the content
	Empty    bool
	Dropped  string        // what was left out, "layer=rows,…"; for Onemap-Dropped
	Position feed.Position // every change up to here is in the picture
	Rendered time.Time
	Expires  time.Time // when the picture changes by itself; zero: never
}

// Options make an [Engine]. DB and Registry are needed.
type Options struct {
	DB       *db.DB
	Registry *registry.Registry
	// Feed gives the position tiles are stamped with before the first batch, and
	// the lag in the layer list. Without it nothing is cached.
	Feed        *feed.Reader
	MaxBytes    int64         // of the cache, default 256 MiB; negative: no cache
	MaxFeatures int           // per layer and tile, default 20,000
	ForeignTTL  time.Duration // how long tables without a feed may be shown from the cache, default 60 s
	Logger      *slog.Logger
	Now         func() time.Time // the clock; tests set it
}

// Engine renders and keeps tiles.
type Engine struct {
	opts  Options
	parts parts
	cache *cache

	known known

	hits, misses, shared, renders, failures, invalidations atomic.Uint64
	renderNanos                                            atomic.Int64
}

// New makes an engine. Register [Engine.Invalidate] with the feed before it runs.
func New(opts Options) (*Engine, error) {
	if opts.DB == nil || opts.Registry == nil {
		return nil, errors.New("tiles: Options need DB and Registry")
	}
	if opts.MaxBytes == 0 {
		opts.MaxBytes = 256 << 20
	}
	if opts.Feed == nil {
		opts.MaxBytes = -1 // nobody would tell us about changes
	}
	if opts.MaxFeatures <= 0 {
		opts.MaxFeatures = 20_000
	}
	if opts.ForeignTTL <= 0 {
		opts.ForeignTTL = time.Minute
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	p, err := loadParts()
	if err != nil {
		return nil, err
	}
	e := &Engine{opts: opts, parts: p, cache: newCache(opts.MaxBytes), known: newKnown()}
	e.cache.catalogue = opts.Registry.Now()
	if opts.Feed != nil {
		e.cache.position = opts.Feed.State().Position
	}
	return e, nil
}

// Tile gives the tile asked for. A hit makes no round trip to the database. The
// render stops, in the database too, when everybody who waits for it has left.
func (e *Engine) Tile(ctx context.Context, req Request) (*Tile, error) {
	snap := e.opts.Registry.Now()
	if err := e.check(snap, &req); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(req.Layers, func(id string) bool {
		l, _ := snap.Layer(id)
		return l.Visibility != db.Public
	}) {
		// The same for everybody who sees as much of the public layers, and rendered
		// under no more than that.
		req.Reach = req.Reach.OnlyPublic()
	}
	k := makeKey(&req)
	if t, pos, ok := e.cache.get(k, e.opts.Now()); ok {
		e.hits.Add(1)
		if t.Position != pos {
			// Still right at a later position: nothing since touched it.
			c := *t
			c.Position = pos
			t = &c
		}
		return t, nil
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f, first := e.cache.join(k, req.Layers)
		if first {
			e.misses.Add(1)
			e.launch(ctx, f, req)
		} else {
			e.shared.Add(1)
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			e.cache.leave(f)
			return nil, ctx.Err()
		}
		// A flight stopped because its last passenger left just as we boarded.
		if errors.Is(f.err, context.Canceled) && ctx.Err() == nil {
			continue
		}
		return f.tile, f.err
	}
}

// check refuses what can be refused without the database.
func (e *Engine) check(snap *registry.Snapshot, req *Request) error {
	if len(req.Layers) == 0 {
		return refuse(ErrUnknownLayer, "unknown_layer", "layers", "no such layer")
	}
	if req.Z < 0 || req.Z > MaxZoom || req.X < 0 || req.X >= 1<<req.Z || req.Y < 0 || req.Y >= 1<<req.Z {
		return refuse(ErrRange, "tile_out_of_range", "z", "there is no such tile")
	}
	for _, id := range req.Layers {
		l, ok := snap.Layer(id)
		if !ok || !l.SeenBy(req.Reach) {
			return refuse(ErrUnknownLayer, "unknown_layer", "layers", "no layer %s", clip(id))
		}
		if req.AsOf != nil && !l.Own {
			return refuse(ErrParameter, "no_history", "as_of", "layer %s keeps no history", id)
		}
		if req.Plan != "" {
			if _, ok := l.Field("plan"); !ok {
				return refuse(ErrParameter, "no_plans", "plan", "layer %s has no plans", id)
			}
		}
	}
	for _, p := range req.Properties {
		if !slices.ContainsFunc(req.Layers, func(id string) bool {
			l, _ := snap.Layer(id)
			f, ok := l.Field(p)
			return ok && f.Tile
		}) {
			return refuse(ErrParameter, "unknown_property", "properties", "no layer of the tile has a property %q", clip(p))
		}
	}
	return nil
}

// launch starts the render of a flight, detached from who asked first.
func (e *Engine) launch(ctx context.Context, f *flight, req Request) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e.cache.mu.Lock()
	f.cancel = cancel
	e.cache.mu.Unlock()
	go func() {
		defer cancel()
		var stored *entry
		defer func() {
			if r := recover(); r != nil {
				e.opts.Logger.Error("tiles: render", "panic", r, "stack", string(debug.Stack()))
				f.tile, f.err, stored = nil, fmt.Errorf("tiles: render: internal fault"), nil
			}
			if f.err != nil && !errors.Is(f.err, context.Canceled) {
				e.failures.Add(1)
			}
			e.cache.land(f, stored, e.opts.Now())
		}()
		start := time.Now()
		// Read after the flight was registered: a change of the catalogue from here
		// on marks the flight, so the entry cannot keep an old list of fields.
		snap := e.opts.Registry.Now()
		if f.err = e.check(snap, &req); f.err == nil {
			f.tile, stored, f.err = e.render(ctx, f.key, req, snap)
		}
		if f.err == nil {
			e.renders.Add(1)
			e.renderNanos.Add(int64(time.Since(start)))
		}
	}()
}

// render asks the database and packs the answer. The entry is nil when the tile
// must not be kept.
func (e *Engine) render(ctx context.Context, k key, req Request, snap *registry.Snapshot) (*Tile, *entry, error) {
	// Before the snapshot: everything delivered up to here is committed.
	e.cache.mu.Lock()
	position := e.cache.position
	e.cache.mu.Unlock()
	now := e.opts.Now().UTC().Truncate(time.Microsecond)

	t := &Tile{Position: position, Rendered: now}
	store := &entry{key: k, tile: t, layers: req.Layers, room: make([]int64, len(req.Layers))}
	for i := range store.room {
		store.room[i] = math.MaxInt64
	}
	var layers []part
	var index []int // of each part among req.Layers
	for i, id := range req.Layers {
		l, _ := snap.Layer(id)
		if req.Z < l.MinZoom {
			continue
		}
		p := part{layer: l}
		if !l.Own {
			var err error
			if p.facts, err = e.factsOf(ctx, snap, id); err != nil {
				return nil, nil, err
			}
			if !p.facts.feed {
				t.Expires = earliest(t.Expires, now.Add(e.opts.ForeignTTL))
			}
			if !isLonLat(l.SRID) && l.SRID != 3857 {
				if p.clip, err = e.dataBound(ctx, l, p.facts.feed); err != nil {
					return nil, nil, err
				}
			}
		}
		layers = append(layers, p)
		index = append(index, i)
	}
	if len(layers) == 0 {
		t.Empty, t.ETag = true, emptyETag
		return t, e.keep(req, store), nil
	}
	answers, err := e.ask(ctx, req, now, layers)
	if err != nil {
		return nil, nil, err
	}
	size := 0
	for _, a := range answers {
		size += len(a.mvt)
	}
	body := make([]byte, 0, size)
	var dropped []string
	for _, a := range answers {
		body = append(body, a.mvt...)
		lost := a.small
		if a.total != nil {
			lost += *a.total - a.n
			store.room[index[a.ordinal]] = -1
			if a.totalNext != nil {
				t.Expires = earliest(t.Expires, *a.totalNext)
			}
		} else {
			store.room[index[a.ordinal]] = int64(e.opts.MaxFeatures) - a.n
		}
		if lost > 0 {
			dropped = append(dropped, layers[a.ordinal].layer.ID+"="+strconv.FormatInt(lost, 10))
		}
		if a.next != nil {
			t.Expires = earliest(t.Expires, *a.next)
		}
	}
	t.Dropped = strings.Join(dropped, ",")
	t.RawSize = len(body)
	if len(body) == 0 {
		t.Empty, t.ETag = true, emptyETag
	} else {
		sum := sha256.Sum256(body)
		t.ETag = `"` + hex.EncodeToString(sum[:16]) + `"`
		if t.Body, err = compress(body); err != nil {
			return nil, nil, err
		}
	}
	return t, e.keep(req, store), nil
}

const emptyETag = `"empty"`

// keep decides whether a tile may be stored. The past as recorded is asked for
// rarely and never changes hands; it is not worth the room.
func (e *Engine) keep(req Request, s *entry) *entry {
	if e.opts.MaxBytes < 0 || req.AsOf != nil {
		return nil
	}
	s.expires = s.tile.Expires
	return s
}

// ask runs the tile's statement; when a layer has more rows than the limit it
// asks once more, now for the worst first.
func (e *Engine) ask(ctx context.Context, req Request, now time.Time, layers []part) ([]answer, error) {
	for {
		sql, args, err := e.parts.statement(req, now, e.opts.MaxFeatures, layers)
		if err != nil {
			return nil, err
		}
		answers, err := ask(ctx, e.opts.DB.Query, req, sql, args)
		if err != nil {
			if ctx.Err() != nil {
				return nil, context.Canceled // the database says 57014, the reason is ours
			}
			if errors.Is(err, db.ErrBusy) {
				return nil, err
			}
			return nil, fmt.Errorf("tiles: %d/%d/%d: %w", req.Z, req.X, req.Y, badValue(err))
		}
		if len(answers) != len(layers) {
			return nil, fmt.Errorf("tiles: %d answers for %d layers", len(answers), len(layers))
		}
		again := false
		for _, a := range answers {
			if p := &layers[a.ordinal]; !p.ranked && a.n > int64(e.opts.MaxFeatures) {
				p.ranked, again = true, true
			}
		}
		if !again {
			slices.SortFunc(answers, func(a, b answer) int { return a.ordinal - b.ordinal })
			return answers, nil
		}
	}
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// packers are kept: a gzip writer is 800 KB of tables.
var packers = sync.Pool{New: func() any { //nolint:gochecknoglobals // a pool of scratch space
	w, err := gzip.NewWriterLevel(nil, gzipLevel)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

// gzipLevel: measured on tiles of 44 KB to 1.2 MB, level 2 takes as long as 1 (7 ms per
// MB) and packs a little better; 4 takes 1.6 times as long for 7 % fewer bytes, 6
// twice; the standard library takes 1.7 times as long at 1.
const gzipLevel = 2

func compress(body []byte) ([]byte, error) {
	var out bytes.Buffer
	out.Grow(len(body)/2 + 64)
	w := packers.Get().(*gzip.Writer)
	defer packers.Put(w)
	w.Reset(&out)
	if _, err := w.Write(body); err != nil {
		return nil, fmt.Errorf("tiles: compress: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("tiles: compress: %w", err)
	}
	return bytes.Clone(out.Bytes()), nil
}

// Stats are figures for /metrics; all but the last five only grow.
type Stats struct {
	Hits, Misses, Shared, Renders, Failures uint64
	Invalidated, Evicted, Batches           uint64
	RenderSeconds                           float64
	// Unkept were made for a reach beyond [maxScopes] and not stored.
	Unkept           uint64
	Entries, Flights int
	Scopes           int // reaches with tiles in the cache
	Bytes, MaxBytes  int64
}

// Stats reads the figures.
func (e *Engine) Stats() Stats {
	s := Stats{
		Hits: e.hits.Load(), Misses: e.misses.Load(), Shared: e.shared.Load(), Renders: e.renders.Load(), Failures: e.failures.Load(),
		Batches: e.invalidations.Load(), RenderSeconds: time.Duration(e.renderNanos.Load()).Seconds(), MaxBytes: e.opts.MaxBytes,
	}
	e.cache.mu.Lock()
	defer e.cache.mu.Unlock()
	s.Invalidated, s.Evicted = e.cache.dropped, e.cache.evicted
	s.Entries, s.Flights, s.Bytes = len(e.cache.entries), len(e.cache.flights), e.cache.bytes
	s.Scopes, s.Unkept = len(e.cache.scopes), e.cache.unkept
	return s
}
