package zoning

import (
	"slices"

	"github.com/paulmach/orb"

	"onemap/zoning/coverage"
)

// sides is one zone as an edit found and left it; nil where it was not there.
type sides struct {
	zone          string
	before, after *editZone
}

// shaped says whether the edit changed the zone's shape, or made or removed it.
func (c *sides) shaped() bool {
	return (c.before == nil) != (c.after == nil) || c.before != nil && !orb.Equal(c.before.geom, c.after.geom)
}

// back is the outcome of bringing the before side of every zone back.
func (d *drawing) back(all []sides) *outcome {
	o := &outcome{before: map[string]*editZone{}, after: map[string]*Zone{}, exact: map[string]orb.Geometry{}, moved: map[string]bool{}}
	for _, c := range all {
		id := coverage.ID(c.zone)
		if c.after != nil {
			o.before[c.zone] = d.was[c.zone]
		}
		shape := c.shaped()
		if shape && c.after != nil {
			d.change.Before[id] = d.was[c.zone].Shape
		}
		if c.before == nil {
			delete(d.cov.Zones, id)
			continue
		}
		z := c.before.Zone
		if c.after != nil {
			z.Version = d.was[c.zone].Version
		} else {
			z.Version++ // the versions of a zone only grow, or an old base would fit again
		}
		o.after[c.zone] = &z
		if shape {
			o.moved[c.zone], o.exact[c.zone] = true, c.before.geom
			d.cov.Zones[id], d.change.After[id] = z.Shape, z.Shape
		}
	}
	return o
}

// borderBack takes the nodes an edit added to the plan's boundary off it again (or, when
// an undo is undone, puts them on it again). Nodes of other steps stay.
func (d *drawing) borderBack(o *outcome, from, to orb.Geometry) error {
	if orb.Equal(d.plan.border, from) {
		o.border = to
	} else {
		f, err := coverage.FromGeometry(from)
		if err != nil {
			return err
		}
		t, err := coverage.FromGeometry(to)
		if err != nil {
			return err
		}
		now, ok := replay(d.plan.Border, f, t)
		if !ok {
			return &StaleError{}
		}
		o.border = now.Geometry()
	}
	// The change does not name the boundary: its nodes may be added by a step, here some go.
	// The check then compares the faces on both sides of it.
	var err error
	d.cov.Area, err = coverage.FromGeometry(o.border)
	return err
}

// replay does to now what led from one boundary to another that differs by nodes only:
// points of from that are not in to go, runs of points that are only in to come between
// the two they lie between there. False when now has not what they hang on.
func replay(now, from, to coverage.Shape) (coverage.Shape, bool) {
	was, will := points(from), points(to)
	type edge struct{ a, b coverage.Point }
	runs := map[edge][]coverage.Point{}
	for _, p := range to {
		for _, r := range p {
			start := slices.IndexFunc(r, func(v coverage.Point) bool { return was[v] })
			if start < 0 {
				return nil, false
			}
			var run []coverage.Point
			last := r[start]
			for i := 1; i <= len(r); i++ {
				v := r[(start+i)%len(r)]
				if !was[v] {
					run = append(run, v)
					continue
				}
				if len(run) > 0 {
					runs[edge{last, v}] = run
				}
				last, run = v, nil
			}
		}
	}
	gone := 0
	for v := range was {
		if !will[v] {
			gone++
		}
	}
	out := make(coverage.Shape, len(now))
	dropped := map[coverage.Point]bool{}
	for i, p := range now {
		out[i] = make(coverage.Polygon, len(p))
		for j, r := range p {
			kept := make(coverage.Ring, 0, len(r))
			for _, v := range r {
				if was[v] && !will[v] {
					dropped[v] = true
					continue
				}
				kept = append(kept, v)
			}
			ring := make(coverage.Ring, 0, len(kept))
			for k, v := range kept {
				ring = append(ring, v)
				e := edge{v, kept[(k+1)%len(kept)]}
				if run, ok := runs[e]; ok {
					ring = append(ring, run...)
					delete(runs, e)
				}
			}
			out[i][j] = ring
		}
	}
	return out, len(runs) == 0 && len(dropped) == gone
}

func points(s coverage.Shape) map[coverage.Point]bool {
	m := map[coverage.Point]bool{}
	for _, p := range s {
		for _, r := range p {
			for _, v := range r {
				m[v] = true
			}
		}
	}
	return m
}
