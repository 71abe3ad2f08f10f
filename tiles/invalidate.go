package tiles

import (
	"context"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/maptile"

	"onemap/internal/feed"
	"onemap/internal/geo"
	"onemap/internal/registry"
)

const (
	// fewTiles at the deepest cached zoom: a change whose box covers no more is
	// taken by its box; beyond, its true shape is worth a query.
	fewTiles = 16
	// coverLimit bounds the cover of one shape; below the zoom where it is reached
	// a tile is judged by its ancestor there.
	coverLimit = 2048
	// shapeWait bounds the query for shapes: the feed must not wait for a busy
	// pool. Boxes cover all that shapes do, so falling back is safe.
	shapeWait = 500 * time.Millisecond
)

// Invalidate takes out every tile a batch may have changed, and marks every render
// under way that it touches. Register it after the registry's reload.
func (e *Engine) Invalidate(ctx context.Context, b feed.Batch) {
	e.invalidations.Add(1)
	bulk, single := map[string][]feed.Change{}, map[string][]feed.Change{}
	for _, c := range b.Changes {
		switch {
		case c.Layer == feed.CatalogueChanged:
			e.catalogueChanged()
		case c.Layer == feed.RegistryChanged:
		case c.Op == feed.Bulk:
			bulk[c.Layer] = append(bulk[c.Layer], c)
		default:
			single[c.Layer] = append(single[c.Layer], c)
		}
	}
	deepest := e.cache.deepest()
	for layer, changes := range bulk {
		e.known.touch(layer)
		for _, c := range changes {
			e.cache.touch(layer, touched{boxes: boxes(c), rows: int64(c.Rows)})
		}
	}
	for layer, changes := range single {
		e.known.touch(layer)
		var wide []feed.Change
		for _, c := range changes {
			bs := boxes(c)
			if slices.ContainsFunc(bs, func(b orb.Bound) bool { return geo.CoverBound(b, deepest, coverBuffer).Count() > fewTiles }) {
				wide = append(wide, c)
				continue
			}
			e.cache.touch(layer, touched{boxes: bs, rows: 1})
		}
		if len(wide) == 0 {
			continue
		}
		shapes := e.shapes(ctx, layer, wide)
		t := touched{shapes: shapes, rows: int64(len(wide))}
		for _, c := range wide {
			t.boxes = append(t.boxes, boxes(c)...)
		}
		e.cache.touch(layer, t)
	}
	e.cache.moveTo(b.Position)
}

func boxes(c feed.Change) []orb.Bound {
	var out []orb.Bound
	if c.OldBBox != nil {
		out = append(out, *c.OldBBox)
	}
	if c.NewBBox != nil && (c.OldBBox == nil || *c.NewBBox != *c.OldBBox) {
		out = append(out, *c.NewBBox)
	}
	return out
}

// catalogueChanged drops the tiles of layers that read differently now, and all
// figures.
func (e *Engine) catalogueChanged() {
	snap := e.opts.Registry.Now()
	e.known.forget()
	e.cache.dropChanged(snap)
}

// shapes asks what wide changes looked like before and after. nil means it could
// not be found out: then boxes decide.
func (e *Engine) shapes(ctx context.Context, layer string, changes []feed.Change) []orb.Geometry {
	l, ok := e.opts.Registry.Now().Layer(layer)
	if !ok || !l.Own || l.IDColumn == "" {
		return nil
	}
	var ids, ended [][16]byte
	var xids []string
	var seqs []int64
	for _, c := range changes {
		if c.ID == ([16]byte{}) {
			return nil
		}
		if c.NewBBox != nil {
			ids = append(ids, c.ID)
		}
		if c.OldBBox != nil {
			ended = append(ended, c.ID)
			xids = append(xids, strconv.FormatUint(c.Position.Xid, 10))
			seqs = append(seqs, c.Position.Seq)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, shapeWait)
	defer cancel()
	// A row changed again since gives its newest shape here; the version between
	// comes as the old shape of that later change.
	now, err := e.parts.newShapes(ctx, e.opts.DB.Query, l, ids)
	if err == nil && len(ended) > 0 {
		var was []orb.Geometry
		was, err = e.parts.oldShapes(ctx, e.opts.DB.Query, l, ended, xids, seqs)
		if err == nil && len(was) != len(ended) {
			return nil // history does not have it all: not ours to guess
		}
		now = append(now, was...)
	}
	for _, g := range slices.Clip(now) {
		switch n := longPieces(g); {
		case n > maxPieces:
			return nil
		case n > 0:
			now = append(now, densify(g))
		}
	}
	if err != nil {
		e.opts.Logger.Debug("tiles: shapes of changes", "layer", layer, "err", err)
		return nil
	}
	return now
}

const (
	// longEdge, in degrees: a shorter edge lies within the cover's buffer whether
	// it is straight in Mercator or in degrees.
	longEdge = 0.02
	// maxPieces bounds the points put on long edges; a shape that needs more is
	// taken by its box.
	maxPieces = 50_000
)

// pieces is how many points a long edge needs.
func pieces(a, b orb.Point) int {
	return int(max(math.Abs(a[0]-b[0]), math.Abs(a[1]-b[1])) / longEdge)
}

func longPieces(g orb.Geometry) int {
	n := 0
	eachLine(g, func(l []orb.Point) []orb.Point {
		for i := 1; i < len(l); i++ {
			n += pieces(l[i-1], l[i])
		}
		return l
	})
	return n
}

// densify puts points on long edges, straight in degrees, as they are drawn at
// deep zooms; the shape itself stands for how they are drawn at low ones.
func densify(g orb.Geometry) orb.Geometry {
	return eachLine(g, func(in []orb.Point) []orb.Point {
		out := make([]orb.Point, 0, len(in))
		for i, p := range in {
			if i > 0 {
				a := in[i-1]
				n := pieces(a, p)
				for k := 1; k <= n; k++ {
					f := float64(k) / float64(n+1)
					out = append(out, orb.Point{a[0] + f*(p[0]-a[0]), a[1] + f*(p[1]-a[1])})
				}
			}
			out = append(out, p)
		}
		return out
	})
}

// eachLine gives a copy of g with every line and ring passed through f.
func eachLine(g orb.Geometry, f func([]orb.Point) []orb.Point) orb.Geometry {
	switch g := g.(type) {
	case geo.Shape:
		return eachLine(g.Geometry, f)
	case orb.LineString:
		return orb.LineString(f(g))
	case orb.Polygon:
		out := make(orb.Polygon, len(g))
		for i, r := range g {
			out[i] = f(r)
		}
		return out
	case orb.MultiLineString:
		out := make(orb.MultiLineString, len(g))
		for i, l := range g {
			out[i] = f(l)
		}
		return out
	case orb.MultiPolygon:
		out := make(orb.MultiPolygon, len(g))
		for i, p := range g {
			out[i] = eachLine(p, f).(orb.Polygon)
		}
		return out
	case orb.Collection:
		out := make(orb.Collection, len(g))
		for i, m := range g {
			out[i] = eachLine(m, f)
		}
		return out
	}
	return g
}

// touched is the place of one change, or of a few.
type touched struct {
	boxes  []orb.Bound
	shapes []orb.Geometry // nil: the boxes are all we know
	rows   int64
}

// cover answers for any tile whether a change may show in it. It is made before
// the cache is locked: covering a long river takes milliseconds.
type cover struct {
	touched
	base  int                      // shapes are covered exactly down to this zoom
	exact [MaxZoom + 1]maptile.Set // nil where nothing was stored when we looked
	rough [MaxZoom + 1][]geo.TileRange
}

func newCover(t touched, used [MaxZoom + 1]bool) *cover {
	c := &cover{touched: t, base: MaxZoom}
	for z := range c.rough {
		for _, b := range t.boxes {
			c.rough[z] = append(c.rough[z], geo.CoverBound(b, maptile.Zoom(z), coverBuffer))
		}
	}
	if t.shapes == nil {
		return c
	}
	for z := range used {
		if !used[z] {
			continue
		}
		if c.exact[z] = c.tiles(z); c.exact[z] != nil {
			continue
		}
		for c.base = z - 1; c.base >= 0 && c.exact[c.base] == nil; c.base-- {
			if c.exact[c.base] = c.tiles(c.base); c.exact[c.base] != nil {
				break
			}
		}
		break
	}
	return c
}

// tiles is the exact cover at a zoom, nil when it is too large.
func (c *cover) tiles(z int) maptile.Set {
	set := maptile.Set{}
	for _, g := range c.shapes {
		s, ok := geo.CoverUpTo(g, maptile.Zoom(z), coverBuffer, coverLimit)
		if !ok {
			return nil
		}
		set.Merge(s)
	}
	return set
}

// boxed says whether a box meets the tile.
func (c *cover) boxed(t maptile.Tile) bool {
	return slices.ContainsFunc(c.rough[t.Z], func(r geo.TileRange) bool { return r.Contains(t) })
}

// shaped says whether a shape meets the tile; exact down to the base, below it a
// superset: the tile is judged by its ancestor.
func (c *cover) shaped(t maptile.Tile) bool {
	if c.shapes == nil || c.base < 0 {
		return true
	}
	if base := maptile.Zoom(c.base); t.Z > base {
		t = maptile.Tile{X: t.X >> (t.Z - base), Y: t.Y >> (t.Z - base), Z: base}
	}
	set := c.exact[t.Z]
	return set == nil || set[t]
}

// touch removes the stored tiles of a layer that a change meets and marks the
// flights. A tile the change meets only by its box keeps its picture, but may have
// less room for rows before something must be left out.
func (c *cache) touch(layer string, t touched) {
	cov := newCover(t, c.used())
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.flights {
		// By the box only: a flight does not know its room yet.
		if slices.Contains(f.layers, layer) && cov.boxed(f.key.tile) {
			f.stale = true
			c.forget(f)
		}
	}
	for z, tiles := range c.byTile {
		if len(tiles) == 0 {
			continue
		}
		area := 0
		for _, r := range cov.rough[z] {
			area += r.Count()
		}
		switch {
		case area == 0:
		case area <= len(tiles):
			for _, r := range cov.rough[z] {
				for x := r.MinX; x <= r.MaxX; x++ {
					for y := r.MinY; y <= r.MaxY; y++ {
						c.touchAt(maptile.Tile{X: x, Y: y, Z: maptile.Zoom(z)}, layer, cov)
					}
				}
			}
		default:
			for tile := range tiles {
				if cov.boxed(tile) {
					c.touchAt(tile, layer, cov)
				}
			}
		}
	}
}

func (c *cache) touchAt(tile maptile.Tile, layer string, cov *cover) {
	// remove puts the last entry in the place of the removed: go from the back.
	for _, e := range slices.Backward(c.byTile[tile.Z][tile]) {
		at := slices.Index(e.layers, layer)
		if at < 0 {
			continue
		}
		e.room[at] -= cov.rows
		if e.room[at] < 0 || cov.shaped(tile) {
			c.remove(e)
			c.dropped++
		}
	}
}

// dropChanged removes what shows a layer that reads differently in snap.
func (c *cache) dropChanged(snap *registry.Snapshot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.catalogue
	c.catalogue = snap
	changed := func(id string) bool {
		if before == nil {
			return true
		}
		was, had := before.Layer(id)
		is, has := snap.Layer(id)
		return had != has || !reflect.DeepEqual(was, is)
	}
	memo := map[string]bool{}
	any := func(layers []string) bool {
		return slices.ContainsFunc(layers, func(id string) bool {
			v, ok := memo[id]
			if !ok {
				v = changed(id)
				memo[id] = v
			}
			return v
		})
	}
	for _, f := range c.flights {
		if any(f.layers) {
			f.stale = true
			c.forget(f)
		}
	}
	for _, e := range c.entries {
		if any(e.layers) {
			c.remove(e)
			c.dropped++
		}
	}
}

// used says of which zooms anything is stored.
func (c *cache) used() (used [MaxZoom + 1]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for z := range c.byTile {
		used[z] = len(c.byTile[z]) > 0
	}
	return used
}

// deepest is the deepest zoom of which anything is stored.
func (c *cache) deepest() (z maptile.Zoom) {
	for i, used := range c.used() {
		if used {
			z = maptile.Zoom(i)
		}
	}
	return z
}

// moveTo says that all changes up to p are out of the cache.
func (c *cache) moveTo(p feed.Position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.position.Less(p) {
		c.position = p
	}
}
