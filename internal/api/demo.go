package api

import (
	"context"
	"slices"
	"sync"

	"onemap/internal/features"
	"onemap/internal/feed"
	"onemap/internal/geo"
)

// demoArea knows where the demo county is. A feed row does not say what data set its
// row is of, so that a stream limited to demo rows is given what lies wholly inside
// the demo county, and of that the rows it may read.
type demoArea struct {
	mu    sync.Mutex
	known bool
	area  geo.Scopes
}

// inside keeps what a demo stream may know of.
func (d *demoArea) inside(ctx context.Context, store Questions, who features.Asker, changes []feed.Change) ([]feed.Change, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.known || slices.ContainsFunc(changes, func(c feed.Change) bool { return c.Layer == feed.CatalogueChanged || c.Layer == "admin" }) {
		area, err := store.DemoArea(ctx, who)
		if err != nil {
			return nil, err
		}
		d.area, d.known = area, true
	}
	within := func(row geo.Scopes) bool {
		return !slices.ContainsFunc(row, func(s geo.Scope) bool { return !d.area.Contains(s) })
	}
	out := make([]feed.Change, 0, len(changes))
	for _, c := range changes {
		if c.Layer == feed.CatalogueChanged || c.Layer == feed.RegistryChanged ||
			len(c.OldScope)+len(c.NewScope) > 0 && within(c.OldScope) && within(c.NewScope) {
			out = append(out, c)
		}
	}
	return out, nil
}
