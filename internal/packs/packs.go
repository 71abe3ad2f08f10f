package packs

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/feed"
	"onemap/internal/geo"
	"onemap/internal/registry"
	"onemap/tiles"
)

// The zooms of a pack.
const (
	MinZoom = 8
	MaxZoom = 16
)

const (
	editedFor = 10 * time.Minute // a pack in which something was edited may still be given
	madeFor   = 24 * time.Hour
	makeTime  = 20 * time.Minute
	maxQueue  = 32
	maxAreas  = 200
	perTile   = 4 << 10 // bytes, until a pack was made
)

var (
	// ErrAbsent: there is no such area, or none the asker reads.
	ErrAbsent = errors.New("packs: no such area")
	// ErrTooLarge: the area has more tiles than a pack may.
	ErrTooLarge = errors.New("packs: the area is too large for a pack")
	// ErrBusy: too many packs wait to be made.
	ErrBusy = errors.New("packs: too many packs are being made")
	// ErrMaking: the pack is being made; ask again shortly.
	ErrMaking = errors.New("packs: the pack is being made")
)

// Tiles renders what goes into a pack.
type Tiles interface {
	Tile(ctx context.Context, r tiles.Request) (*tiles.Tile, error)
}

// Options of the service. DB, Tiles, Catalogue and Dir are needed.
type Options struct {
	DB        *db.DB
	Tiles     Tiles
	Catalogue interface{ Now() *registry.Snapshot }
	Dir       string // where the files without a name lie
	MaxTiles  int    // of one pack, default 12,000
	MaxBytes  int64  // of all packs kept, default 1 GiB
	Logger    *slog.Logger
	Now       func() time.Time
}

// Info is what there is to know before a download.
type Info struct {
	Area     string
	Name     string
	Bound    orb.Bound
	Ready    bool
	Bytes    int64 // an estimate until Ready
	Tiles    int   // places on the map; the empty ones among them take no bytes
	Done     int   // of them, while it is made
	MadeAt   time.Time
	ETag     string // of the file, quoted
	Position feed.Position
	Layers   []string
}

// Service makes and keeps packs.
type Service struct {
	opts    Options
	queries db.Queries
	making  chan struct{}
	base    context.Context
	stop    context.CancelFunc
	jobs    sync.WaitGroup

	mu      sync.Mutex
	packs   map[key]*pack
	works   map[key]*work
	bytes   int64
	average float64 // bytes per tile of the packs made so far
}

// key: packs are of an area for a reach. The catalogue decides which layers there are.
type key struct{ area, reach string }

// picture is what a pack shows: where, which layers, for whom.
type picture struct {
	bound  orb.Bound
	layers []string
	areas  map[string]geo.Scopes // by layer: whose rows are in it
}

// pack is one that was made. The last of its holders closes the file.
type pack struct {
	picture

	info    Info
	file    *os.File
	holders int
	used    time.Time
	expires time.Time
	edited  bool // something in it was edited since, or added
	out     bool // of the map: closed with its last holder
}

// work is one being made.
type work struct {
	picture

	info Info
	done chan struct{}
	err  error
	left bool // a row in it left the reach meanwhile
}

// New makes the service.
func New(opts Options) (*Service, error) {
	if opts.DB == nil || opts.Tiles == nil || opts.Catalogue == nil || opts.Dir == "" {
		return nil, errors.New("packs: Options need DB, Tiles, Catalogue and Dir")
	}
	if opts.MaxTiles == 0 {
		opts.MaxTiles = 12_000
	}
	if opts.MaxBytes == 0 {
		opts.MaxBytes = 1 << 30
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	q, err := Queries()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, err
	}
	s := &Service{opts: opts, queries: q, making: make(chan struct{}, 1), packs: map[key]*pack{}, works: map[key]*work{}, average: perTile}
	s.base, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// Run waits for ctx, then ends what is being made.
func (s *Service) Run(ctx context.Context) error {
	<-ctx.Done()
	s.stop()
	s.jobs.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.packs {
		s.drop(k)
	}
	return ctx.Err()
}

// layerNames are what a phone shows, as far as they are there.
func layerNames() []string {
	return []string{"admin", "buildings", "dangers", "grids", "hazards", "key_places", "rivers", "roads", "shelters"}
}

// shown is the picture of an area for a reach.
func (s *Service) shown(a Area, reach db.Reach) picture {
	p := picture{bound: a.Bound, areas: map[string]geo.Scopes{}}
	snap := s.opts.Catalogue.Now()
	for _, id := range layerNames() {
		if l, ok := snap.Layer(id); ok && l.SeenBy(reach) {
			p.layers = append(p.layers, id)
			p.areas[id] = reach.Of(l.Visibility)
		}
	}
	return p
}

// mine are the areas of the asker's grants, the smallest first, with the townships they
// lie in; wide are the scopes of grants over more than a township.
func mine(who *auth.Identity, now time.Time) (codes []string, wide geo.Scopes) {
	for _, g := range who.Grants {
		if !g.Valid(now) {
			continue
		}
		switch len(g.Area) {
		case 15, 12, 11:
			codes = append(codes, g.Area)
			if info, ok := g.Role.Info(); ok && info.Township {
				codes = append(codes, g.Area[:map[int]int{15: 9, 12: 9, 11: 8}[len(g.Area)]])
			}
		case 9, 8:
			codes = append(codes, g.Area)
		default:
			wide = append(wide, g.ReadScope())
		}
	}
	slices.SortStableFunc(codes, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(codes), wide.Normal()
}

// reads says whether the area lies wholly in what a grant of the asker reads.
func reads(who *auth.Identity, area geo.Scope, now time.Time) bool {
	return who.SignedIn() && slices.ContainsFunc(who.Grants, func(g auth.Grant) bool {
		return g.Valid(now) && g.ReadScope().Contains(area)
	})
}

// visible are the scopes in which the asker sees units and grids.
func (s *Service) visible(reach db.Reach) (units, grids geo.Scopes) {
	snap := s.opts.Catalogue.Now()
	if l, ok := snap.Layer("admin"); ok {
		units = reach.Of(l.Visibility)
	}
	if l, ok := snap.Layer("grids"); ok {
		grids = reach.Of(l.Visibility)
	}
	return units, grids
}

// List gives the areas of the asker: those of his grants, and every township of a wider one.
func (s *Service) List(ctx context.Context, who *auth.Identity) ([]Info, error) {
	out := []Info{}
	if !who.SignedIn() {
		return out, nil
	}
	codes, wide := mine(who, s.opts.Now())
	units, grids := s.visible(who.Reach)
	list, err := s.areas(ctx, who.Reading(), codes, wide, units, grids, maxAreas)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range list {
		if n := tilesOf(a.Bound); n <= s.opts.MaxTiles {
			out = append(out, s.infoOf(key{a.Code, who.Reach.Key()}, a, n))
		}
	}
	return out, nil
}

// infoOf is called with the lock held.
func (s *Service) infoOf(k key, a Area, n int) Info {
	if p := s.packs[k]; p != nil && s.good(p) {
		return p.info
	}
	i := Info{Area: a.Code, Name: a.Name, Bound: a.Bound, Tiles: n, Bytes: int64(float64(n) * s.average)}
	if w := s.works[k]; w != nil {
		i = w.info
		i.Bytes = int64(float64(n) * s.average)
	}
	return i
}

// good says whether a pack may be offered.
func (s *Service) good(p *pack) bool {
	now := s.opts.Now()
	return now.Before(p.expires) && (!p.edited || now.Sub(p.info.MadeAt) < editedFor)
}

// find is the area, if the asker reads all of it.
func (s *Service) find(ctx context.Context, who *auth.Identity, code string) (Area, error) {
	scope, err := geo.ParseScope(code)
	if err != nil || !reads(who, scope, s.opts.Now()) {
		return Area{}, ErrAbsent
	}
	units, grids := s.visible(who.Reach)
	list, err := s.areas(ctx, who.Reading(), []string{code}, nil, units, grids, 1)
	if err != nil {
		return Area{}, err
	}
	if len(list) == 0 {
		return Area{}, ErrAbsent
	}
	return list[0], nil
}

// Manifest says what the pack of an area is, and has it made where there is none. It
// waits a moment for that; Ready says whether it was long enough.
func (s *Service) Manifest(ctx context.Context, who *auth.Identity, code string, patience time.Duration) (Info, error) {
	a, err := s.find(ctx, who, code)
	if err != nil {
		return Info{}, err
	}
	n := tilesOf(a.Bound)
	if n > s.opts.MaxTiles {
		return Info{}, ErrTooLarge
	}
	k := key{code, who.Reach.Key()}
	w, err := s.begin(k, a, n, who.Reach)
	if err != nil {
		return Info{}, err
	}
	if w != nil {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-w.done:
			if w.err != nil {
				return Info{}, w.err
			}
		case <-timer.C:
		case <-ctx.Done():
			return Info{}, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.infoOf(k, a, n), nil
}

// begin starts making a pack, or joins in; nil when there is a good one.
func (s *Service) begin(k key, a Area, n int, reach db.Reach) (*work, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.packs[k]; p != nil && s.good(p) {
		p.used = s.opts.Now()
		return nil, nil
	}
	if w := s.works[k]; w != nil {
		return w, nil
	}
	if len(s.works) >= maxQueue {
		return nil, ErrBusy
	}
	if s.base.Err() != nil {
		return nil, ErrBusy
	}
	w := &work{picture: s.shown(a, reach), info: Info{Area: a.Code, Name: a.Name, Bound: a.Bound, Tiles: n}, done: make(chan struct{})}
	w.info.Layers = w.layers
	s.works[k] = w
	s.jobs.Go(func() { s.work(k, w, reach) })
	return w, nil
}

// File is an open pack; whoever gets it closes it.
type File struct {
	Info

	pack *pack
	s    *Service
	once sync.Once
}

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(b []byte, off int64) (int, error) { return f.pack.file.ReadAt(b, off) }

// Close lets the pack go.
func (f *File) Close() error {
	f.once.Do(func() {
		f.s.mu.Lock()
		defer f.s.mu.Unlock()
		f.pack.holders--
		f.s.release(f.pack)
	})
	return nil
}

// Open gives the pack of an area for the asker's reach of now. A download that began goes
// on with a pack in which something was edited meanwhile; with none in which something is
// that he may not see any more. [ErrMaking] where there is none.
func (s *Service) Open(ctx context.Context, who *auth.Identity, code string) (*File, error) {
	a, err := s.find(ctx, who, code)
	if err != nil {
		return nil, err
	}
	k := key{code, who.Reach.Key()}
	s.mu.Lock()
	p := s.packs[k]
	if p != nil && s.opts.Now().Before(p.expires) {
		p.holders++
		p.used = s.opts.Now()
		s.mu.Unlock()
		return &File{Info: p.info, pack: p, s: s}, nil
	}
	s.mu.Unlock()
	n := tilesOf(a.Bound)
	if n > s.opts.MaxTiles {
		return nil, ErrTooLarge
	}
	if _, err := s.begin(k, a, n, who.Reach); err != nil {
		return nil, err
	}
	return nil, ErrMaking
}

// drop takes a pack out; the lock is held.
func (s *Service) drop(k key) {
	if p := s.packs[k]; p != nil {
		delete(s.packs, k)
		s.bytes -= p.info.Bytes
		p.out = true
		s.release(p)
	}
}

func (s *Service) release(p *pack) {
	if p.out && p.holders == 0 && p.file != nil {
		_ = p.file.Close() // it was only read, and has no name
		p.file = nil
	}
}

// Changed hears of what happened to rows. Register it behind the tile engine, which must
// have forgotten the old tiles before a pack is made again.
func (s *Service) Changed(_ context.Context, b feed.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range b.Changes {
		if c.Layer == feed.CatalogueChanged {
			for k := range s.packs {
				s.drop(k)
			}
			for _, w := range s.works {
				w.left = true
			}
			return
		}
		for k, p := range s.packs {
			touched, left := p.hit(c)
			if left {
				s.drop(k)
			} else if touched {
				p.edited = true
			}
		}
		for _, w := range s.works {
			if _, left := w.hit(c); left {
				w.left = true
			}
		}
	}
}

// hit says whether a change touches the picture, and whether something of it has left:
// a row that was in it is gone, or is none of this reach any more. Of many rows at once
// nobody knows.
func (p *picture) hit(c feed.Change) (touched, left bool) {
	areas, ok := p.areas[c.Layer]
	if !ok {
		return false, false
	}
	in := func(b *orb.Bound, scopes geo.Scopes) bool {
		return b != nil && b.Intersects(p.bound) && slices.ContainsFunc(scopes, areas.Overlaps)
	}
	was, is := in(c.OldBBox, c.OldScope), in(c.NewBBox, c.NewScope)
	if c.Op == feed.Bulk {
		return was || is, was
	}
	return was || is, was && !is
}

// tileRange are the columns and rows of a zoom that a box touches.
func tileRange(b orb.Bound, z int) (x0, y0, x1, y1 int) {
	n := math.Exp2(float64(z))
	column := func(lon float64) int { return clamp(int(math.Floor((lon+180)/360*n)), int(n)-1) }
	row := func(lat float64) int {
		lat = min(max(lat, -85.0511), 85.0511)
		s := math.Sin(lat * math.Pi / 180)
		return clamp(int(math.Floor((0.5-math.Log((1+s)/(1-s))/(4*math.Pi))*n)), int(n)-1)
	}
	return column(b.Min[0]), row(b.Max[1]), column(b.Max[0]), row(b.Min[1])
}

func clamp(v, top int) int { return min(max(v, 0), top) }

// tilesOf counts the tiles of a box.
func tilesOf(b orb.Bound) int {
	n := 0
	for z := MinZoom; z <= MaxZoom; z++ {
		x0, y0, x1, y1 := tileRange(b, z)
		n += (x1 - x0 + 1) * (y1 - y0 + 1)
	}
	return n
}
