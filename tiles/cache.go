package tiles

import (
	"container/list"
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/paulmach/orb/maptile"

	"onemap/internal/feed"
	"onemap/internal/registry"
)

// key names a tile exactly: what is drawn, where, how, and for whom.
type key struct {
	tile    maptile.Tile
	layers  string
	reach   string // areas, role class and rights' epoch
	variant string // the parameters
}

// makeKey writes the variant. It is called for every hit, so it is plain appends.
func makeKey(r *Request) key {
	k := key{tile: maptile.Tile{X: uint32(r.X), Y: uint32(r.Y), Z: maptile.Zoom(r.Z)}}
	k.layers, k.reach = join(r.Layers), r.Reach.Key()
	if !r.Drafts && r.Filter == "" && r.DateTime == nil && r.AsOf == nil && r.Plan == "" && r.Properties == nil {
		return k
	}
	var buf [256]byte
	b := buf[:0]
	// Every part is delimited by NUL, which no parameter may contain, so that no
	// two different requests can read alike.
	if r.Drafts {
		b = append(b, 'd')
	}
	b = append(b, 0)
	b = append(b, r.Filter...)
	b = append(b, 0)
	if r.DateTime != nil {
		b = strconv.AppendInt(b, r.DateTime.UnixMicro(), 36)
	}
	b = append(b, 0)
	if r.AsOf != nil {
		b = strconv.AppendInt(b, r.AsOf.UnixMicro(), 36)
	}
	b = append(b, 0)
	b = append(b, r.Plan...)
	b = append(b, 0)
	if r.Properties != nil {
		b = append(b, '=')
		for _, p := range r.Properties {
			b = append(b, p...)
			b = append(b, ',')
		}
	}
	k.variant = string(b)
	return k
}

func join(layers []string) string {
	if len(layers) == 1 {
		return layers[0]
	}
	return strings.Join(layers, ",")
}

// entry is a stored tile.
type entry struct {
	key     key
	tile    *Tile
	layers  []string
	expires time.Time // zero: only a change ends it
	room    []int64   // per layer: rows it may still gain before something must be left out
	lru     *list.Element
	bytes   int64
}

const entryOverhead = 512 // struct, map slots, key, list element

// flight is a render under way; everybody who wants the same tile waits for it.
type flight struct {
	key     key
	layers  []string
	done    chan struct{}
	tile    *Tile
	err     error
	waiting int
	cancel  context.CancelFunc
	stale   bool // a change touched it: hand it to those who wait, do not store it
}

// cache holds tiles and flights under one mutex; the critical sections are map
// look-ups and list moves. Measured on two cores (BenchmarkHitParallel): 0.2 to 0.3
// µs a look-up, from one core or from both at once, beside some 20 µs for a request;
// a lock per shard would have nothing to win.
type cache struct {
	mu       sync.Mutex
	max      int64
	bytes    int64
	entries  map[key]*entry
	flights  map[key]*flight
	byTile   [MaxZoom + 1]map[maptile.Tile][]*entry
	order    *list.List // front: used last
	position feed.Position
	// catalogue is what stored tiles were made by.
	catalogue *registry.Snapshot
	evicted   uint64
	dropped   uint64
	// scopes are the reaches tiles are kept for, and when each was last asked for:
	// a house full of people with grants of their own must not push out each other.
	scopes map[string]*scopeUse
	unkept uint64
}

// maxScopes is how many reaches may have tiles in the cache.
const maxScopes = 256

// scopeRest is how long a reach must have been quiet before another takes its place.
const scopeRest = time.Minute

type scopeUse struct {
	used    time.Time
	entries int
}

func newCache(maxBytes int64) *cache {
	c := &cache{max: maxBytes, entries: map[key]*entry{}, flights: map[key]*flight{}, order: list.New(), scopes: map[string]*scopeUse{}}
	for z := range c.byTile {
		c.byTile[z] = map[maptile.Tile][]*entry{}
	}
	return c
}

// get returns a tile that may still be shown.
func (c *cache) get(k key, now time.Time) (*Tile, feed.Position, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[k]
	if !ok {
		return nil, feed.Position{}, false
	}
	if !e.expires.IsZero() && !now.Before(e.expires) {
		c.remove(e)
		return nil, feed.Position{}, false
	}
	c.order.MoveToFront(e.lru)
	c.scopes[k.reach].used = now
	return e.tile, c.position, true
}

// join enters the flight of a key, making it when there is none.
func (c *cache) join(k key, layers []string) (f *flight, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, ok := c.flights[k]; ok {
		f.waiting++
		return f, false
	}
	f = &flight{key: k, layers: layers, done: make(chan struct{}), waiting: 1}
	c.flights[k] = f
	return f, true
}

// leave gives up waiting; the last to leave stops the render, in the database too.
func (c *cache) leave(f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.waiting--; f.waiting == 0 && f.cancel != nil {
		c.forget(f)
		f.cancel()
	}
}

// forget lets newcomers start their own render.
func (c *cache) forget(f *flight) {
	if c.flights[f.key] == f {
		delete(c.flights, f.key)
	}
}

// land ends a flight and stores its tile, unless a change touched it meanwhile.
func (c *cache) land(f *flight, e *entry, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(f)
	if e != nil && !f.stale {
		e.tile.Position = c.position
		c.store(e, now)
	}
	close(f.done)
}

// admit says whether tiles of a reach are kept. When there are too many reaches, the
// one that was quiet for longest goes, with its tiles; when none is quiet, the
// newcomer's tiles are made for him and not kept.
func (c *cache) admit(reach string, now time.Time) bool {
	if c.scopes[reach] != nil {
		return true
	}
	if len(c.scopes) >= maxScopes {
		quiet, since := "", now.Add(-scopeRest)
		for r, s := range c.scopes {
			if s.used.Before(since) {
				quiet, since = r, s.used
			}
		}
		if c.scopes[quiet] == nil {
			return false
		}
		for _, e := range c.entries {
			if e.key.reach == quiet {
				c.remove(e)
				c.evicted++
			}
		}
		delete(c.scopes, quiet)
	}
	c.scopes[reach] = &scopeUse{}
	return true
}

func (c *cache) store(e *entry, now time.Time) {
	if old, ok := c.entries[e.key]; ok {
		c.remove(old)
	}
	e.bytes = int64(len(e.tile.Body)+len(e.key.layers)+len(e.key.variant)) + entryOverhead
	if e.bytes > c.max/8 { // one giant must not push out everything else
		return
	}
	if !c.admit(e.key.reach, now) {
		c.unkept++
		return
	}
	use := c.scopes[e.key.reach]
	use.used = now
	use.entries++
	e.lru = c.order.PushFront(e)
	c.entries[e.key] = e
	at := c.byTile[e.key.tile.Z]
	at[e.key.tile] = append(at[e.key.tile], e)
	c.bytes += e.bytes
	for c.bytes > c.max {
		c.remove(c.order.Back().Value.(*entry))
		c.evicted++
	}
}

func (c *cache) remove(e *entry) {
	c.order.Remove(e.lru)
	delete(c.entries, e.key)
	if use := c.scopes[e.key.reach]; use != nil {
		if use.entries--; use.entries == 0 {
			delete(c.scopes, e.key.reach)
		}
	}
	at := c.byTile[e.key.tile.Z]
	same := at[e.key.tile]
	for i, o := range same {
		if o == e {
			same[i] = same[len(same)-1]
			same[len(same)-1] = nil
			same = same[:len(same)-1]
			break
		}
	}
	if len(same) == 0 {
		delete(at, e.key.tile)
	} else {
		at[e.key.tile] = same
	}
	c.bytes -= e.bytes
}
