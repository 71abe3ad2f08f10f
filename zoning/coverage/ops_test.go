package coverage

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// two squares side by side, with a third above both:
//
//	C C
//	A B
func three() *Coverage {
	c := &Coverage{Exhaustive: true, Zones: map[ID]Shape{
		"A": {{{at(0, 0), at(10000, 0), at(10000, 10000), at(0, 10000)}}},
		"B": {{{at(10000, 0), at(20000, 0), at(20000, 10000), at(10000, 10000)}}},
		"C": {{{at(0, 10000), at(10000, 10000), at(20000, 10000), at(20000, 20000), at(0, 20000)}}},
	}}
	net := map[link]int32{}
	for _, s := range c.Zones {
		count(net, s, 1)
	}
	c.Area, _ = fromBalance(net)
	return c
}

func square(x, y, d int64) Shape {
	return moved(Shape{{rect(x, y, x+d, y+d)}})
}

func has(s Shape, p Point) bool { return hasAny(s, map[Point]bool{p: true}) }

func TestOperations(t *testing.T) {
	line := func(pts ...int64) (out []Point) {
		for i := 0; i < len(pts); i += 2 {
			out = append(out, at(pts[i], pts[i+1]))
		}
		return out
	}
	tests := []struct {
		name string
		op   Op
		open bool // not exhaustive
		code Code // refused with
		want func(t *testing.T, c *Coverage, ch Change)
	}{
		{name: "a moved vertex takes all three along", op: Op{Kind: MoveVertex, From: at(10000, 10000), To: at(9000, 11000)}, want: func(t *testing.T, c *Coverage, ch Change) {
			for _, id := range []ID{"A", "B", "C"} {
				if !has(c.Zones[id], at(9000, 11000)) || has(c.Zones[id], at(10000, 10000)) {
					t.Errorf("%s did not follow", id)
				}
			}
		}},
		{name: "the boundary is locked", op: Op{Kind: MoveVertex, From: at(10000, 0), To: at(10000, 50)}, code: LockedBoundary},
		{name: "no such vertex", op: Op{Kind: MoveVertex, From: at(1, 1), To: at(2, 2)}, code: NoSuchVertex},
		{name: "a move to the same place", op: Op{Kind: MoveVertex, From: at(10000, 10000), To: at(10000, 10000)}, code: NothingToDo},
		{name: "a move that makes a ring cross itself", op: Op{Kind: MoveVertex, From: at(10000, 10000), To: at(25000, 31000)}, code: SelfIntersection},
		{name: "a vertex put onto its neighbour closes the border between", op: Op{Kind: MoveVertex, From: at(10000, 10000), To: at(0, 10000)}, want: func(t *testing.T, c *Coverage, _ Change) {
			if n := c.Zones["A"].Vertices(); n != 3 {
				t.Errorf("A has %d points", n)
			}
		}},
		{name: "an edge moves", op: Op{Kind: MoveEdge, Edge: [2]Point{at(10000, 10000), at(20000, 10000)}, EdgeTo: [2]Point{at(10000, 12000), at(20000, 12000)}}, code: LockedBoundary},
		{name: "a node on the border", op: Op{Kind: InsertVertex, Edge: [2]Point{at(10000, 10000), at(0, 10000)}, At: at(5000, 10500)}, want: func(t *testing.T, c *Coverage, _ Change) {
			if !has(c.Zones["A"], at(5000, 10500)) || !has(c.Zones["C"], at(5000, 10500)) || has(c.Zones["B"], at(5000, 10500)) {
				t.Error("the node is not where it belongs")
			}
		}},
		{name: "a node on the boundary", op: Op{Kind: InsertVertex, Edge: [2]Point{at(0, 0), at(10000, 0)}, At: at(5000, 0)}, want: func(t *testing.T, c *Coverage, ch Change) {
			if !has(c.Area, at(5000, 0)) || ch.AreaAfter == nil {
				t.Error("the boundary lacks the node")
			}
		}},
		{name: "a node beside the boundary", op: Op{Kind: InsertVertex, Edge: [2]Point{at(0, 0), at(10000, 0)}, At: at(5000, 200)}, code: LockedBoundary},
		{name: "where three meet the node stays", op: Op{Kind: RemoveVertex, At: at(10000, 10000)}, code: Gap},
		{name: "split", op: Op{Kind: Split, Zone: "A", Line: line(-500, 3000, 10500, 3000), New: []ID{"N"}}, want: func(t *testing.T, c *Coverage, ch Change) {
			if !c.Zones["N"].Equal(Shape{{{at(0, 0), at(10000, 0), at(10000, 3000), at(0, 3000)}}}) {
				t.Errorf("the smaller piece is %v", c.Zones["N"])
			}
			if !has(c.Zones["B"], at(10000, 3000)) || !has(c.Area, at(0, 3000)) || ch.Heirs["N"] != "A" {
				t.Error("the nodes are not in every user, or N has no heir")
			}
			if has(c.Zones["C"], at(10000, 3000)) || len(ch.After) != 3 {
				t.Errorf("%d zones changed", len(ch.After))
			}
		}},
		{name: "a line that dangles leaves no trace", op: Op{Kind: Split, Zone: "A", Line: line(5000, 3000, 15000, 3000)}, code: NothingToDo},
		{name: "a line outside", op: Op{Kind: Split, Zone: "A", Line: line(12000, 3000, 15000, 3000)}, code: NothingToDo},
		{name: "a line that crosses itself", op: Op{Kind: Split, Zone: "A", Line: line(-5, 3000, 5000, 3000, 5000, 6000, 3000, 1000)}, code: SelfIntersection},
		{name: "merge", op: Op{Kind: Merge, Zones: []ID{"A", "B"}}, want: func(t *testing.T, c *Coverage, ch Change) {
			if _, ok := c.Zones["B"]; ok || len(c.Zones["A"]) != 1 || c.Zones["A"].Vertices() != 6 {
				t.Errorf("merged: %v", c.Zones["A"])
			}
		}},
		{name: "merge with nobody", op: Op{Kind: Merge, Zones: []ID{"A", "A"}}, code: NothingToDo},
		{name: "merge with a stranger", op: Op{Kind: Merge, Zones: []ID{"A", "X"}}, code: NoSuchZone},
		{name: "carve", op: Op{Kind: Add, Zone: "N", Carve: true, Shape: square(8000, 8000, 4000)}, want: func(t *testing.T, c *Coverage, ch Change) {
			if c.Zones["N"].Vertices() < 4 || c.Zones["A"].Vertices() != 6 || ch.Heirs["N"] != "C" {
				t.Errorf("N %v, A %v, heir %v", c.Zones["N"], c.Zones["A"], ch.Heirs)
			}
		}},
		{name: "nothing is free in a full plan", op: Op{Kind: Add, Zone: "N", Shape: square(8000, 8000, 4000)}, code: NothingToDo},
		{name: "outside the area", op: Op{Kind: Add, Zone: "N", Carve: true, Shape: square(50000, 0, 4000)}, code: OutsideArea},
		{name: "partly outside is cut at the area", op: Op{Kind: Add, Zone: "N", Carve: true, Shape: square(18000, 2000, 4000)}, want: func(t *testing.T, c *Coverage, _ Change) {
			if !c.Zones["N"].Equal(Shape{{{at(18000, 2000), at(20000, 2000), at(20000, 6000), at(18000, 6000)}}}) {
				t.Errorf("N %v", c.Zones["N"])
			}
		}},
		{name: "clip at neighbours", open: true, op: Op{Kind: Add, Zone: "N", Shape: square(18000, 18000, 2500)}, code: NothingToDo},
		{name: "a bow-tie", op: Op{Kind: Add, Zone: "N", Carve: true, Shape: Shape{{line(0, 0, 4000, 4000, 4000, 0, 0, 3000)}}}, code: SelfIntersection},
		{name: "cut a hole", op: Op{Kind: CutHole, Zone: "A", New: []ID{"N"}, Shape: square(2000, 2000, 3000)}, want: func(t *testing.T, c *Coverage, ch Change) {
			if len(c.Zones["A"][0]) != 2 || len(c.Zones["N"]) != 1 || ch.Heirs["N"] != "A" {
				t.Errorf("A %v N %v", c.Zones["A"], c.Zones["N"])
			}
		}},
		{name: "cut a gap", open: true, op: Op{Kind: CutHole, Zone: "A", Shape: square(2000, 2000, 3000)}, want: func(t *testing.T, c *Coverage, ch Change) {
			if len(c.Zones["A"][0]) != 2 || len(c.Zones) != 3 {
				t.Errorf("A %v", c.Zones["A"])
			}
		}},
		{name: "a part elsewhere", op: Op{Kind: AddPart, Zone: "A", Carve: true, Shape: square(15000, 15000, 2000)}, want: func(t *testing.T, c *Coverage, _ Change) {
			if len(c.Zones["A"]) != 2 || len(c.Zones["C"][0]) != 2 {
				t.Errorf("A %v C %v", c.Zones["A"], c.Zones["C"])
			}
		}},
		{name: "reshape gives what is left to the neighbour", op: Op{Kind: Reshape, Zone: "A", Shape: square(0, 0, 8000)}, want: func(t *testing.T, c *Coverage, _ Change) {
			if !c.Zones["A"].Equal(square(0, 0, 8000)) {
				t.Errorf("A %v", c.Zones["A"])
			}
		}},
		{name: "reshape by a line", op: Op{Kind: Reshape, Zone: "A", Line: line(11000, -200, 9000, 5000, 10500, 11000)}, want: func(t *testing.T, c *Coverage, _ Change) {
			if !has(c.Zones["A"], at(9000, 5000)) || !has(c.Zones["B"], at(9000, 5000)) {
				t.Errorf("A %v", c.Zones["A"])
			}
		}},
		{name: "delete leaves no gap", op: Op{Kind: Delete, Zone: "A"}, code: Gap},
		{name: "delete into a neighbour", op: Op{Kind: Delete, Zone: "A", Target: "B"}, want: func(t *testing.T, c *Coverage, _ Change) {
			if len(c.Zones) != 2 {
				t.Error("A is still there")
			}
		}},
		{name: "delete into itself", op: Op{Kind: Delete, Zone: "A", Target: "A"}, code: NotAdjacent},
		{name: "delete in a plan with gaps", open: true, op: Op{Kind: Delete, Zone: "A"}, want: func(t *testing.T, c *Coverage, _ Change) {
			if len(c.Zones) != 2 {
				t.Error("A is still there")
			}
		}},
		{name: "explode one part", op: Op{Kind: Explode, Zone: "A"}, code: NothingToDo},
		{name: "no hole there", op: Op{Kind: FillHole, Zone: "A", At: at(5, 5)}, code: NothingToDo},
		{name: "no gap there", op: Op{Kind: AssignGap, Zone: "A", At: at(5, 5)}, code: NothingToDo},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := three()
			c.Exhaustive = !tt.open
			was := clone(c)
			ch, err := c.Apply(tt.op, nil, idMaker("x"))
			if tt.code != "" {
				wantCode(t, err, tt.code)
				if !equal(c, was) {
					t.Error("refused, but changed")
				}
				return
			}
			if err != nil {
				t.Fatalf("%+v", err)
			}
			wantRight(t, c)
			tt.want(t, c, ch)
		})
	}
}

func TestHolesGapsAndParts(t *testing.T) {
	c := three()
	do := func(op Op) Change {
		t.Helper()
		ch, err := c.Apply(op, nil, idMaker("x"))
		if err != nil {
			t.Fatalf("%s: %v", op.Kind, err)
		}
		wantRight(t, c)
		return ch
	}
	full := total(c)
	do(Op{Kind: CutHole, Zone: "A", New: []ID{"H"}, Shape: square(2000, 2000, 3000)})
	do(Op{Kind: CutHole, Zone: "H", New: []ID{"I"}, Shape: square(3000, 3000, 1000)})
	do(Op{Kind: AddPart, Zone: "B", Carve: true, Shape: square(6000, 6000, 1000)})
	do(Op{Kind: FillHole, Zone: "A", At: at(2500, 2500)})
	if _, ok := c.Zones["H"]; ok || len(c.Zones) != 3 || len(c.Zones["A"][0]) != 2 {
		t.Errorf("filled: %d zones, A %v", len(c.Zones), c.Zones["A"])
	}
	do(Op{Kind: Explode, Zone: "B", New: []ID{"B2"}})
	do(Op{Kind: Delete, Zone: "B2", Target: "A"})
	if len(c.Zones["A"][0]) != 1 || total(c)-full > 1e-3 || full-total(c) > 1e-3 {
		t.Errorf("A %v", c.Zones["A"])
	}
	// A gap: a fault in a full plan, to be assigned.
	c.Exhaustive = false
	do(Op{Kind: CutHole, Zone: "A", Shape: square(1000, 1000, 1500)})
	do(Op{Kind: Delete, Zone: "B"})
	c.Exhaustive = true
	bad := c.Check()
	if len(bad) != 2 || bad[0].Code != Gap || len(bad[0].Proposals) == 0 {
		t.Fatalf("gaps: %+v", bad)
	}
	for _, v := range bad {
		if _, err := c.Apply(v.Proposals[0][0], nil, nil); err != nil {
			t.Fatalf("the proposal for %s at %v: %v", v.Code, v.At, err)
		}
	}
	wantRight(t, c)
}

func TestFaultsAreFoundAndProposalsMendThem(t *testing.T) {
	c := three()
	c.Zones["B"] = Shape{{{at(5000, 0), at(20000, 0), at(20000, 10000), at(10000, 10000)}}}
	bad := c.Check()
	if len(bad) != 1 || bad[0].Code != Overlap || !slices.Equal(bad[0].Zones, []ID{"A", "B"}) || len(bad[0].Proposals) != 2 {
		t.Fatalf("overlap: %+v", bad)
	}
	if _, err := c.Apply(bad[0].Proposals[1][0], nil, nil); err != nil {
		t.Fatal(err)
	}
	wantRight(t, c)
	// Thin as a hair.
	c = three()
	c.Zones["B"][0][0][0] = at(10001, 0)
	if bad = c.Check(); len(bad) != 1 || bad[0].Code != Sliver {
		t.Fatalf("sliver: %+v", bad)
	}
	if _, err := c.Apply(bad[0].Proposals[0][0], nil, nil); err != nil {
		t.Fatalf("%+v", err)
	}
	wantRight(t, c)
	// The same zone twice, one in another, and one outside, where gaps may be.
	for name, s := range map[string]Shape{"twice": c.Zones["A"], "inside": square(100, 100, 500), "around": square(-100, -100, 30000), "outside": square(19500, 1000, 5000)} {
		c = three()
		c.Exhaustive = false
		delete(c.Zones, "B")
		c.Zones["X"] = s
		if bad := c.Check(); len(bad) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
	// Edges that cross by less than a step: no face is left, but an overlap it is.
	c = &Coverage{Zones: map[ID]Shape{
		"A": {{{Point{0, 0}, Point{1000, 999}, Point{0, 1000}}}},
		"B": {{{Point{0, -1}, Point{999, -1}, Point{999, 999}}}},
	}}
	if bad := c.Check(); len(bad) == 0 || bad[0].Code != Overlap && bad[0].Code != Sliver {
		t.Errorf("the overlap was not found: %v", bad)
	}
}

// Rings of random points are answered, not computed for ever, and the list has an end.
func TestRandomRings(t *testing.T) {
	for _, n := range []int{100, 1000, 3000} {
		rng := rand.New(rand.NewPCG(uint64(n), 1))
		r := make(Ring, n)
		for i := range r {
			r[i] = at(rng.Int64N(20000), rng.Int64N(20000))
		}
		start := time.Now()
		c := three()
		for _, op := range []Op{
			{Kind: Add, Zone: "N", Carve: true, Shape: Shape{{r}}}, {Kind: Reshape, Zone: "A", Shape: Shape{{r}}},
			{Kind: CutHole, Zone: "A", Shape: Shape{{r}}}, {Kind: Split, Zone: "A", Line: r}, {Kind: Reshape, Zone: "A", Line: r},
		} {
			_, err := c.Apply(op, nil, idMaker("x"))
			var e *Error
			if !errors.As(err, &e) || e.Violations[0].Code != SelfIntersection || len(e.Violations) > 100 {
				t.Errorf("%s of %d random points: %v", op.Kind, n, err)
			}
		}
		c.Zones["A"] = Shape{{r}}
		if bad := c.Check(); len(bad) == 0 || len(bad) > 100 {
			t.Errorf("%d faults are listed", len(bad))
		}
		t.Logf("%d points: %s", n, time.Since(start))
	}
}

func TestNeedMore(t *testing.T) {
	c := three()
	whole := c.Zones["C"]
	delete(c.Zones, "C")
	c.Loaded = &Box{at(0, 0), at(20000, 9000)}
	for _, op := range []Op{
		{Kind: MoveVertex, From: at(10000, 10000), To: at(9000, 9000)},
		{Kind: Split, Zone: "A", Line: []Point{at(5000, -5), at(5000, 10005)}},
		{Kind: Add, Zone: "N", Carve: true, Shape: square(8000, 8000, 4000)},
	} {
		_, err := c.Apply(op, nil, nil)
		var more *NeedMore
		if !errors.As(err, &more) {
			t.Fatalf("%s: %v", op.Kind, err)
		}
		d := clone(c)
		d.Zones["C"] = whole
		box := more.Box
		d.Loaded = &box
		if _, err := d.Apply(op, nil, idMaker("x")); err != nil {
			t.Errorf("%s, with more: %v", op.Kind, err)
		}
		d.Loaded = nil
		wantRight(t, d)
	}
	// What lies wholly in what is loaded needs no more.
	if _, err := c.Apply(Op{Kind: CutHole, Zone: "A", New: []ID{"N"}, Shape: square(2000, 2000, 3000)}, nil, nil); err != nil {
		t.Error(err)
	}
}

func TestMergeOfChanges(t *testing.T) {
	c := three()
	first := clone(c)
	var all Change
	newID := idMaker("x")
	for _, op := range []Op{
		{Kind: Split, Zone: "A", Line: []Point{at(-5, 3000), at(10005, 3000)}, New: []ID{"N"}},
		{Kind: MoveVertex, From: at(10000, 3000), To: at(9000, 3500)},
		{Kind: Merge, Zones: []ID{"B", "N"}},
		{Kind: Split, Zone: "C", Line: []Point{at(5000, 25000), at(5000, 5000)}, New: []ID{"M"}},
	} {
		ch, err := c.Apply(op, nil, newID)
		if err != nil {
			t.Fatal(op.Kind, err)
		}
		all = all.Merge(ch)
	}
	if _, ok := all.After["N"]; ok || all.Before["N"] != nil || all.Heirs["M"] != "C" {
		t.Errorf("N is still told of: %v", all)
	}
	if bad := CheckChange(first, c, all); len(bad) > 0 {
		t.Error(bad)
	}
	undo(c, all)
	if !equal(c, first) {
		t.Error("taking all back is not what was")
	}
}

func FuzzShape(f *testing.F) {
	f.Add([]byte{0, 0, 10, 0, 10, 10, 255, 3, 3, 5, 3, 5, 5})
	f.Add([]byte{0, 0, 4, 4, 4, 0, 0, 4})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 200 {
			return
		}
		// 255 begins a ring, 254 a polygon.
		s := Shape{{{}}}
		for i := 0; i < len(data); {
			switch {
			case data[i] == 255:
				p := &s[len(s)-1]
				*p = append(*p, Ring{})
				i++
			case data[i] == 254:
				s = append(s, Polygon{{}})
				i++
			default:
				if i+1 == len(data) {
					i++
					continue
				}
				p := s[len(s)-1]
				p[len(p)-1] = append(p[len(p)-1], Point{int64(data[i]), int64(data[i+1])})
				i += 2
			}
		}
		g, err := FromGeometry(s.Geometry())
		if err != nil {
			return
		}
		c := &Coverage{Zones: map[ID]Shape{"a": g, "b": {{rect(3, 3, 9, 9)}}}, Area: Shape{{rect(0, 0, 12, 12)}}, Exhaustive: len(data)%2 == 0}
		c.Check()
		c = &Coverage{Zones: map[ID]Shape{"b": {{rect(3, 3, 9, 9)}}}}
		if _, err := c.Apply(Op{Kind: Add, Zone: "n", Carve: true, Shape: g}, nil, nil); err == nil {
			if bad := c.Check(); len(bad) > 0 {
				t.Fatalf("%v: %v", g, bad)
			}
		}
	})
}

// A line at any slope meets the border beside the grid: the nodes are rounded, the border
// is bent through them in every user, and the zone is cut all the same.
func TestSplitAndReshapeAtAnySlope(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	c := grid(rng, 3, 5)
	z := c.Zones["z001-001"]
	b, _ := z.box()
	centre := Point{(b.Min.X + b.Max.X) / 2, (b.Min.Y + b.Max.Y) / 2}
	d := b.Max.X - b.Min.X
	for range 100 {
		v := Point{rng.Int64N(2*d) - d, rng.Int64N(2*d) - d}
		if abs(v.X)+abs(v.Y) < d/2 {
			continue
		}
		line := []Point{{centre.X - 3*v.X, centre.Y - 3*v.Y}, {centre.X + 3*v.X, centre.Y + 3*v.Y}}
		for _, kind := range []Kind{Split, Reshape} {
			w := clone(c)
			ch, err := w.Apply(Op{Kind: kind, Zone: "z001-001", Line: line, New: []ID{"n"}}, nil, idMaker("x"))
			if err != nil {
				t.Fatalf("%s along %v: %v", kind, line, err)
			}
			wantRight(t, w)
			if len(ch.After) < 3 {
				t.Fatalf("%s along %v: the neighbours did not follow", kind, line)
			}
		}
	}
}

// A node that one border has and the other lacks is a fault of an exhaustive plan, though
// no face is wrong: edges would not cancel, and drawing would go astray.
func TestMissingNodesAreFaults(t *testing.T) {
	corner := func(x, y int64) Point { return at(x, y) }
	left := Shape{{{corner(0, 0), corner(3000, 0), corner(3000, 4000), corner(0, 4000)}}}
	right := Shape{{{corner(3000, 0), corner(6000, 0), corner(6000, 4000), corner(3000, 4000)}}}
	area := Shape{{{corner(0, 0), corner(6000, 0), corner(6000, 4000), corner(0, 4000)}}}
	c := &Coverage{Zones: map[ID]Shape{"left": left, "right": right}, Area: area, Exhaustive: true}
	bad := c.Check()
	if len(bad) == 0 || bad[0].Code != Gap || len(bad[0].Line) != 2 {
		t.Fatalf("the boundary lacks two nodes, and nothing is said: %+v", bad)
	}
	if _, err := Heal(c, nil, HealLimits{}); err != nil {
		t.Fatal(err)
	}
	wantRight(t, c)
	if _, err := c.Apply(Op{Kind: Add, Shape: Shape{{{corner(1000, 1000), corner(1100, 1000), corner(1100, 1100), corner(1000, 1100)}}}, Carve: true}, nil, idMaker("n")); err != nil {
		t.Errorf("drawing in it: %v", err)
	}
	wantRight(t, c)
}
