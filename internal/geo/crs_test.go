package geo

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/paulmach/orb"
	orbgeo "github.com/paulmach/orb/geo"
)

func near(a, b orb.Point, tol float64) bool {
	return math.Abs(a[0]-b[0]) <= tol && math.Abs(a[1]-b[1]) <= tol
}

// The published vectors: eviltransform for GCJ-02, wandergis for BD-09.
func TestChineseShiftVectors(t *testing.T) {
	for _, c := range [][2]orb.Point{
		{{121.5272106, 31.1774276}, {121.531541859215, 31.17530398364597}},
		{{113.912316, 22.543847}, {113.9171764808363, 22.540796131694766}},
		{{116.377817, 39.911954}, {116.38404722455657, 39.91334545536069}},
	} {
		if got := WGSToGCJ(c[0]); !near(got, c[1], 1e-12) {
			t.Errorf("WGSToGCJ(%v) = %v, want %v", c[0], got, c[1])
		}
		if got := GCJToWGS(c[1]); orbgeo.Distance(got, c[0]) > 1e-6 {
			t.Errorf("GCJToWGS(%v) = %v, want %v", c[1], got, c[0])
		}
	}
	// The published value is one step of the way back; ours goes all of it, 5 cm further here.
	if got, want := BDToGCJ(orb.Point{116.404, 39.915}), (orb.Point{116.39762729119315, 39.90865673957631}); !near(got, want, 5e-7) || orbgeo.Distance(got, want) > 0.06 {
		t.Errorf("BDToGCJ = %v, want %v", got, want)
	}
	if got, want := GCJToBD(orb.Point{116.404, 39.915}), (orb.Point{116.41036949371029, 39.9213369935102}); !near(got, want, 1e-12) {
		t.Errorf("GCJToBD = %v, want %v", got, want)
	}
	// That published pair is a coarse one: all common formulas agree with each
	// other to a metre and with it to four decimals.
	if got, want := BDToWGS(orb.Point{120.019809, 29.199786}), (orb.Point{120.00877901149691, 29.196131605295484}); !near(got, want, 1e-4) {
		t.Errorf("BDToWGS = %v, want %v", got, want)
	}
	for _, p := range []orb.Point{{72, 30}, {138, 30}, {100, 0.8}, {100, 56}, {-73, 40}} {
		if WGSToGCJ(p) != p || GCJToWGS(p) != p {
			t.Errorf("%v lies outside China and was moved", p)
		}
	}
}

// metres measures what orb's distance rounds away.
func metres(a, b orb.Point) float64 {
	return math.Hypot((a[0]-b[0])*111320*math.Cos(a[1]*math.Pi/180), (a[1]-b[1])*110574)
}

// Every way there and back, over China from the Pamirs to the Ussuri and from the James
// Shoal to the Amur, ends within a ten-millionth of a metre of where it began.
func TestThereAndBack(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	systems := []CRS{CGCS2000, Mercator, GCJ02, BD09}
	for range 20_000 {
		p := orb.Point{73.4 + r.Float64()*61.8, 3.8 + r.Float64()*49.8}
		for _, from := range systems {
			at, ok := Convert(p, CGCS2000, from)
			if !ok {
				t.Fatalf("%v is not in %s", p, from)
			}
			for _, to := range systems {
				there, ok1 := Convert(at, from, to)
				back, ok2 := Convert(there, to, from)
				home, ok3 := Convert(back, from, CGCS2000)
				if !ok1 || !ok2 || !ok3 || metres(home, p) > 1e-7 {
					t.Fatalf("%v from %s to %s and back: %g m", p, from, to, metres(home, p))
				}
			}
		}
		if d := orbgeo.Distance(p, WGSToGCJ(p)); d < 10 || d > 1500 {
			t.Fatalf("%v: the shift is %g m", p, d)
		}
	}
	// Abroad GCJ-02 is nothing.
	for range 2000 {
		p := orb.Point{-180 + r.Float64()*250, -85 + r.Float64()*170}
		if WGSToGCJ(p) != p || GCJToWGS(p) != p {
			t.Fatalf("%v was moved", p)
		}
	}
}

func TestConvertRefuses(t *testing.T) {
	p := orb.Point{119, 34}
	for _, c := range []struct {
		p        orb.Point
		from, to CRS
	}{
		{p, "EPSG:4549", CGCS2000}, {p, CGCS2000, "EPSG:4549"}, {p, AutoCRS, CGCS2000}, {p, "", ""},
		{orb.Point{math.NaN(), 34}, GCJ02, CGCS2000}, {orb.Point{34, 119}, CGCS2000, GCJ02}, {orb.Point{math.Inf(1), 0}, BD09, CGCS2000}, {orb.Point{1e300, 1e300}, Mercator, BD09},
	} {
		if got, ok := Convert(c.p, c.from, c.to); ok {
			t.Errorf("%v from %q to %q: %v", c.p, c.from, c.to, got)
		}
	}
	if got, ok := Convert(orb.Point{13358338.895192828, 4163881.144064293}, Mercator, CGCS2000); !ok || math.Abs(got[0]-120) > 1e-9 || math.Abs(got[1]-35) > 1e-9 {
		t.Errorf("from web metres: %v %v", got, ok)
	}
	if n, srid, err := ParseCRS("EPSG:900913"); err != nil || n != Mercator || srid != 3857 {
		t.Errorf("EPSG:900913: %v %d %v", n, srid, err)
	}
}

func TestParseCRS(t *testing.T) {
	for in, want := range map[string]CRS{
		"": AutoCRS, "auto": AutoCRS, "EPSG:4490": CGCS2000, "epsg:4326": CGCS2000, "WGS84": CGCS2000, "CGCS2000": CGCS2000,
		"urn:ogc:def:crs:OGC:1.3:CRS84": CGCS2000, "urn:ogc:def:crs:EPSG::4549": "EPSG:4549", "EPSG:3826": "EPSG:3826",
		"gcj-02": GCJ02, "GCJ02": GCJ02, "bd09": BD09, "BD-09": BD09, "http://www.opengis.net/def/crs/EPSG/0/4548": "EPSG:4548",
	} {
		if got, _, err := ParseCRS(in); err != nil || got != want {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"EPSG:", "EPSG:x", "EPSG:99999999", "mars", "4490;drop"} {
		if got, _, err := ParseCRS(in); err == nil {
			t.Errorf("%q: %v", in, got)
		}
	}
}

func TestSwappedAndGaussKruger(t *testing.T) {
	area := orb.Bound{Min: orb.Point{119, 34}, Max: orb.Point{120, 35}}
	if !LooksSwapped(orb.Point{34.5, 119.5}, area) || LooksSwapped(orb.Point{119.5, 34.5}, area) || LooksSwapped(orb.Point{10, 10}, area) {
		t.Error("swap detection")
	}
	for _, c := range []struct {
		x, y, lon float64
		want      GaussKruger
	}{
		{40512345, 3789000, 0, GaussKruger{EPSG: 4528, CentralMeridian: 120, Width: 3, Prefixed: true}},
		{3789000, 40512345, 0, GaussKruger{EPSG: 4528, CentralMeridian: 120, Width: 3, Prefixed: true, Swapped: true}},
		{20512345, 3789000, 0, GaussKruger{EPSG: 4498, CentralMeridian: 117, Width: 6, Prefixed: true}},
		{512345, 3789000, 119.6, GaussKruger{EPSG: 4549, CentralMeridian: 120, Width: 3}},
		{512345, 3789000, 117.3, GaussKruger{EPSG: 4548, CentralMeridian: 117, Width: 3}},
	} {
		if got, ok := GuessGaussKruger(c.x, c.y, c.lon); !ok || got != c.want {
			t.Errorf("%v: %+v %v", c, got, ok)
		}
	}
	for _, p := range [][2]float64{{119.5, 34.5}, {0, 0}, {1e9, 1e9}, {math.NaN(), 1}, {math.Inf(1), math.Inf(-1)}} {
		if got, ok := GuessGaussKruger(p[0], p[1], 119); ok {
			t.Errorf("%v: %+v", p, got)
		}
	}
}

func TestParseDegrees(t *testing.T) {
	want := 119 + 15.0/60 + 30.5/3600
	for in, w := range map[string]float64{
		"119.25": 119.25, "119°15′30.5″": want, `119°15'30.5"`: want, "119度15分30.5秒": want, "119 15 30.5": want,
		"119-15-30.5": want, "E119.25": 119.25, "119.25E": 119.25, "119.25°E": 119.25, "东经119°15′30.5″": want, "東經119度15分30.5秒": want,
		"１１９°１５′３０．５″": want, "119°15′": 119.25, "119度": 119, "W 10": -10, "-10.5": -10.5, "西经10°30'": -10.5,
		"S34°30'": -34.5, "119°15′30.5〃": want, "119°15’30.5”": want, "119º15´30.5''": want, " 经度：119.25 ": 119.25, "119°30″": 119 + 30.0/3600,
	} {
		got, _, err := ParseDegrees(in)
		if err != nil || math.Abs(got-w) > 1e-12 {
			t.Errorf("%q: %v, %v; want %v", in, got, err, w)
		}
	}
	for _, in := range []string{"", "abc", "119°60′", "119°15′60″", "181", "N91", "1 2 3 4", "15′", "119.5°15.5′30″", "°", "E", "EE119", "119°15′,30″", "1e5", "NaN", "\xff", "15″119°"} {
		if got, _, err := ParseDegrees(in); err == nil {
			t.Errorf("%q: %v", in, got)
		}
	}
}

func TestParseLonLat(t *testing.T) {
	p := orb.Point{119.25, 34.15}
	for _, in := range []string{
		"119.25,34.15", "119.25 34.15", "34.15,119.25", "东经119°15′ 北纬34°9′", "北纬34°9′，东经119°15′", "N34°09' E119°15'",
		"E119.25 N34.15", "119°15′00″，34°09′00″", "119°15′00″E 34°09′00″N", "119度15分0秒 34度9分0秒", "(119.25, 34.15)", "经度119.25 纬度34.15", "119 15 0 34 9 0",
	} {
		if got, err := ParseLonLat(in); err != nil || !near(got, p, 1e-9) {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "119.25", "119.25,134.15", "E119 E120", "a,b", "1,2,3"} {
		if got, err := ParseLonLat(in); err == nil {
			t.Errorf("%q: %v", in, got)
		}
	}
}

func FuzzParseDegrees(f *testing.F) {
	for _, s := range []string{"119°15′30.5″", "东经119度15分", "119 15 30.5", "N34°09' E119°15'", "-1,2", "１１９．２"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, a, err := ParseDegrees(s); err == nil && (!(math.Abs(v) <= 180) || (a == Latitude && math.Abs(v) > 90)) {
			t.Fatalf("%q: %v", s, v)
		}
		if p, err := ParseLonLat(s); err == nil && !inEnvelope(p) {
			t.Fatalf("%q: %v", s, p)
		}
	})
}

func FuzzParseCRS(f *testing.F) {
	f.Add("EPSG:4490")
	f.Add("urn:ogc:def:crs:EPSG::4549")
	f.Fuzz(func(t *testing.T, s string) {
		if c, n, err := ParseCRS(s); err == nil && (c == "" || n < 0 || n > 999999) {
			t.Fatalf("%q: %v %d", s, c, n)
		}
	})
}
