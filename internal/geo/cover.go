package geo

import (
	"math"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/maptile"
)

// TileRange is a block of Web Mercator tiles, both ends inside.
type TileRange struct {
	Z                      maptile.Zoom
	MinX, MinY, MaxX, MaxY uint32
}

// Count is the number of tiles in the block.
func (r TileRange) Count() int {
	return int(r.MaxX-r.MinX+1) * int(r.MaxY-r.MinY+1)
}

// Contains reports whether t lies in the block.
func (r TileRange) Contains(t maptile.Tile) bool {
	return t.Z == r.Z && t.X >= r.MinX && t.X <= r.MaxX && t.Y >= r.MinY && t.Y <= r.MaxY
}

// CoverBound gives the tiles whose buffered square meets the bound. The buffer is
// a fraction of a tile (0.0625 for 256 of 4096 units).
func CoverBound(b orb.Bound, z maptile.Zoom, buffer float64) TileRange {
	lo := mercator(orb.Point{b.Min[0], b.Max[1]})
	hi := mercator(orb.Point{b.Max[0], b.Min[1]})
	n := float64(uint64(1) << z)
	clamp := func(v float64) uint32 {
		return uint32(max(0, min(n-1, math.Floor(v))))
	}
	return TileRange{
		Z:    z,
		MinX: clamp(lo[0]*n - buffer - slack), MinY: clamp(lo[1]*n - buffer - slack),
		MaxX: clamp(hi[0]*n + buffer + slack), MaxY: clamp(hi[1]*n + buffer + slack),
	}
}

// slack, in tiles, makes the cover a superset also where two programs round
// differently: a billionth of a tile is far below one unit of 4096.
const slack = 1e-9

// Cover gives the tiles at zoom z whose buffered square meets g: every tile
// whose content may depend on g, none left out. Straight edges are straight in
// Web Mercator, as PostGIS transforms them. The number of tiles grows with the
// area; use [CoverUpTo] for shapes from outside.
func Cover(g orb.Geometry, z maptile.Zoom, buffer float64) maptile.Set {
	set, _ := CoverUpTo(g, z, buffer, math.MaxInt)
	return set
}

// CoverUpTo is [Cover] that gives up when more than limit tiles are met; then it
// answers false, and the caller takes [CoverBound] or a lower zoom.
func CoverUpTo(g orb.Geometry, z maptile.Zoom, buffer float64, limit int) (maptile.Set, bool) {
	c := coverer{z: z, buffer: buffer + slack, limit: limit, out: maptile.Set{}}
	ok := c.geometry(g)
	return c.out, ok
}

type coverer struct {
	z      maptile.Zoom
	buffer float64 // in tiles of zoom z
	limit  int
	out    maptile.Set
}

func (c *coverer) geometry(g orb.Geometry) bool {
	switch g := g.(type) {
	case Shape:
		return c.geometry(g.Geometry)
	case orb.Point:
		return c.points([]orb.Point{g})
	case orb.MultiPoint:
		return c.points(g)
	case orb.LineString:
		return c.shape([][]orb.Point{g}, false)
	case orb.MultiLineString:
		for _, l := range g {
			if !c.shape([][]orb.Point{l}, false) {
				return false
			}
		}
	case orb.Ring:
		return c.shape([][]orb.Point{g}, true)
	case orb.Bound:
		return c.shape([][]orb.Point{g.ToRing()}, true)
	case orb.Polygon:
		rings := make([][]orb.Point, len(g))
		for i, r := range g {
			rings[i] = r
		}
		return c.shape(rings, true)
	case orb.MultiPolygon:
		for _, p := range g {
			if !c.geometry(p) {
				return false
			}
		}
	case orb.Collection:
		for _, m := range g {
			if !c.geometry(m) {
				return false
			}
		}
	}
	return true
}

func (c *coverer) add(x, y uint32) bool {
	c.out[maptile.Tile{X: x, Y: y, Z: c.z}] = true
	return len(c.out) <= c.limit
}

func (c *coverer) points(pts []orb.Point) bool {
	for _, p := range pts {
		r := CoverBound(orb.Bound{Min: p, Max: p}, c.z, c.buffer)
		for x := r.MinX; x <= r.MaxX; x++ {
			for y := r.MinY; y <= r.MaxY; y++ {
				if !c.add(x, y) {
					return false
				}
			}
		}
	}
	return true
}

// segment is an edge in unit Mercator, [0,1] both ways, y down.
type segment struct{ a, b orb.Point }

func (c *coverer) shape(lines [][]orb.Point, area bool) bool {
	var segs []segment
	b := orb.Bound{Min: orb.Point{math.Inf(1), math.Inf(1)}, Max: orb.Point{math.Inf(-1), math.Inf(-1)}}
	for _, l := range lines {
		for i, p := range l {
			b = b.Extend(p)
			if i > 0 {
				segs = append(segs, segment{mercator(l[i-1]), mercator(p)})
			} else if len(l) == 1 {
				segs = append(segs, segment{mercator(p), mercator(p)})
			}
		}
	}
	if len(segs) == 0 {
		return true
	}
	return c.descend(0, 0, 0, segs, segs, area, CoverBound(b, c.z, c.buffer))
}

// descend walks the quad tree. near holds the edges that meet this square with
// its buffer; a square met by none lies wholly inside or wholly outside.
func (c *coverer) descend(z maptile.Zoom, x, y uint32, near, all []segment, area bool, r TileRange) bool {
	shift := c.z - z
	if x<<shift > r.MaxX || (x+1)<<shift-1 < r.MinX || y<<shift > r.MaxY || (y+1)<<shift-1 < r.MinY {
		return true
	}
	size := 1 / float64(uint64(1)<<z)
	pad := c.buffer / float64(uint64(1)<<c.z)
	x0, y0 := float64(x)*size-pad, float64(y)*size-pad
	x1, y1 := float64(x+1)*size+pad, float64(y+1)*size+pad
	var here []segment
	for _, s := range near {
		if s.meetsBox(x0, y0, x1, y1) {
			here = append(here, s)
		}
	}
	if len(here) == 0 {
		if !area || !insideSegments(orb.Point{(x0 + x1) / 2, (y0 + y1) / 2}, all) {
			return true
		}
		for tx := max(x<<shift, r.MinX); tx <= min((x+1)<<shift-1, r.MaxX); tx++ {
			for ty := max(y<<shift, r.MinY); ty <= min((y+1)<<shift-1, r.MaxY); ty++ {
				if !c.add(tx, ty) {
					return false
				}
			}
		}
		return true
	}
	if z == c.z {
		return c.add(x, y)
	}
	for i := range uint32(4) {
		if !c.descend(z+1, 2*x+i&1, 2*y+i>>1, here, all, area, r) {
			return false
		}
	}
	return true
}

// meetsBox reports whether the segment meets the closed box; it errs on the side
// of yes.
func (s segment) meetsBox(x0, y0, x1, y1 float64) bool {
	if max(s.a[0], s.b[0]) < x0 || min(s.a[0], s.b[0]) > x1 || max(s.a[1], s.b[1]) < y0 || min(s.a[1], s.b[1]) > y1 {
		return false
	}
	// The box lies on one side of the line if all four corners do.
	dx, dy := s.b[0]-s.a[0], s.b[1]-s.a[1]
	eps := 1e-15 * (math.Abs(dx) + math.Abs(dy))
	side := func(x, y float64) float64 { return dx*(y-s.a[1]) - dy*(x-s.a[0]) }
	c1, c2, c3, c4 := side(x0, y0), side(x1, y0), side(x0, y1), side(x1, y1)
	return !(c1 > eps && c2 > eps && c3 > eps && c4 > eps) && !(c1 < -eps && c2 < -eps && c3 < -eps && c4 < -eps)
}

func insideSegments(p orb.Point, segs []segment) bool {
	in := false
	for _, s := range segs {
		if (s.a[1] > p[1]) != (s.b[1] > p[1]) &&
			p[0] < s.a[0]+(s.b[0]-s.a[0])*(p[1]-s.a[1])/(s.b[1]-s.a[1]) {
			in = !in
		}
	}
	return in
}

// mercator projects to the unit square, y down, clamped to the tile pyramid.
func mercator(p orb.Point) orb.Point {
	x := p[0]/360 + 0.5
	sin := math.Sin(max(-89.99, min(89.99, p[1])) * math.Pi / 180)
	y := 0.5 - 0.25*math.Log((1+sin)/(1-sin))/math.Pi
	return orb.Point{max(0, min(1, x)), max(0, min(1, y))}
}
