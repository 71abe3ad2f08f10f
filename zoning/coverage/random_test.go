package coverage

import (
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// randomRing is a star around a place: simple, with n points.
func randomRing(rng *rand.Rand, centre Point, radius int64, n int) Ring {
	r := make(Ring, n)
	for i := range r {
		a := 2 * math.Pi * (float64(i) + 0.8*rng.Float64()) / float64(n)
		d := float64(radius) * (0.4 + 0.6*rng.Float64())
		r[i] = Point{centre.X + int64(d*math.Cos(a)), centre.Y + int64(d*math.Sin(a))}
	}
	return r
}

// randomOp is something a person might do; most are possible.
func randomOp(rng *rand.Rand, c *Coverage) Op {
	ids := c.ids()
	id := ids[rng.IntN(len(ids))]
	lo, hi := Bound(c.Area)
	if len(c.Area) == 0 {
		lo, hi = Bound(c.Zones[ids[0]])
	}
	anywhere := func() Point {
		return Point{lo.X + rng.Int64N(hi.X-lo.X+1), lo.Y + rng.Int64N(hi.Y-lo.Y+1)}
	}
	zone := c.Zones[id]
	poly := zone[rng.IntN(len(zone))]
	ring := poly[rng.IntN(len(poly))]
	k := rng.IntN(len(ring))
	p, q := ring[k], ring[(k+1)%len(ring)]
	near := func(p Point, d int64) Point { return Point{p.X + rng.Int64N(2*d+1) - d, p.Y + rng.Int64N(2*d+1) - d} }
	// A shape near what is there, sometimes on its very vertices.
	shape := func() Shape {
		r := randomRing(rng, near(p, step), step/2+rng.Int64N(2*step), 3+rng.IntN(12))
		for i := range r {
			if rng.IntN(4) == 0 {
				o := c.Zones[ids[rng.IntN(len(ids))]][0][0]
				best := o[rng.IntN(len(o))]
				if abs(best.X-r[i].X)+abs(best.Y-r[i].Y) < step {
					r[i] = best
				}
			}
		}
		if rng.IntN(5) == 0 {
			hole := randomRing(rng, p, step/10, 4)
			return Shape{{r, cw(hole)}}
		}
		return Shape{{r}}
	}
	line := func() []Point {
		l := []Point{near(p, 3*step)}
		for range 1 + rng.IntN(4) {
			l = append(l, near(p, 3*step))
		}
		if rng.IntN(2) == 0 {
			l = []Point{anywhere(), anywhere()}
		}
		if rng.IntN(3) == 0 {
			l[0] = p
		}
		return l
	}
	switch rng.IntN(16) {
	case 0, 1:
		return Op{Kind: MoveVertex, From: p, To: near(p, step/3)}
	case 2:
		d := near(Point{}, step/4)
		return Op{Kind: MoveEdge, Edge: [2]Point{p, q}, EdgeTo: [2]Point{{p.X + d.X, p.Y + d.Y}, {q.X + d.X, q.Y + d.Y}}}
	case 3:
		return Op{Kind: InsertVertex, Edge: [2]Point{p, q}, At: Point{(p.X + q.X) / 2, (p.Y + q.Y) / 2}}
	case 4:
		return Op{Kind: RemoveVertex, At: p}
	case 5, 6:
		return Op{Kind: Split, Zone: id, Line: line()}
	case 7:
		other := ids[rng.IntN(len(ids))]
		for o := range (&work{Coverage: c}).neighbours(id) {
			other = max(other, o)
		}
		return Op{Kind: Merge, Zones: []ID{id, other}}
	case 8, 9:
		return Op{Kind: Add, Shape: shape(), Carve: rng.IntN(4) > 0}
	case 10:
		return Op{Kind: AddPart, Zone: id, Shape: shape(), Carve: true}
	case 11:
		return Op{Kind: Reshape, Zone: id, Shape: shape()}
	case 12:
		return Op{Kind: Reshape, Zone: id, Line: line()}
	case 13:
		return Op{Kind: CutHole, Zone: id, Shape: shape()}
	case 14:
		if len(poly) > 1 {
			b := boxOf(poly[1]...)
			return Op{Kind: FillHole, Zone: id, At: Point{(b.Min.X + b.Max.X) / 2, (b.Min.Y + b.Max.Y) / 2}}
		}
		if len(zone) > 1 {
			return Op{Kind: Explode, Zone: id}
		}
		fallthrough
	default:
		op := Op{Kind: Delete, Zone: id}
		if c.Exhaustive || rng.IntN(2) == 0 {
			var beside []ID
			for o := range (&work{Coverage: c}).neighbours(id) {
				beside = append(beside, o)
			}
			slices.Sort(beside)
			if len(beside) > 0 {
				op.Target = beside[rng.IntN(len(beside))]
			}
		}
		return op
	}
}

// play does random operations and holds after each: the coverage is right, the local
// proof agrees, the area covered is what it was, and taking the step back gives the same
// bits.
func play(t *testing.T, c *Coverage, rng *rand.Rand, n Noder, steps int) map[Kind][2]int {
	t.Helper()
	newID := idMaker("n")
	wantRight(t, c)
	before := total(c)
	done := map[Kind][2]int{}
	for i := range steps {
		op := randomOp(rng, c)
		was := clone(c)
		ch, err := c.Apply(op, n, newID)
		d := done[op.Kind]
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("step %d %s: %v", i, op.Kind, err)
			}
			if !equal(was, c) {
				t.Fatalf("step %d %s: refused with %v but changed", i, op.Kind, err)
			}
			d[1]++
			done[op.Kind] = d
			continue
		}
		d[0]++
		done[op.Kind] = d
		if bad := c.Check(); len(bad) > 0 {
			t.Fatalf("step %d %s %+v: %d faults, first %s of %v at %v, %g m²", i, op.Kind, op, len(bad), bad[0].Code, bad[0].Zones, bad[0].At, bad[0].AreaM2)
		}
		if bad := CheckChange(was, c, ch); len(bad) > 0 {
			t.Fatalf("step %d %s: the local proof says %v", i, op.Kind, bad[0])
		}
		if now := total(c); c.Exhaustive && math.Abs(now-before) > 1 {
			t.Fatalf("step %d %s: %f m² covered, were %f", i, op.Kind, now, before)
		}
		// Undo and redo.
		back := clone(c)
		undo(back, ch)
		if !equal(back, was) {
			t.Fatalf("step %d %s: taking it back is not what was", i, op.Kind)
		}
		if len(c.Zones) > 60 || len(c.Zones) < 3 {
			undo(c, ch)
		}
	}
	return done
}

func undo(c *Coverage, ch Change) {
	for id := range ch.After {
		if _, ok := ch.Before[id]; !ok {
			delete(c.Zones, id)
		}
	}
	maps.Copy(c.Zones, ch.Before)
	if ch.AreaAfter != nil {
		c.Area = ch.AreaBefore
	}
}

func equal(a, b *Coverage) bool {
	if len(a.Zones) != len(b.Zones) || !a.Area.Equal(b.Area) {
		return false
	}
	for id, s := range a.Zones {
		if o, ok := b.Zones[id]; !ok || !s.Equal(o) {
			return false
		}
	}
	return true
}

// With edges of a few steps of the grid nearly every crossing is rounded onto something
// else: what is possible must be right all the same.
func TestRandomEditsOnCoarseGrid(t *testing.T) {
	for _, size := range []int64{8, 20, 50} {
		step = size
		for seed := range uint64(3) {
			rng := rand.New(rand.NewPCG(seed, 6))
			c := grid(rng, 4, 4)
			done := play(t, c, rng, nil, 400)
			if seed == 0 {
				t.Logf("step %d: %v", size, done)
			}
			c = grid(rng, 4, 4)
			c.Exhaustive = false
			play(t, c, rng, nil, 200)
		}
	}
	step = 100_000
}

func TestRandomEdits(t *testing.T) {
	for seed := range uint64(5) {
		rng := rand.New(rand.NewPCG(seed, 4))
		c := grid(rng, 4, 5)
		done := play(t, c, rng, nil, 500)
		if seed == 0 {
			t.Logf("done and refused: %v", done)
		}
	}
}

func TestRandomEditsWithGaps(t *testing.T) {
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 5))
		c := grid(rng, 4, 5)
		c.Exhaustive = false
		if seed%2 == 0 {
			c.Area = nil
		}
		done := play(t, c, rng, nil, 500)
		if seed == 0 {
			t.Logf("done and refused: %v", done)
		}
	}
}
