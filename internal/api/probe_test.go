package api_test

import (
	"fmt"
	"testing"
)

func TestProbe(t *testing.T) {
	e := start(t)
	e.county()
	for _, p := range []string{"/healthz", "/readyz", "/metrics", "/api/layers", "/api/about", "/api/code-lists", "/api/identify?lon=119.25&lat=34.15&radius_m=50", "/api/search?q=清河", "/api/search?q=DZ00", "/api/search?q=34.15,119.25", "/ogc", "/ogc/conformance", "/ogc/collections", "/ogc/collections/hazards", "/ogc/collections/hazards/items?limit=2", "/ogc/collections/hazards/items?limit=2&hazard=landslide&bbox=119.2,34,119.21,34.3", "/ogc/collections/hazards/items/1", "/tiles/hazards/10/851/407.mvt", "/tiles/hazards.json", "/tiles/style.json", "/basemap/0/0/0.mvt", "/", "/sprite.json", "/nope", "/ogc/collections/incidents/items?as_of=2026-01-01T00:00:00Z"} {
		r := e.get(p)
		b := r.body
		if len(b) > 600 {
			b = b[:600]
		}
		fmt.Println(p, r.StatusCode, r.Header, string(b))
	}
	fmt.Println(e.logs.String())
}
