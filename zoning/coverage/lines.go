package coverage

import "slices"

// Operations by a line: split, and reshape along it.

// lineFaces are the faces that a zone's border and a line make together.
type lineFaces struct {
	*arrangement
	z      Shape
	chains [][]Point // of the edges of z, in their order
	flip   []bool    // by cycle: a piece that is not the largest of what it was cut from
	piece  []int32
	pieces []facePiece
}

type facePiece struct {
	in    bool // of the zone
	whole int32
	area  float64
	outer bool
}

// cutBy lays a line over one shape.
func cutBy(z Shape, lines [][]Point) (*lineFaces, error) {
	var segs []link
	z.links(func(l link) { segs = append(segs, l) })
	old := len(segs)
	for _, line := range lines {
		for i := 1; i < len(line); i++ {
			if line[i] != line[i-1] {
				segs = append(segs, link{line[i-1], line[i]})
			}
		}
	}
	chains, err := node(segs, func(i int) bool { return i >= old }, nil)
	if err != nil {
		return nil, err
	}
	var edges []labelled
	for i, c := range chains {
		for k := 1; k < len(c); k++ {
			if c[k-1] != c[k] {
				label := int32(0)
				if i >= old {
					label = -1
				}
				edges = append(edges, labelled{link{c[k-1], c[k]}, label})
			}
		}
	}
	m := arrange(edges)
	f := &lineFaces{arrangement: m, z: z, chains: chains[:old]}
	// What the line cuts: the parts of the zone, its holes, and the outside.
	_, whole := m.regions(func(c int32) int32 { return m.value[c] })
	face := m.faceOf()
	number := map[int32]int32{}
	f.piece = make([]int32, len(m.faces))
	for c := range m.faces {
		k, ok := number[face[c]]
		if !ok {
			k = int32(len(f.pieces))
			number[face[c]] = k
			f.pieces = append(f.pieces, facePiece{in: m.value[c] != 0, whole: whole(m.faces[c])})
		}
		f.piece[c] = k
		var pts []Point
		m.walk(int32(c), func(h int32) { pts = append(pts, m.pts[m.from(h)]) })
		f.pieces[k].area += area2(pts).float()
		if m.around[c] == outermost {
			f.pieces[k].outer = true
		}
	}
	largest := map[int32]int{}
	for k, p := range f.pieces {
		o, ok := largest[p.whole]
		if !ok || p.outer || !f.pieces[o].outer && p.area > f.pieces[o].area {
			largest[p.whole] = k
		}
	}
	f.flip = make([]bool, len(m.faces))
	for c, k := range f.piece {
		f.flip[c] = largest[f.pieces[k].whole] != int(k)
	}
	return f, nil
}

// faceOf tells which cycles are one face: each has the number of one of them.
func (a *arrangement) faceOf() []int32 {
	out := make([]int32, len(a.faces))
	for c := range out {
		out[c] = int32(c)
	}
	var find func(c int32) int32
	find = func(c int32) int32 {
		if out[c] != c {
			out[c] = find(out[c])
		}
		return out[c]
	}
	outer := int32(-1)
	for c, o := range a.around {
		if o == outermost {
			if outer < 0 {
				outer = int32(c)
			}
			o = outer
		}
		if o >= 0 {
			out[find(int32(c))] = find(o)
		}
	}
	for c := range out {
		find(int32(c))
	}
	return out
}

// use weaves those stretches of the line into the coverage that part pieces as part
// wants it, and nothing else of it: what dangles leaves no trace. The stretches come back
// as they lie there.
func (f *lineFaces) use(w *work, part func(x, y facePiece, cx, cy int32) bool) ([][]Point, error) {
	var lines [][]Point
	ends := map[Point]bool{}
	for e := range int32(len(f.ends)) {
		x, y := f.cycle[2*e], f.cycle[2*e+1]
		if len(f.uses[e]) == 0 && f.piece[x] != f.piece[y] && part(f.pieces[f.piece[x]], f.pieces[f.piece[y]], x, y) {
			l := f.edge(2 * e)
			lines = append(lines, []Point{l.a, l.b})
			ends[l.a], ends[l.b] = true, true
		}
	}
	if len(lines) == 0 {
		return nil, nil
	}
	slices.SortFunc(lines, func(a, b []Point) int { return slices.CompareFunc(a, b, comparePoints) })
	n := len(lines)
	// The edges of the border are bent through the nodes that the line makes on them.
	cuts := map[link][]Point{}
	i := 0
	f.z.links(func(l link) {
		chain := f.chains[i]
		i++
		var on []Point
		for _, p := range chain[1 : len(chain)-1] {
			if ends[p] {
				on = append(on, p)
			}
		}
		if len(on) == 0 {
			return
		}
		lines = append(lines, slices.Concat([]Point{l.a}, on, []Point{l.b}))
		if l != l.upward() {
			slices.Reverse(on)
		}
		cuts[l.upward()] = on
	})
	if err := w.splice(cuts); err != nil {
		return nil, err
	}
	chains, err := w.weave(lines)
	if err != nil {
		return nil, err
	}
	return chains[:n], nil
}

// lineFaults are what keeps a line from being used: it crosses itself, is too short or
// too long.
func lineFaults(line []Point) error {
	line = slices.Compact(slices.Clone(line))
	if len(line) < 2 {
		at := Point{}
		if len(line) > 0 {
			at = line[0]
		}
		return fail(Degenerate, at)
	}
	if len(line) > MaxEdited {
		return fail(TooManyVertices, line[0])
	}
	var segs []seg
	for i := 1; i < len(line); i++ {
		if abs(line[i].X) > 180*Scale || abs(line[i].Y) > 90*Scale {
			return fail(OutsideArea, line[i])
		}
		segs = append(segs, seg{line[i-1], line[i], int32(i)})
	}
	var out []Violation
	sweepPairs(segs, nil, func(a, b seg) bool {
		if m := meet(a, b); m.any() {
			out = append(out, Violation{Code: SelfIntersection, At: m.place(a, b), Line: []Point{a.a, a.b}})
		}
		return len(out) < maxListed
	})
	if len(out) > 0 {
		return &Error{Violations: out}
	}
	return nil
}

// split cuts a zone along a line. Of every part that is cut the largest piece stays; the
// others become zones, the largest first.
func (w *work) split(op Op) error {
	z, err := w.zone(op.Zone, op.at())
	if err != nil {
		return err
	}
	if err := lineFaults(op.Line); err != nil {
		return err
	}
	f, err := cutBy(z, [][]Point{op.Line})
	if err != nil {
		return err
	}
	cut, err := f.use(w, func(x, y facePiece, _, _ int32) bool { return x.in && y.in && x.whole == y.whole })
	if err != nil {
		return err
	}
	if len(cut) == 0 {
		return fail(NothingToDo, op.Line[0], op.Zone)
	}
	// The border has its nodes now, so the pieces are faces to the point.
	f, err = cutBy(w.Zones[op.Zone], cut)
	if err != nil {
		return err
	}
	edges := map[int32][]link{} // by piece; -1: what stays
	mark := func(c int32) (int32, bool) {
		switch {
		case !f.pieces[f.piece[c]].in:
			return 0, false
		case f.flip[c]:
			return f.piece[c], true
		}
		return -1, true
	}
	for h := range int32(len(f.cycle)) {
		k, in := mark(f.cycle[h])
		o, also := mark(f.cycle[h^1])
		if in && (!also || o != k) {
			edges[k] = append(edges[k], f.edge(h))
		}
	}
	stay, err := assemble(edges[-1])
	if err != nil {
		return fail(SelfIntersection, op.Line[0], op.Zone)
	}
	delete(edges, -1)
	var made []Shape
	for _, e := range edges {
		s, err := assemble(e)
		if err != nil {
			return fail(SelfIntersection, op.Line[0], op.Zone)
		}
		made = append(made, s)
	}
	if len(made) == 0 {
		return fail(NothingToDo, op.Line[0], op.Zone)
	}
	w.Zones[op.Zone] = stay
	return w.newZones(op, made)
}

// newZones adds what came off a zone, the largest first.
func (w *work) newZones(op Op, made []Shape) error {
	slices.SortFunc(made, func(a, b Shape) int {
		if c := b.grid2().cmp(a.grid2()); c != 0 {
			return c
		}
		return comparePoints(a[0][0][0], b[0][0][0])
	})
	for i, s := range made {
		id, err := w.fresh(op.New, i)
		if err != nil {
			return err
		}
		w.Zones[id] = s
		w.heirs[id] = op.Zone
	}
	return nil
}

// grid2 is twice the area in steps of the grid.
func (s Shape) grid2() int128 {
	var sum int128
	for _, p := range s {
		for _, r := range p {
			sum = sum.add(area2(r))
		}
	}
	return sum
}

// reshapeLine lets the border follow a line: of every part, hole or outside that the
// line cuts, the largest piece stays what it was and the others change sides.
func (w *work) reshapeLine(op Op) error {
	z, err := w.zone(op.Zone, op.at())
	if err != nil {
		return err
	}
	if err := lineFaults(op.Line); err != nil {
		return err
	}
	if b, ok := z.box(); ok {
		if err := w.need(b.union(ringBox(op.Line)).grown(4)); err != nil {
			return err
		}
	}
	f, err := cutBy(z, [][]Point{op.Line})
	if err != nil {
		return err
	}
	used, err := f.use(w, func(_, _ facePiece, x, y int32) bool { return f.flip[x] != f.flip[y] })
	if err != nil {
		return err
	}
	if len(used) == 0 {
		return fail(NothingToDo, op.Line[0], op.Zone)
	}
	if f, err = cutBy(w.Zones[op.Zone], used); err != nil {
		return err
	}
	var edges []link
	in := func(h int32) bool {
		c := f.cycle[h]
		return f.pieces[f.piece[c]].in != f.flip[c]
	}
	for h := range int32(len(f.cycle)) {
		if in(h) && !in(h^1) {
			edges = append(edges, f.edge(h))
		}
	}
	s, err := assemble(edges)
	if err != nil || len(s) == 0 {
		return fail(SelfIntersection, op.Line[0], op.Zone)
	}
	return w.layOver(op, s, op.Zone)
}
