package geo_test

import (
	"errors"
	"fmt"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
)

func ExampleParseGeoJSON() {
	_, err := geo.ParseGeoJSON([]byte(`{"type":"Polygon","coordinates":[[[119,34],[120,34],[120,91],[119,34]]]}`), geo.EditLimits())
	if fault, ok := errors.AsType[*geo.Fault](err); ok {
		fmt.Println(fault.Code, fault.Path, fault.At)
	}
	// Output: out_of_range coordinates[0][2] [120 91]
}

func ExampleCheck() {
	bowTie := orb.Polygon{{{0, 0}, {1, 1}, {1, 0}, {0, 1}, {0, 0}}}
	fmt.Println(geo.Check(bowTie))
	// Output: geo: self_intersection at [0] (0.5000000, 0.5000000): edges cross
}

func ExampleParseScope() {
	county, _ := geo.ParseScope("990100")
	village, _ := geo.ParseScope("990100001002")
	fmt.Println(county, county.Contains(village))
	// Output: [1990100000000000,1990100999999999] true
}

func ExampleParseLonLat() {
	p, err := geo.ParseLonLat("北纬34°9′0″,东经119°15′30.5″")
	fmt.Printf("%.6f %.6f %v\n", p[0], p[1], err)
	// Output: 119.258472 34.150000 <nil>
}

func ExampleCover() {
	fmt.Println(len(geo.Cover(orb.LineString{{119.2, 34.1}, {119.3, 34.2}}, 14, 0.0625)))
	// Output: 14
}
