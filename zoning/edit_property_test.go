package zoning

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/paulmach/orb/geojson"

	"onemap/zoning/coverage"
)

// soak multiplies the size of the property test for `make soak`.
func soak() int {
	if os.Getenv("ONEMAP_SOAK") != "" {
		return 20
	}
	return 1
}

// realUnits reads administrative units of a real city as a coverage: noded, healed, their
// common outline the boundary. False where the data is not at hand.
func realUnits(t testing.TB, name string, n coverage.Noder) (*coverage.Coverage, bool) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "shared", "data", "taipei", name))
	if errors.Is(err, os.ErrNotExist) {
		t.Logf("%s is not beside the project: the property is tried on generated plans only", name)
		return nil, false
	}
	if err != nil {
		t.Fatal(err)
	}
	var fc geojson.FeatureCollection
	if err := json.Unmarshal(raw, &fc); err != nil {
		t.Fatal(err)
	}
	c := &coverage.Coverage{Zones: map[coverage.ID]coverage.Shape{}}
	for i, f := range fc.Features {
		s, err := coverage.FromGeometry(f.Geometry)
		if err == nil && len(s.Valid()) > 0 {
			s, err = s.Mended()
		}
		if err != nil {
			t.Fatal(err)
		}
		c.Zones[zid(2000+i)] = s
	}
	if _, err := coverage.Heal(c, n, coverage.HealLimits{}); err != nil {
		t.Fatal(explain(err))
	}
	all := &coverage.Coverage{Zones: maps.Clone(c.Zones)}
	ids := slices.Sorted(maps.Keys(c.Zones))
	if _, err := all.Apply(coverage.Op{Kind: coverage.Merge, Zones: ids}, n, nil); err != nil {
		t.Fatal(explain(err))
	}
	c.Area, c.Exhaustive = all.Zones[ids[0]], true
	return c, true
}

func generated(rnd *rand.Rand) *coverage.Coverage {
	area, zones := checkers(8, 3, rnd)
	return &coverage.Coverage{Zones: zones, Area: area, Exhaustive: true}
}

// proveCoverage looks at a plan without the package under test: every edge is used once,
// its reverse once or by the boundary. It shares no code with coverage.Check.
func proveCoverage(c *coverage.Coverage) error {
	type edge struct{ a, b coverage.Point }
	open := map[edge]coverage.ID{}
	walk := func(s coverage.Shape, f func(edge) error) error {
		for _, p := range s {
			for _, r := range p {
				for i, a := range r {
					if err := f(edge{a, r[(i+1)%len(r)]}); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}
	for id, s := range c.Zones {
		err := walk(s, func(e edge) error {
			if other, ok := open[e]; ok {
				return fmt.Errorf("edge %v of %s is an edge of %s too", e, id, other)
			}
			open[e] = id
			return nil
		})
		if err != nil {
			return err
		}
	}
	for e := range open {
		if _, ok := open[edge{e.b, e.a}]; ok {
			delete(open, e)
			delete(open, edge{e.b, e.a})
		}
	}
	if err := walk(c.Area, func(e edge) error {
		if _, ok := open[e]; !ok {
			return fmt.Errorf("edge %v of the boundary is no zone's", e)
		}
		delete(open, e)
		return nil
	}); err != nil {
		return err
	}
	for e, id := range open {
		return fmt.Errorf("edge %v of %s has nothing on its other side", e, id)
	}
	return nil
}

// chance draws operations at random on what there is.
type chance struct {
	*rand.Rand

	c   *coverage.Coverage
	ids []coverage.ID
	fix map[coverage.Point]bool // nodes of the boundary
	n   int
}

func newChance(seed uint64, c *coverage.Coverage) *chance {
	r := &chance{Rand: rand.New(rand.NewPCG(seed, 7)), c: c}
	r.look()
	return r
}

func (r *chance) look() {
	r.ids = slices.Sorted(maps.Keys(r.c.Zones))
	r.fix = points(r.c.Area)
}

func (r *chance) id() coverage.ID { r.n++; return coverage.ID(newID(time.Now())) }

func (r *chance) ringOf(s coverage.Shape) coverage.Ring {
	p := s[r.IntN(len(s))]
	return p[r.IntN(len(p))]
}

// beside is the zone on the other side of an edge.
func (r *chance) beside(id coverage.ID, a, b coverage.Point) (coverage.ID, bool) {
	for _, o := range r.ids {
		if lo, hi := coverage.Bound(r.c.Zones[o]); o == id || a.X < lo.X || a.X > hi.X || a.Y < lo.Y || a.Y > hi.Y {
			continue
		}
		for _, p := range r.c.Zones[o] {
			for _, ring := range p {
				for i, v := range ring {
					if v == b && ring[(i+1)%len(ring)] == a {
						return o, true
					}
				}
			}
		}
	}
	return "", false
}

// op is a random operation; many are impossible, and must then change nothing.
func (r *chance) op() coverage.Op {
	id := r.ids[r.IntN(len(r.ids))]
	s := r.c.Zones[id]
	g := r.ringOf(s)
	i := r.IntN(len(g))
	a, b := g[i], g[(i+1)%len(g)]
	lo, hi := coverage.Bound(s)
	wide, high := hi.X-lo.X, hi.Y-lo.Y
	near := func(p coverage.Point, part int64) coverage.Point {
		return coverage.Point{X: p.X + r.Int64N(2*wide/part+3) - wide/part - 1, Y: p.Y + r.Int64N(2*high/part+3) - high/part - 1}
	}
	somewhere := func() coverage.Point {
		return coverage.Point{X: lo.X + r.Int64N(wide+1), Y: lo.Y + r.Int64N(high+1)}
	}
	square := func(part int64) coverage.Shape {
		p, w, h := somewhere(), wide/part+2, high/part+2
		return coverage.Shape{{{p, {X: p.X + w, Y: p.Y}, {X: p.X + w, Y: p.Y + h}, {X: p.X, Y: p.Y + h}}}}
	}
	switch r.IntN(16) {
	case 0, 1:
		return coverage.Op{Kind: coverage.MoveVertex, From: a, To: near(a, 30)}
	case 2:
		d := near(coverage.Point{}, 40)
		return coverage.Op{Kind: coverage.MoveEdge, Edge: [2]coverage.Point{a, b}, EdgeTo: [2]coverage.Point{{X: a.X + d.X, Y: a.Y + d.Y}, {X: b.X + d.X, Y: b.Y + d.Y}}}
	case 3:
		m := coverage.Point{X: (a.X + b.X) / 2, Y: (a.Y + b.Y) / 2}
		if !r.fix[a] || !r.fix[b] {
			m = near(m, 200)
		}
		return coverage.Op{Kind: coverage.InsertVertex, Edge: [2]coverage.Point{a, b}, At: m}
	case 4:
		return coverage.Op{Kind: coverage.RemoveVertex, At: a}
	case 5, 6:
		l := []coverage.Point{{X: lo.X - 10, Y: lo.Y + r.Int64N(high+1)}, {X: hi.X + 10, Y: lo.Y + r.Int64N(high+1)}}
		if r.IntN(2) == 0 {
			l = []coverage.Point{{X: lo.X + r.Int64N(wide+1), Y: lo.Y - 10}, somewhere(), {X: lo.X + r.Int64N(wide+1), Y: hi.Y + 10}}
		}
		return coverage.Op{Kind: coverage.Split, Zone: id, Line: l, New: []coverage.ID{r.id()}}
	case 7, 8:
		if o, ok := r.beside(id, a, b); ok {
			return coverage.Op{Kind: coverage.Merge, Zones: []coverage.ID{id, o}}
		}
		k := slices.Index(r.ids, id) + 1 + r.IntN(len(r.ids)-1)
		return coverage.Op{Kind: coverage.Merge, Zones: []coverage.ID{id, r.ids[k%len(r.ids)]}}
	case 9:
		return coverage.Op{Kind: coverage.Add, Zone: r.id(), Shape: square(5), Carve: true}
	case 10:
		return coverage.Op{Kind: coverage.AddPart, Zone: id, Shape: square(8), Carve: true}
	case 11:
		return coverage.Op{Kind: coverage.CutHole, Zone: id, Shape: square(12), New: []coverage.ID{r.id()}}
	case 12:
		for _, o := range r.ids {
			for _, p := range r.c.Zones[o] {
				if len(p) > 1 {
					h := p[1]
					return coverage.Op{Kind: coverage.FillHole, Zone: o, At: coverage.Point{X: (h[0].X + h[1].X + h[2].X) / 3, Y: (h[0].Y + h[1].Y + h[2].Y) / 3}}
				}
			}
		}
		return coverage.Op{Kind: coverage.FillHole, Zone: id, At: somewhere()}
	case 13:
		return coverage.Op{Kind: coverage.Reshape, Zone: id, Line: []coverage.Point{a, near(b, 20), g[(i+1+r.IntN(4))%len(g)]}}
	case 14:
		if o, ok := r.beside(id, a, b); ok {
			return coverage.Op{Kind: coverage.Delete, Zone: id, Target: o}
		}
		return coverage.Op{Kind: coverage.Delete, Zone: id}
	}
	for _, o := range r.ids {
		if len(r.c.Zones[o]) > 1 && r.IntN(2) == 0 {
			return coverage.Op{Kind: coverage.Explode, Zone: o}
		}
	}
	t := slices.Clone(g)
	t[i] = near(a, 30)
	return coverage.Op{Kind: coverage.Reshape, Zone: id, Shape: coverage.Shape{{t}}}
}

// opCounts counts what was done and what was impossible.
type opCounts map[coverage.Kind][2]int

func (n opCounts) add(k coverage.Kind, done bool) {
	c := n[k]
	if done {
		c[0]++
	} else {
		c[1]++
	}
	n[k] = c
}

func (n opCounts) sum() (done, refused int) {
	for _, c := range n {
		done, refused = done+c[0], refused+c[1]
	}
	return done, refused
}

// TestRandomEditsKeepTheCoverage: thousands of random sequences, on a generated plan and on
// the districts and villages of a real city, noded by the database. After every sequence
// the coverage is exact by a proof of its own, and going back over it gives every
// coordinate as it was.
func TestRandomEditsKeepTheCoverage(t *testing.T) {
	w := newTable(t)
	// The database has all the time it needs: what its noding answers is proved here, on a
	// busy machine too. How long an edit waits for it is no matter of this test.
	n := &noder{ctx: context.Background(), tx: w.admin, queries: w.s.queries, patient: true}
	sources := []struct {
		name      string
		sequences int
		steps     int
		make      func() (*coverage.Coverage, bool)
	}{
		{"generated", 1200, 6, func() (*coverage.Coverage, bool) { return generated(rand.New(rand.NewPCG(1, 2))), true }},
		{"districts", 80, 5, func() (*coverage.Coverage, bool) { return realUnits(t, "admin_district.geojson", n) }},
		{"villages", 120, 6, func() (*coverage.Coverage, bool) { return realUnits(t, "admin_village.geojson", n) }},
	}
	for _, src := range sources {
		start, ok := src.make()
		if !ok {
			continue
		}
		if err := proveCoverage(start); err != nil {
			t.Fatalf("%s: before anything: %v", src.name, err)
		}
		if bad := start.Check(); len(bad) > 0 {
			t.Fatalf("%s: before anything: %+v", src.name, bad[0])
		}
		counts := opCounts{}
		began := time.Now()
		for seq := range src.sequences * soak() {
			c := &coverage.Coverage{Zones: maps.Clone(start.Zones), Area: start.Area, Exhaustive: true}
			r := newChance(uint64(seq), c)
			var done []coverage.Change
			for tries := 0; len(done) < src.steps && tries < 4*src.steps; tries++ {
				op := r.op()
				ch, err := c.Apply(op, n, func() coverage.ID { return r.id() })
				counts.add(op.Kind, err == nil)
				if err == nil {
					done = append(done, ch)
					r.look()
					continue
				}
				if _, ok := errors.AsType[*coverage.Error](err); !ok {
					t.Fatalf("%s, sequence %d: %+v: %v", src.name, seq, op, err)
				}
			}
			if err := proveCoverage(c); err != nil {
				t.Fatalf("%s, sequence %d: %v", src.name, seq, err)
			}
			if seq%25 == 0 {
				if bad := c.Check(); len(bad) > 0 {
					t.Fatalf("%s, sequence %d: %+v", src.name, seq, bad[0])
				}
			}
			for _, ch := range slices.Backward(done) {
				for id := range ch.After {
					delete(c.Zones, id)
				}
				maps.Copy(c.Zones, ch.Before)
				if ch.AreaAfter != nil {
					c.Area = ch.AreaBefore
				}
			}
			if !maps.EqualFunc(c.Zones, start.Zones, coverage.Shape.Equal) || !c.Area.Equal(start.Area) {
				t.Fatalf("%s, sequence %d: undone is not what was", src.name, seq)
			}
		}
		did, refused := counts.sum()
		t.Logf("%s: %d sequences, %d steps done, %d impossible, noded %d times, %v: %v", src.name, src.sequences*soak(), did, refused, n.calls, time.Since(began).Round(time.Millisecond), counts)
		if did < 5000 {
			continue // too few to meet the rare ones
		}
		for _, k := range []coverage.Kind{coverage.Add, coverage.AddPart, coverage.Reshape, coverage.Split, coverage.Merge, coverage.CutHole, coverage.MoveVertex,
			coverage.MoveEdge, coverage.InsertVertex, coverage.RemoveVertex, coverage.Delete, coverage.FillHole, coverage.Explode} {
			if counts[k][0] == 0 {
				t.Errorf("%s: no %s worked: %v", src.name, k, counts[k])
			}
		}
	}
}

// TestRandomEditsThroughTheDatabase does the same the whole way: edits, all of them taken
// back, all done again, by a client who knows the plan only from what he was answered.
func TestRandomEditsThroughTheDatabase(t *testing.T) {
	w := newTable(t)
	// Only what the plans begin with is noded by it; edits have the noder they always have.
	n := &noder{ctx: context.Background(), tx: w.admin, queries: w.s.queries, patient: true}
	plans := map[string]*coverage.Coverage{"generated": generated(rand.New(rand.NewPCG(3, 4)))}
	for _, name := range []string{"admin_district.geojson", "admin_village.geojson"} {
		if c, ok := realUnits(t, name, n); ok {
			plans[name] = c
		}
	}
	for _, name := range slices.Sorted(maps.Keys(plans)) {
		start := plans[name]
		plan := w.plan(true, start.Area, start.Zones)
		base := w.base(plan)
		was := w.state(plan)
		counts := opCounts{}
		began := time.Now()
		edits := 0
		for seq := range 3 * soak() {
			c := &coverage.Coverage{Zones: maps.Clone(start.Zones), Area: start.Area, Exhaustive: true}
			r := newChance(uint64(1000+seq), c)
			take := func(e EditResult) {
				edits++
				for _, z := range e.Zones {
					base[z.Zone], c.Zones[coverage.ID(z.Zone)] = z.Version, z.Shape
				}
				for _, z := range e.Removed {
					delete(base, z)
					delete(c.Zones, coverage.ID(z))
				}
				if e.Area != nil {
					c.Area = e.Area
				}
				r.look()
			}
			send := func(steps ...Step) (EditResult, error) {
				return w.s.Edit(context.Background(), w.by, EditRequest{Plan: plan, EditID: newID(time.Now()), Base: base, Steps: steps})
			}
			var done []string
			for tries := 0; len(done) < 8 && tries < 32; tries++ {
				op := r.op()
				e, err := send(Step{Op: op})
				counts.add(op.Kind, err == nil)
				if err != nil {
					if refused(err) == "" {
						t.Fatalf("%s, sequence %d: %+v: %s", name, seq, op, explain(err))
					}
					continue
				}
				take(e)
				done = append(done, e.EditID)
			}
			if err := proveCoverage(c); err != nil {
				t.Fatalf("%s, sequence %d: what the client knows: %v", name, seq, err)
			}
			w.whole(plan)
			is := w.state(plan)
			// Back, forth and back over all of them.
			var undos []string
			for _, id := range slices.Backward(done) {
				e, err := send(Step{Restore: id})
				if err != nil {
					t.Fatalf("%s, sequence %d: undo: %s", name, seq, explain(err))
				}
				take(e)
				undos = append(undos, e.EditID)
			}
			if w.state(plan) != was {
				t.Fatalf("%s, sequence %d: undone is not what was", name, seq)
			}
			var redos []string
			for _, id := range slices.Backward(undos) {
				e, err := send(Step{Restore: id})
				if err != nil {
					t.Fatalf("%s, sequence %d: redo: %s", name, seq, explain(err))
				}
				take(e)
				redos = append(redos, e.EditID)
			}
			if w.state(plan) != is {
				t.Fatalf("%s, sequence %d: done again is not what was done", name, seq)
			}
			for _, id := range slices.Backward(redos) {
				e, err := send(Step{Restore: id})
				if err != nil {
					t.Fatalf("%s, sequence %d: undo again: %s", name, seq, explain(err))
				}
				take(e)
			}
			if w.state(plan) != was {
				t.Fatalf("%s, sequence %d: undone again is not what was", name, seq)
			}
			if !maps.Equal(base, w.base(plan)) {
				t.Fatalf("%s, sequence %d: the client's versions are not the database's", name, seq)
			}
		}
		w.whole(plan)
		did, refused := counts.sum()
		t.Logf("%s: %d edits (%d drawn, %d impossible), %v: %v", name, edits, did, refused, time.Since(began).Round(time.Millisecond), counts)
	}
}
