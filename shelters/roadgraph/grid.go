package roadgraph

import (
	"math"

	"github.com/paulmach/orb"
)

// cellDeg is the size of a cell of the grid of segments: some 280 m.
const cellDeg = 0.0025

type segment struct{ edge, at int32 } // the line's points at and at+1

type cell struct{ x, y int32 }

// grid finds the segments near a place.
type grid struct{ cells map[cell][]segment }

func cellOf(p orb.Point) cell {
	return cell{int32(math.Floor(p[0] / cellDeg)), int32(math.Floor(p[1] / cellDeg))}
}

func newGrid(edges []Edge) grid {
	g := grid{cells: map[cell][]segment{}}
	for e := range edges {
		for i := 1; i < len(edges[e].Line); i++ {
			a, b := cellOf(edges[e].Line[i-1]), cellOf(edges[e].Line[i])
			s := segment{int32(e), int32(i - 1)}
			for x := min(a.x, b.x); x <= max(a.x, b.x); x++ {
				for y := min(a.y, b.y); y <= max(a.y, b.y); y++ {
					g.cells[cell{x, y}] = append(g.cells[cell{x, y}], s)
				}
			}
		}
	}
	return g
}

// Snap is a place on an edge.
type Snap struct {
	Edge      int32
	Along     float64 // share of the edge's length before it, 0..1
	Point     orb.Point
	DistanceM float64 // from the place that was asked for
}

// foot is the nearest place of a segment, the share of the segment before it, and how
// far it is.
func foot(p, a, b orb.Point) (at orb.Point, share, dist float64) {
	x, y := metres(p[1])
	ax, ay := (a[0]-p[0])*x, (a[1]-p[1])*y
	bx, by := (b[0]-p[0])*x, (b[1]-p[1])*y
	dx, dy := bx-ax, by-ay
	if l := dx*dx + dy*dy; l > 0 {
		share = min(1, max(0, -(ax*dx+ay*dy)/l))
	}
	at = orb.Point{a[0] + share*(b[0]-a[0]), a[1] + share*(b[1]-a[1])}
	return at, share, math.Hypot(ax+share*dx, ay+share*dy)
}

// Nearest is the nearest place on a road that is open and can be used with the profile,
// at most so far away.
func (v View) Nearest(p orb.Point, profile Profile, maxM float64) (Snap, bool) {
	best := Snap{DistanceM: math.Inf(1)}
	v.near(p, maxM, func(s segment, at orb.Point, share, dist float64) {
		c := v.g.edges[s.edge].Cost[profile]
		if dist < best.DistanceM && (c[0] >= 0 || c[1] >= 0) && v.seen(s.edge) {
			if along := v.g.along(s, share); v.free(s.edge, along, along) {
				best = Snap{Edge: s.edge, Along: along, Point: at, DistanceM: dist}
			}
		}
	}, func() float64 { return best.DistanceM })
	return best, !math.IsInf(best.DistanceM, 1)
}

// along turns a share of a segment into one of its edge.
func (g *Graph) along(s segment, share float64) float64 {
	e := &g.edges[s.edge]
	if e.LengthM <= 0 {
		return 0
	}
	before := lengthOf(e.Line[:s.at+1]) + share*Distance(e.Line[s.at], e.Line[s.at+1])
	return min(1, before/e.LengthM)
}

// near tells of the segments within maxM, rings of cells outwards; what is farther than
// found says needs no further ring.
func (v View) near(p orb.Point, maxM float64, tell func(s segment, at orb.Point, share, dist float64), found func() float64) {
	if v.g.grid.cells == nil || maxM <= 0 {
		return
	}
	x, y := metres(p[1])
	step := cellDeg * min(x, y)
	if step <= 0 {
		return
	}
	mid := cellOf(p)
	rings := int32(math.Ceil(maxM/step)) + 1
	for r := int32(0); r <= rings; r++ {
		if float64(r-1)*step > found() {
			return
		}
		for cx := mid.x - r; cx <= mid.x+r; cx++ {
			for cy := mid.y - r; cy <= mid.y+r; cy++ {
				if cx != mid.x-r && cx != mid.x+r && cy != mid.y-r && cy != mid.y+r {
					cy = mid.y + r - 1 // only the rim
					continue
				}
				for _, s := range v.g.grid.cells[cell{cx, cy}] {
					line := v.g.edges[s.edge].Line
					if at, share, dist := foot(p, line[s.at], line[s.at+1]); dist <= maxM {
						tell(s, at, share, dist)
					}
				}
			}
		}
	}
}
