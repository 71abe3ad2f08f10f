package coverage

import "math"

// The ellipsoid of CGCS2000.
const (
	semiMajor  = 6378137.0
	flattening = 1 / 298.257222101
	ecc2       = flattening * (2 - flattening)
)

var (
	ecc       = math.Sqrt(ecc2)
	semiMinor = semiMajor * (1 - flattening)
)

// AreaM2 is the area on the ellipsoid, the borders being geodesics as for PostGIS's
// geography: the integral of the authalic strip below each edge.
func AreaM2(s Shape) float64 {
	sum := 0.0
	for _, p := range s {
		for _, r := range p {
			sum += ringArea(r)
		}
	}
	return sum
}

// ringArea is signed: positive counter-clockwise.
func ringArea(r []Point) float64 {
	if len(r) < 3 {
		return 0
	}
	// Strips are counted from the parallel of the first point, which keeps digits.
	base := authalic(float64(r[0].Y) * rad)
	sum := 0.0
	for i, p := range r {
		sum -= strip(p, r[(i+1)%len(r)], base)
	}
	return sum
}

const rad = math.Pi / 180 / Scale

// authalic is the area between the equator and a parallel, per radian of longitude.
func authalic(phi float64) float64 {
	s := math.Sin(phi)
	return semiMinor * semiMinor / 2 * (s/(1-ecc2*s*s) + math.Atanh(ecc*s)/ecc)
}

// strip is the area between a geodesic and the parallel that base belongs to. On the
// auxiliary sphere of reduced latitudes a geodesic is a great circle; longitudes differ
// by the factor √(1-e²cos²β), which is integrated along.
func strip(p, q Point, base float64) float64 {
	dlon := float64(q.X-p.X) * rad
	if dlon == 0 {
		return 0
	}
	t1 := (1 - flattening) * math.Tan(float64(p.Y)*rad)
	t2 := (1 - flattening) * math.Tan(float64(q.Y)*rad)
	factor := func(t float64) float64 { return math.Sqrt(1 - ecc2/(1+t*t)) }
	om := dlon / factor((t1+t2)/2)
	n := 1 + int(math.Abs(dlon)*60) // panels of a degree
	tan := func(w float64) float64 {
		if math.Abs(om) < 1e-9 {
			return t1 + (t2-t1)*w
		}
		return (t1*math.Sin(om*(1-w)) + t2*math.Sin(om*w)) / math.Sin(om)
	}
	each := func(f func(t float64) float64) float64 {
		sum := 0.0
		for i := range n {
			for k, x := range gaussX {
				sum += gaussW[k] * f(tan((float64(i)+x)/float64(n)))
			}
		}
		return sum * om / float64(n)
	}
	for range 2 {
		om *= dlon / each(factor)
	}
	return each(func(t float64) float64 {
		return factor(t) * (authalic(math.Atan(t/(1-flattening))) - base)
	})
}

// Three points of Gauss on 0..1.
var (
	gaussX = [3]float64{0.5 - 0.3872983346207417, 0.5, 0.5 + 0.3872983346207417}
	gaussW = [3]float64{5.0 / 18, 8.0 / 18, 5.0 / 18}
)

// metres is the length of a segment, good to a thousandth within some kilometres.
func metres(a, b Point) float64 {
	phi := float64(a.Y+b.Y) / 2 * rad
	w := 1 - ecc2*math.Sin(phi)*math.Sin(phi)
	n := semiMajor / math.Sqrt(w)
	return math.Hypot(float64(b.X-a.X)*rad*n*math.Cos(phi), float64(b.Y-a.Y)*rad*n*(1-ecc2)/w)
}

// perimeterM is the length of all rings.
func (s Shape) perimeterM() float64 {
	sum := 0.0
	s.links(func(l link) { sum += metres(l.a, l.b) })
	return sum
}

// widthM is the mean width of a thin shape, 2·area/perimeter.
func (s Shape) widthM() float64 {
	if p := s.perimeterM(); p > 0 {
		return 2 * AreaM2(s) / p
	}
	return 0
}
