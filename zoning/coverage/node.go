package coverage

import "slices"

// maxRounds bounds how often newly rounded nodes may bend edges into new crossings.
const maxRounds = 40

// maxNodes bounds how many nodes one noding may make.
const maxNodes = 400_000

// node cuts segments at one another. fresh says which are new: the others are known to
// meet at their ends only. The answer gives every segment's chain, its ends included.
//
// Crossings are rounded to the grid, which bends both segments by at most half a step in
// each coordinate; where that makes new crossings they are cut again, until there are
// none. With a Noder, the new nodes are those it finds; what it leaves is cut here, so
// the answer is noded whatever it does.
func node(segs []link, fresh func(i int) bool, n Noder) ([][]Point, error) {
	chains := make([][]Point, len(segs))
	changed := make([]bool, len(segs))
	for i, s := range segs {
		chains[i] = []Point{s.a, s.b}
		changed[i] = fresh == nil || fresh(i)
	}
	if n != nil {
		if err := askNoder(segs, chains, changed, n); err != nil {
			return nil, err
		}
	}
	total := 0
	for round := 0; ; round++ {
		cuts := meetings(chains, changed, maxNodes-total)
		for _, on := range cuts {
			total += len(on)
		}
		if len(cuts) == 0 {
			return chains, nil
		}
		if total >= maxNodes || round == maxRounds {
			var at []Point
			for l := range cuts {
				at = append(at, l.a)
			}
			return nil, fail(SelfIntersection, slices.MinFunc(at, comparePoints))
		}
		bend(chains, changed, cuts)
	}
}

// meetings finds where pieces of changed chains meet others otherwise than at their ends:
// the nodes to make, by piece. It stops when they are too many.
func meetings(chains [][]Point, changed []bool, most int) map[link][]Point {
	// Pieces that lie on one another are one piece, or they would be bent apart.
	pieces := make([]seg, 0, len(chains))
	var moved []bool
	seen := make(map[link]int32, len(chains))
	for i, c := range chains {
		for k := 1; k < len(c); k++ {
			l := link{c[k-1], c[k]}.upward()
			if l.a == l.b {
				continue
			}
			j, ok := seen[l]
			if !ok {
				j = int32(len(pieces))
				seen[l] = j
				pieces = append(pieces, seg{l.a, l.b, j})
				moved = append(moved, false)
			}
			moved[j] = moved[j] || changed[i]
		}
	}
	cuts := make(map[link][]Point)
	total := 0
	place := func(s seg, p Point) {
		if l := (link{s.a, s.b}); p != s.a && p != s.b && !slices.Contains(cuts[l], p) {
			cuts[l] = append(cuts[l], p)
			total++
		}
	}
	sweepPairs(pieces, func(who int32) bool { return moved[who] }, func(a, b seg) bool {
		m := meet(a, b)
		for _, p := range m.onA[:m.nA] {
			place(a, p)
		}
		for _, p := range m.onB[:m.nB] {
			place(b, p)
		}
		if m.proper {
			p := crossingOf(a.a, a.b, b.a, b.b)
			place(a, p)
			place(b, p)
		}
		return total < most
	})
	return cuts
}

// bend leads chains through new nodes, and notes which it changed.
func bend(chains [][]Point, changed []bool, cuts map[link][]Point) {
	for i, c := range chains {
		changed[i] = false
		var out []Point
		for k := 1; k < len(c); k++ {
			on := cuts[link{c[k-1], c[k]}.upward()]
			if len(on) == 0 {
				if out != nil {
					out = append(out, c[k])
				}
				continue
			}
			if out == nil {
				out = slices.Clone(c[:k])
			}
			out = append(out, along(c[k-1], c[k], on)...)
			out = append(out, c[k])
			changed[i] = true
		}
		if out != nil {
			chains[i] = out
		}
	}
}

// along orders points on a segment from a to b.
func along(a, b Point, on []Point) []Point {
	on = slices.Clone(on)
	slices.SortFunc(on, func(p, q Point) int {
		return mul(b.X-a.X, p.X-a.X).add(mul(b.Y-a.Y, p.Y-a.Y)).cmp(mul(b.X-a.X, q.X-a.X).add(mul(b.Y-a.Y, q.Y-a.Y)))
	})
	return on
}

// askNoder puts the nodes a Noder finds on the segments whose grid cell they pass.
func askNoder(segs []link, chains [][]Point, changed []bool, n Noder) error {
	known := make(map[Point]bool, 2*len(segs))
	lines := make([][]Point, 0, len(segs))
	for _, s := range segs {
		known[s.a], known[s.b] = true, true
		lines = append(lines, []Point{s.a, s.b})
	}
	noded, err := n.Node(lines)
	if err != nil {
		return err
	}
	var pieces []seg
	for i, s := range segs {
		pieces = append(pieces, seg{s.a, s.b, int32(i)})
	}
	m := int32(len(segs))
	var found []Point
	for _, l := range noded {
		for _, p := range l {
			if !known[p] {
				known[p] = true
				pieces = append(pieces, seg{Point{p.X - 1, p.Y}, Point{p.X + 1, p.Y}, m + int32(len(found))})
				found = append(found, p)
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	on := make(map[int32][]Point)
	sweepPairs(pieces, func(who int32) bool { return who >= m }, func(a, b seg) bool {
		if a.who >= m {
			a, b = b, a
		}
		if a.who < m && b.who >= m && pixelMeets(a.a, a.b, found[b.who-m]) {
			on[a.who] = append(on[a.who], found[b.who-m])
		}
		return true
	})
	for i, pts := range on {
		s := segs[i]
		chains[i] = append(append([]Point{s.a}, along(s.a, s.b, pts)...), s.b)
		changed[i] = true
	}
	return nil
}
