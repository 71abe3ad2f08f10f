package api

import (
	"context"
	"sync"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/db"
	"onemap/internal/features"
	"onemap/internal/registry"
)

// areaCache keeps the names of administrative units: lists of people and grants name
// the same few again and again. A unit's name is no secret to whoever may see the
// code it stands beside.
type areaCache struct {
	mu    sync.Mutex
	at    time.Time
	snap  *registry.Snapshot
	known map[string]area
}

type area struct {
	title string
	bound *orb.Bound
}

const (
	areaAge  = time.Minute
	maxAreas = 20_000
)

// areaTitles looks names up for one request.
type areaTitles struct {
	s    *Server
	ctx  context.Context //nolint:containedctx // lives as long as the request
	snap *registry.Snapshot
	now  time.Time
}

func (s *Server) areaTitles(ctx context.Context, req *Request) *areaTitles {
	return &areaTitles{s: s, ctx: ctx, snap: s.opts.Catalogue.Now(), now: req.Received}
}

// look finds a unit; a list is never refused because a name cannot be read.
func (a *areaTitles) look(code string) area {
	if code == "" {
		return area{}
	}
	c := &a.s.areas
	c.mu.Lock()
	if c.snap != a.snap || time.Since(c.at) > areaAge || len(c.known) > maxAreas {
		c.snap, c.at, c.known = a.snap, time.Now(), map[string]area{}
	}
	found, ok := c.known[code]
	c.mu.Unlock()
	if ok {
		return found
	}
	admin, ok := a.snap.Layer("admin")
	if !ok {
		return area{}
	}
	who := features.Asker{Name: "onemap", Role: "system", Reach: db.Everything()}
	title, bound, has, err := a.s.opts.Features.Unit(a.ctx, who, admin, code, features.At(a.now))
	if grids, ok := a.snap.Layer("grids"); ok && err == nil && !has {
		title, bound, has, err = a.s.opts.Features.Unit(a.ctx, who, grids, code, features.At(a.now))
	}
	if err != nil {
		return area{}
	}
	if has {
		found = area{title, bound}
	}
	c.mu.Lock()
	if c.snap == a.snap {
		c.known[code] = found
	}
	c.mu.Unlock()
	return found
}

func (a *areaTitles) of(code string) *string { return optional(a.look(code).title) }

func (a *areaTitles) bounds(code string) []float64 { return bounds(a.look(code).bound) }
