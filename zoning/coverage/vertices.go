package coverage

import (
	"maps"
	"slices"
)

// Operations on vertices: they change points where they are, in every user.

// move puts vertices elsewhere, in every ring that has them.
func (w *work) move(to map[Point]Point) error {
	still := true
	for p, q := range to {
		still = still && p == q
		if abs(q.X) > 180*Scale || abs(q.Y) > 90*Scale {
			return fail(OutsideArea, p)
		}
	}
	found := map[Point]bool{}
	var box Box
	any := false
	w.eachRing(func(_ ID, r Ring) {
		for i, p := range r {
			q, ok := to[p]
			if !ok {
				continue
			}
			found[p] = true
			b := boxOf(p, q, r[(i+1)%len(r)], r[(i+len(r)-1)%len(r)])
			if !any {
				box, any = b, true
			}
			box = box.union(b)
		}
	})
	for p := range to {
		if !found[p] {
			return fail(NoSuchVertex, p)
		}
	}
	if still {
		for p := range to {
			return fail(NothingToDo, p)
		}
	}
	if err := w.need(box); err != nil {
		return err
	}
	if p, locked := w.locked(to); locked {
		return fail(LockedBoundary, p)
	}
	w.everywhere(func(s Shape) bool { return hasAny(s, to) }, func(r Ring) Ring {
		out := make(Ring, 0, len(r))
		for _, p := range r {
			if q, ok := to[p]; ok {
				p = q
			}
			if len(out) == 0 || out[len(out)-1] != p {
				out = append(out, p)
			}
		}
		if len(out) > 1 && out[0] == out[len(out)-1] {
			out = out[:len(out)-1]
		}
		return out
	})
	// Where a vertex came to lie on an edge, it becomes a node of that edge.
	cuts := map[link][]Point{}
	ends := slices.Collect(maps.Values(to))
	w.eachRing(func(_ ID, r Ring) {
		for i, a := range r {
			b := r[(i+1)%len(r)]
			for _, q := range ends {
				if onSegment(a, b, q) {
					cuts[link{a, b}.upward()] = []Point{q}
				}
			}
		}
	})
	return w.splice(cuts)
}

func hasAny[T any](s Shape, pts map[Point]T) bool {
	for _, p := range s {
		for _, r := range p {
			for _, q := range r {
				if _, ok := pts[q]; ok {
					return true
				}
			}
		}
	}
	return false
}

func (w *work) eachRing(f func(ID, Ring)) {
	for id, s := range w.Zones {
		for _, p := range s {
			for _, r := range p {
				f(id, r)
			}
		}
	}
}

// locked says whether one of the points is a node of the area's boundary.
func (w *work) locked(pts map[Point]Point) (Point, bool) {
	for _, p := range w.Area {
		for _, r := range p {
			for _, q := range r {
				if t, ok := pts[q]; ok && t != q {
					return q, true
				}
			}
		}
	}
	return Point{}, false
}

func (w *work) moveEdge(op Op) error {
	if op.Edge[1].X-op.Edge[0].X != op.EdgeTo[1].X-op.EdgeTo[0].X || op.Edge[1].Y-op.Edge[0].Y != op.EdgeTo[1].Y-op.EdgeTo[0].Y {
		return fail(NothingToDo, op.Edge[0])
	}
	if !w.hasEdge(op.Edge) {
		return fail(NoSuchVertex, op.Edge[0])
	}
	return w.move(map[Point]Point{op.Edge[0]: op.EdgeTo[0], op.Edge[1]: op.EdgeTo[1]})
}

func (w *work) hasEdge(e [2]Point) bool {
	found := false
	w.eachRing(func(_ ID, r Ring) {
		for i, p := range r {
			q := r[(i+1)%len(r)]
			found = found || p == e[0] && q == e[1] || p == e[1] && q == e[0]
		}
	})
	return found
}

func (w *work) insertVertex(op Op) error {
	a, b, p := op.Edge[0], op.Edge[1], op.At
	if p == a || p == b {
		return fail(NothingToDo, p)
	}
	if !w.hasEdge(op.Edge) {
		return fail(NoSuchVertex, a)
	}
	if err := w.need(boxOf(a, b, p)); err != nil {
		return err
	}
	onBoundary := false
	w.Area.links(func(l link) {
		onBoundary = onBoundary || l == link{a, b} || l == link{b, a}
	})
	if onBoundary && (!comesNear(a, b, p, 2) || dotSign(a, b, p) < 0 || dotSign(b, a, p) < 0) {
		return fail(LockedBoundary, p)
	}
	return w.splice(map[link][]Point{link{a, b}.upward(): {p}})
}

func (w *work) removeVertex(p Point) error {
	beside := map[Point]bool{}
	w.eachRing(func(_ ID, r Ring) {
		for i, q := range r {
			if q == p {
				beside[r[(i+1)%len(r)]] = true
				beside[r[(i+len(r)-1)%len(r)]] = true
			}
		}
	})
	if len(beside) == 0 {
		return fail(NoSuchVertex, p)
	}
	if hasAny(w.Area, map[Point]bool{p: true}) {
		return fail(LockedBoundary, p)
	}
	box := Box{p, p}
	for q := range beside {
		box = box.with(q)
	}
	if err := w.need(box); err != nil {
		return err
	}
	if len(beside) > 2 {
		// Borders part here: without the node a gap would open between them.
		return fail(Gap, p)
	}
	w.everywhere(func(s Shape) bool { return hasAny(s, map[Point]bool{p: true}) }, func(r Ring) Ring {
		out := make(Ring, 0, len(r))
		for _, q := range r {
			if q != p {
				out = append(out, q)
			}
		}
		return out
	})
	return nil
}
