// Package gk is the 3-degree Gauss-Krüger projection on the ellipsoid of CGCS2000, in
// which Chinese maps of large and middle scale are drawn.
//
// The formulas are Krüger's series in the third flattening to the sixth order (as Karney
// 2011 gives them): a micrometre within 15 degrees of the central meridian. It imports
// nothing; a test compares it with PROJ through PostGIS.
package gk

import (
	"fmt"
	"math"
)

// The ellipsoid of CGCS2000 (EPSG 1024).
const (
	axis       = 6378137.0
	flattening = 1 / 298.257222101
	easting    = 500000.0
)

// Zone is one strip, 3 degrees wide.
type Zone struct {
	Number   int     // 25 (75°E) to 45 (135°E); others beyond China
	Meridian float64 // degrees east

	e     float64
	scale float64    // of the rectifying radius
	alpha [6]float64 // forward
	beta  [6]float64 // back
}

// At is the zone a longitude lies in.
func At(lon float64) Zone {
	n := int(math.Floor((lon + 1.5) / 3))
	return On(3*float64(n), n)
}

// On is the strip around a meridian.
func On(meridian float64, number int) Zone {
	n := flattening / (2 - flattening)
	n2, n3, n4, n5, n6 := n*n, n*n*n, n*n*n*n, n*n*n*n*n, n*n*n*n*n*n
	return Zone{
		Number: number, Meridian: meridian,
		e:     math.Sqrt(flattening * (2 - flattening)),
		scale: axis / (1 + n) * (1 + n2/4 + n4/64 + n6/256),
		alpha: [6]float64{
			n/2 - 2*n2/3 + 5*n3/16 + 41*n4/180 - 127*n5/288 + 7891*n6/37800,
			13*n2/48 - 3*n3/5 + 557*n4/1440 + 281*n5/630 - 1983433*n6/1935360,
			61*n3/240 - 103*n4/140 + 15061*n5/26880 + 167603*n6/181440,
			49561*n4/161280 - 179*n5/168 + 6601661*n6/7257600,
			34729*n5/80640 - 3418889*n6/1995840,
			212378941 * n6 / 319334400,
		},
		beta: [6]float64{
			n/2 - 2*n2/3 + 37*n3/96 - n4/360 - 81*n5/512 + 96199*n6/604800,
			n2/48 + n3/15 - 437*n4/1440 + 46*n5/105 - 1118711*n6/3870720,
			17*n3/480 - 37*n4/840 - 209*n5/4480 + 5569*n6/90720,
			4397*n4/161280 - 11*n5/504 - 830251*n6/7257600,
			4583*n5/161280 - 108847*n6/3991680,
			20648693 * n6 / 638668800,
		},
	}
}

// Forward gives easting (with 500 km, without the zone's number) and northing in metres.
func (z Zone) Forward(lon, lat float64) (x, y float64) {
	phi, lam := lat*math.Pi/180, (lon-z.Meridian)*math.Pi/180
	sin := math.Sin(phi)
	t := math.Sinh(math.Atanh(sin) - z.e*math.Atanh(z.e*sin))
	xi := math.Atan2(t, math.Cos(lam))
	eta := math.Atanh(math.Sin(lam) / math.Hypot(1, t))
	x, y = eta, xi
	for j := range z.alpha {
		k := 2 * float64(j+1)
		x += z.alpha[j] * math.Cos(k*xi) * math.Sinh(k*eta)
		y += z.alpha[j] * math.Sin(k*xi) * math.Cosh(k*eta)
	}
	return easting + z.scale*x, z.scale * y
}

// Inverse gives longitude and latitude in degrees.
func (z Zone) Inverse(x, y float64) (lon, lat float64) {
	eta, xi := (x-easting)/z.scale, y/z.scale
	a, b := xi, eta
	for j := range z.beta {
		k := 2 * float64(j+1)
		a -= z.beta[j] * math.Sin(k*xi) * math.Cosh(k*eta)
		b -= z.beta[j] * math.Cos(k*xi) * math.Sinh(k*eta)
	}
	lam := math.Atan2(math.Sinh(b), math.Cos(a))
	chi := math.Asin(math.Sin(a) / math.Cosh(b))
	// From the conformal latitude to the latitude, by Newton.
	want := math.Tan(chi)
	t := want
	for range 8 {
		s := math.Sinh(z.e * math.Atanh(z.e*t/math.Hypot(1, t)))
		got := t*math.Hypot(1, s) - s*math.Hypot(1, t)
		d := (want - got) / math.Hypot(1, got) * (1 + (1-z.e*z.e)*t*t) / ((1 - z.e*z.e) * math.Hypot(1, t))
		t += d
		if math.Abs(d) < 1e-15*max(1, math.Abs(t)) {
			break
		}
	}
	return z.Meridian + lam*180/math.Pi, math.Atan(t) * 180 / math.Pi
}

// Convergence is how far grid north lies from true north, in degrees, east positive.
func (z Zone) Convergence(lon, lat float64) float64 {
	x0, y0 := z.Forward(lon, lat)
	x1, y1 := z.Forward(lon, lat+1e-5)
	return -math.Atan2(x1-x0, y1-y0) * 180 / math.Pi
}

// EPSG is the code of the zone without its number in the easting, 0 beyond China.
func (z Zone) EPSG() int {
	if z.Number < 25 || z.Number > 45 {
		return 0
	}
	return 4534 + z.Number - 25
}

// Name says the projection in words.
func (z Zone) Name(english bool) string {
	m := fmt.Sprintf("%g°E", z.Meridian)
	if z.Meridian < 0 {
		m = fmt.Sprintf("%g°W", -z.Meridian)
	}
	if english {
		return fmt.Sprintf("CGCS2000, 3-degree Gauss-Krüger, central meridian %s", m)
	}
	return fmt.Sprintf("2000国家大地坐标系 · 高斯-克吕格投影 3°分带 · 中央经线%s", m)
}
