package geo

import (
	"fmt"
	"math"
	"strings"

	"github.com/paulmach/orb"
)

// CRS names how the numbers of a source are to be read.
type CRS string

// The systems that need no database; everything else is "EPSG:n" and goes
// through ST_Transform.
const (
	CGCS2000 CRS = "EPSG:4490" // also WGS84 and CRS84: the same numbers
	Mercator CRS = "EPSG:3857" // of web maps, metres on a sphere
	GCJ02    CRS = "GCJ02"
	BD09     CRS = "BD09"
	AutoCRS  CRS = "auto"
)

// ParseCRS reads the name of a system as people and files write it. The EPSG
// number is 0 for GCJ-02, BD-09 and auto.
func ParseCRS(s string) (CRS, int, error) {
	name := strings.ToUpper(strings.TrimSpace(s))
	name = strings.NewReplacer("-", "", "_", "", " ", "").Replace(name)
	switch name {
	case "", "AUTO":
		return AutoCRS, 0, nil
	case "WGS84", "CGCS2000", "CRS84", "OGC:CRS84", "URN:OGC:DEF:CRS:OGC:1.3:CRS84", "URN:OGC:DEF:CRS:OGC::CRS84",
		"HTTP://WWW.OPENGIS.NET/DEF/CRS/OGC/1.3/CRS84", "HTTPS://WWW.OPENGIS.NET/DEF/CRS/OGC/1.3/CRS84":
		return CGCS2000, SRID, nil
	case "GCJ02":
		return GCJ02, 0, nil
	case "BD09", "BD09LL":
		return BD09, 0, nil
	}
	digits, ok := strings.CutPrefix(name, "EPSG:")
	if !ok {
		if i := strings.LastIndexAny(name, ":/"); i >= 0 && strings.Contains(name, "EPSG") {
			digits, ok = name[i+1:], true
		}
	}
	n := 0
	if ok && digits != "" && len(digits) <= 6 {
		for _, c := range []byte(digits) {
			if c < '0' || c > '9' {
				return "", 0, fmt.Errorf("geo: unknown coordinate system %q", s)
			}
			n = n*10 + int(c-'0')
		}
	}
	switch n {
	case 0:
		return "", 0, fmt.Errorf("geo: unknown coordinate system %q", s)
	case 4326, 4490:
		return CGCS2000, SRID, nil
	case 900913:
		return Mercator, 3857, nil // its name before it had a number
	}
	return CRS(fmt.Sprintf("EPSG:%d", n)), n, nil
}

// The ellipsoid constants of the one pinned implementation; variants that use
// a=6378137 differ by a centimetre, others by metres.
const (
	gcjA  = 6378245.0
	gcjEE = 0.00669342162296594323
	bdPi  = math.Pi * 3000.0 / 180.0
)

// outsideChina is the box in which the shift is applied at all.
func outsideChina(p orb.Point) bool {
	return p[0] < 72.004 || p[0] > 137.8347 || p[1] < 0.8293 || p[1] > 55.8271
}

func gcjDelta(p orb.Point) (dLon, dLat float64) {
	x, y := p[0]-105.0, p[1]-35.0
	xPi, yPi := x*math.Pi, y*math.Pi
	xy := x * y
	absX := math.Sqrt(math.Abs(x))
	d := 20.0*math.Sin(6.0*xPi) + 20.0*math.Sin(2.0*xPi)

	lat := d + 20.0*math.Sin(yPi) + 40.0*math.Sin(yPi/3.0) + 160.0*math.Sin(yPi/12.0) + 320*math.Sin(yPi/30.0)
	lat = lat*2.0/3.0 + -100.0 + 2.0*x + 3.0*y + 0.2*y*y + 0.1*xy + 0.2*absX

	lon := d + 20.0*math.Sin(xPi) + 40.0*math.Sin(xPi/3.0) + 150.0*math.Sin(xPi/12.0) + 300.0*math.Sin(xPi/30.0)
	lon = lon*2.0/3.0 + 300.0 + x + 2.0*y + 0.1*x*x + 0.1*xy + 0.1*absX

	radLat := p[1] / 180.0 * math.Pi
	magic := math.Sin(radLat)
	magic = 1 - gcjEE*magic*magic
	sqrtMagic := math.Sqrt(magic)
	dLat = (lat * 180.0) / ((gcjA * (1 - gcjEE)) / (magic * sqrtMagic) * math.Pi)
	dLon = (lon * 180.0) / (gcjA / sqrtMagic * math.Cos(radLat) * math.Pi)
	return dLon, dLat
}

// WGSToGCJ shifts a position as Chinese map services do. Outside China it does
// nothing.
func WGSToGCJ(p orb.Point) orb.Point {
	if outsideChina(p) {
		return p
	}
	return gcjShift(p)
}

func gcjShift(p orb.Point) orb.Point {
	dLon, dLat := gcjDelta(p)
	return orb.Point{p[0] + dLon, p[1] + dLat}
}

// GCJToWGS undoes [WGSToGCJ] by fixed-point iteration: the usual one-step
// inverse is off by up to 2 m. Within a kilometre of the box's edge, at sea and abroad,
// the shift leads out of the box and cannot be undone by anybody.
func GCJToWGS(p orb.Point) orb.Point {
	if outsideChina(p) {
		return p
	}
	return undo(p, p, gcjShift)
}

// undo finds what f makes p of, from a guess within metres or kilometres of it: f moves
// neighbours almost alike.
func undo(p, guess orb.Point, f func(orb.Point) orb.Point) orb.Point {
	q := guess
	for range 20 {
		g := f(q)
		dx, dy := p[0]-g[0], p[1]-g[1]
		q = orb.Point{q[0] + dx, q[1] + dy}
		if math.Abs(dx) < 1e-13 && math.Abs(dy) < 1e-13 {
			break
		}
	}
	return q
}

// GCJToBD adds Baidu's polar shift.
func GCJToBD(p orb.Point) orb.Point {
	z := math.Hypot(p[0], p[1]) + 0.00002*math.Sin(p[1]*bdPi)
	theta := math.Atan2(p[1], p[0]) + 0.000003*math.Cos(p[0]*bdPi)
	return orb.Point{z*math.Cos(theta) + 0.0065, z*math.Sin(theta) + 0.006}
}

// BDToGCJ undoes [GCJToBD]. The published formula for this way is a first step only, off
// by up to 23 cm in China; iterated, there and back is the same place to a hundredth of a
// micrometre.
func BDToGCJ(p orb.Point) orb.Point {
	x, y := p[0]-0.0065, p[1]-0.006
	z := math.Hypot(x, y) - 0.00002*math.Sin(y*bdPi)
	theta := math.Atan2(y, x) - 0.000003*math.Cos(x*bdPi)
	return undo(p, orb.Point{z * math.Cos(theta), z * math.Sin(theta)}, GCJToBD)
}

// BDToWGS and WGSToBD go through GCJ-02. Outside China only the polar shift is left, and
// Baidu has no map there to compare with.
func BDToWGS(p orb.Point) orb.Point { return GCJToWGS(BDToGCJ(p)) }

// WGSToBD is the way of [BDToWGS], back.
func WGSToBD(p orb.Point) orb.Point { return GCJToBD(WGSToGCJ(p)) }

const (
	mercatorAxis = 6378137.0
	// mercatorEnd is the latitude at which the map of the world is a square.
	mercatorEnd = 85.0511287798066
)

// WGSToMercator gives the metres of web maps; beyond 85.05° it stays at their edge.
func WGSToMercator(p orb.Point) orb.Point {
	lat := min(max(p[1], -mercatorEnd), mercatorEnd) * math.Pi / 180
	return orb.Point{mercatorAxis * p[0] * math.Pi / 180, mercatorAxis * math.Asinh(math.Tan(lat))}
}

// MercatorToWGS is the way back.
func MercatorToWGS(p orb.Point) orb.Point {
	return orb.Point{p[0] / mercatorAxis * 180 / math.Pi, math.Atan(math.Sinh(p[1]/mercatorAxis)) * 180 / math.Pi}
}

// Convert moves a position between the systems that need no database: EPSG:4490 (and
// 4326), 3857, GCJ-02, BD-09. The second result is false where one of them does (the
// Gauss-Krüger zones, through ST_Transform) or the position is no finite one.
func Convert(p orb.Point, from, to CRS) (orb.Point, bool) {
	switch from {
	case CGCS2000:
	case Mercator:
		p = MercatorToWGS(p)
	case GCJ02:
		p = GCJToWGS(p)
	case BD09:
		p = BDToWGS(p)
	default:
		return p, false
	}
	if !inEnvelope(p) {
		return p, false
	}
	switch to {
	case CGCS2000:
	case Mercator:
		p = WGSToMercator(p)
	case GCJ02:
		p = WGSToGCJ(p)
	case BD09:
		p = WGSToBD(p)
	default:
		return p, false
	}
	return p, true
}

// ToCGCS2000 converts a shape in degrees. The second result is false for metres: those
// PostGIS transforms, every kind of them by one way.
func ToCGCS2000(g orb.Geometry, from CRS) (orb.Geometry, bool) {
	switch from {
	case CGCS2000:
		return g, true
	case GCJ02:
		return Map(g, GCJToWGS), true
	case BD09:
		return Map(g, BDToWGS), true
	}
	return g, false
}

// InEnvelope reports whether every position is finite and within ±180/±90, and
// where the first is that is not.
func InEnvelope(g orb.Geometry) (orb.Point, bool) {
	var bad orb.Point
	ok := eachPoint(g, func(p orb.Point) bool {
		if inEnvelope(p) {
			return true
		}
		bad = p
		return false
	})
	return bad, ok
}

// inEnvelope is false for NaN, because every comparison with it is.
func inEnvelope(p orb.Point) bool {
	return p[0] >= -180 && p[0] <= 180 && p[1] >= -90 && p[1] <= 90
}

// LooksSwapped reports whether p was probably written latitude first: it lies
// outside the area the data is about, and its mirror image inside.
func LooksSwapped(p orb.Point, area orb.Bound) bool {
	return !area.Contains(p) && area.Contains(orb.Point{p[1], p[0]})
}

// GaussKruger describes a guess about projected coordinates.
type GaussKruger struct {
	EPSG            int
	CentralMeridian int  // degrees east
	Width           int  // 3 or 6 degrees
	Prefixed        bool // the easting starts with the zone number
	Swapped         bool // northing came first, as Chinese surveys write it
}

// GuessGaussKruger guesses the CGCS2000 Gauss-Krüger zone of a coordinate pair.
// With a zone number in the easting the answer is certain; without, nearLon (the
// longitude of the area the data is about) decides, and three-degree zones are
// assumed because counties survey in them.
func GuessGaussKruger(x, y, nearLon float64) (GaussKruger, bool) {
	if g, ok := guessGK(x, y, nearLon); ok {
		return g, true
	}
	if g, ok := guessGK(y, x, nearLon); ok {
		g.Swapped = true
		return g, true
	}
	return GaussKruger{}, false
}

func guessGK(east, north, nearLon float64) (GaussKruger, bool) {
	// China lies between 0.3 and 6.0 million metres north of the equator; the
	// false easting keeps eastings within 100 to 900 kilometres.
	if !(north > 300_000 && north < 6_200_000) {
		return GaussKruger{}, false
	}
	zone := int(east / 1_000_000)
	rest := east - float64(zone)*1_000_000
	if !(rest > 100_000 && rest < 900_000) {
		return GaussKruger{}, false
	}
	switch {
	case zone >= 25 && zone <= 45:
		return GaussKruger{EPSG: 4513 + zone - 25, CentralMeridian: zone * 3, Width: 3, Prefixed: true}, true
	case zone >= 13 && zone <= 23:
		return GaussKruger{EPSG: 4491 + zone - 13, CentralMeridian: zone*6 - 3, Width: 6, Prefixed: true}, true
	case zone == 0 && nearLon >= 72 && nearLon <= 138:
		z := int(math.Round(nearLon / 3))
		if z < 25 || z > 45 {
			return GaussKruger{}, false
		}
		return GaussKruger{EPSG: 4534 + z - 25, CentralMeridian: z * 3, Width: 3}, true
	}
	return GaussKruger{}, false
}
