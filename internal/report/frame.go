package report

import (
	"errors"
	"fmt"
	"math"

	"github.com/paulmach/orb"

	"onemap/internal/report/draw"
	"onemap/internal/report/gk"
)

// ErrNoExtent means a sheet names neither an extent, nor an area, nor a zone: there is no
// place to draw.
var ErrNoExtent = errors.New("report: the sheet has neither an extent nor an area nor zones")

// ErrInput means a sheet cannot be drawn as it is asked for.
var ErrInput = errors.New("report: the sheet cannot be drawn")

// maxVertices bounds a sheet; a plan has 120,000.
const maxVertices = 6_000_000

// frame is the window of the map and how the land lies in it.
type frame struct {
	rect  draw.Rect
	zone  gk.Zone
	scale int
	k     float64 // mm per metre
	x, y  float64 // projected, in the middle of the window
}

func (f *frame) at(p orb.Point) draw.Pt {
	x, y := f.zone.Forward(p[0], p[1])
	return draw.Pt{X: f.rect.X + f.rect.W/2 + (x-f.x)*f.k, Y: f.rect.Y + f.rect.H/2 - (y-f.y)*f.k}
}

func (f *frame) back(q draw.Pt) orb.Point {
	lon, lat := f.zone.Inverse(f.x+(q.X-f.rect.X-f.rect.W/2)/f.k, f.y-(q.Y-f.rect.Y-f.rect.H/2)/f.k)
	return orb.Point{lon, lat}
}

// steps of round scales, times a power of ten.
var steps = [...]int{100, 120, 150, 200, 250, 300, 400, 500, 600, 800}

// roundScale is the largest round scale, at least as small as 1:need.
func roundScale(need float64) int {
	for mag := 1; mag <= 1_000_000; mag *= 10 {
		for _, s := range steps {
			if float64(s*mag) >= need {
				return s * mag
			}
		}
	}
	return 1_000_000_000
}

// fitFrame chooses projection and scale for an extent in a window.
func fitFrame(rect draw.Rect, ext orb.Bound, scale int) (*frame, error) {
	mid := ext.Center()
	f := &frame{rect: rect, zone: gk.At(mid[0])}
	if !(ext.Max[0]-ext.Min[0] < 30 && math.Abs(mid[1]) < 85) {
		return nil, fmt.Errorf("%w: from %g to %g degrees east is no extent for this projection", ErrInput, ext.Min[0], ext.Max[0])
	}
	lo, hi := draw.Pt{X: math.Inf(1), Y: math.Inf(1)}, draw.Pt{X: math.Inf(-1), Y: math.Inf(-1)}
	const n = 8
	for i := range n + 1 {
		t := float64(i) / n
		lon, lat := ext.Min[0]+t*(ext.Max[0]-ext.Min[0]), ext.Min[1]+t*(ext.Max[1]-ext.Min[1])
		for _, p := range []orb.Point{{lon, ext.Min[1]}, {lon, ext.Max[1]}, {ext.Min[0], lat}, {ext.Max[0], lat}} {
			x, y := f.zone.Forward(p[0], p[1])
			lo, hi = draw.Pt{X: min(lo.X, x), Y: min(lo.Y, y)}, draw.Pt{X: max(hi.X, x), Y: max(hi.Y, y)}
		}
	}
	f.x, f.y = (lo.X+hi.X)/2, (lo.Y+hi.Y)/2
	f.scale = scale
	if scale == 0 {
		const air = 0.95
		f.scale = roundScale(max((hi.X-lo.X)*1000/(rect.W*air), (hi.Y-lo.Y)*1000/(rect.H*air), 500))
	}
	f.k = 1000 / float64(f.scale)
	return f, nil
}

// extentOf is what must be seen.
func (s *Sheet) extentOf() (orb.Bound, error) {
	if e := s.Extent; e.Max[0] > e.Min[0] && e.Max[1] > e.Min[1] {
		return e, nil
	}
	ext := orb.Bound{Min: orb.Point{math.Inf(1), math.Inf(1)}, Max: orb.Point{math.Inf(-1), math.Inf(-1)}}
	add := func(m orb.MultiPolygon) {
		for _, poly := range m {
			for _, r := range poly {
				for _, p := range r {
					ext.Min = orb.Point{min(ext.Min[0], p[0]), min(ext.Min[1], p[1])}
					ext.Max = orb.Point{max(ext.Max[0], p[0]), max(ext.Max[1], p[1])}
				}
			}
		}
	}
	add(s.Area)
	for _, z := range s.Zones {
		add(z.Shape)
	}
	if !(ext.Max[0] >= ext.Min[0]) {
		return ext, ErrNoExtent
	}
	return ext, nil
}

// check refuses what would make arithmetic of nothing.
func (s *Sheet) check() error {
	if _, ok := paper[s.Size]; !ok {
		return fmt.Errorf("%w: no paper is called %.20q", ErrInput, s.Size)
	}
	if s.Scale < 0 || s.Scale > 100_000_000 || s.Scale > 0 && s.Scale < 100 {
		return fmt.Errorf("%w: the scale 1:%d", ErrInput, s.Scale)
	}
	count := 0
	sound := func(p orb.Point) bool {
		count++
		return math.Abs(p[0]) <= 180 && math.Abs(p[1]) < 89 && count <= maxVertices // false for NaN
	}
	polygons := func(m orb.MultiPolygon) bool {
		for _, poly := range m {
			for _, r := range poly {
				for _, p := range r {
					if !sound(p) {
						return false
					}
				}
			}
		}
		return true
	}
	ok := polygons(s.Area)
	for _, z := range s.Zones {
		ok = ok && polygons(z.Shape)
	}
	for _, z := range s.Neighbours {
		ok = ok && polygons(z.Shape)
	}
	for _, z := range s.Water {
		ok = ok && polygons(z.Shape)
	}
	for _, z := range s.Changes {
		ok = ok && polygons(z.Shape)
	}
	for _, l := range s.Lines {
		for _, part := range l.Line {
			for _, p := range part {
				ok = ok && sound(p)
			}
		}
	}
	for _, p := range s.Places {
		ok = ok && sound(p.At)
	}
	e := s.Extent
	if !(e.IsZero() || sound(e.Min) && sound(e.Max)) {
		ok = false
	}
	if !ok {
		return fmt.Errorf("%w: a position is not on the map, or there are more than %d", ErrInput, maxVertices)
	}
	return nil
}

// step is the first of the candidates that is at least want.
func step(want float64, candidates ...float64) float64 {
	for _, c := range candidates {
		if c >= want {
			return c
		}
	}
	return candidates[len(candidates)-1]
}
