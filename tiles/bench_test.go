package tiles

import (
	"testing"
	"time"

	"onemap/internal/registry"
)

// benchLayer is a layer as the catalogue describes it, without a database.
func benchLayer() *registry.Layer {
	l := &registry.Layer{ID: "hazards", Own: true, Schema: "public", Table: "hazards", IDColumn: "id", FIDColumn: "fid", GeomColumn: "geom", SRID: 4490,
		Geometry: registry.Mixed, ScopeColumn: "scope", LevelField: "level", TimeKind: registry.Interval, TimeFrom: "valid_from", TimeTo: "valid_to", MaxZoom: 16}
	for _, n := range []string{"name", "hazard", "level", "scale", "state", "threatened_persons", "exercise"} {
		l.Fields = append(l.Fields, registry.Field{Name: n, Type: registry.Text, Tile: true, Filter: true})
	}
	return l
}

func BenchmarkStatement(b *testing.B) {
	p, err := loadParts()
	if err != nil {
		b.Fatal(err)
	}
	layers := []part{{layer: benchLayer()}, {layer: benchLayer()}, {layer: benchLayer()}, {layer: benchLayer()}}
	req := Request{Layers: []string{"a", "b", "c", "d"}, Z: 12, X: 3300, Y: 1670, Reach: everywhere}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := p.statement(req, time.Now(), 20000, layers); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKeyAndHit(b *testing.B) {
	c := newCache(1 << 20)
	req := Request{Layers: []string{"hazards", "zones"}, Z: 12, X: 3300, Y: 1670, Reach: everywhere}
	k := makeKey(&req)
	c.store(&entry{key: k, tile: &Tile{Body: []byte("x")}, layers: req.Layers, room: []int64{1, 1}}, time.Now())
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		k := makeKey(&req)
		if _, _, ok := c.get(k, now); !ok {
			b.Fatal("miss")
		}
	}
}

func BenchmarkParsePath(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParsePath("hazards,zones", "12", "3300", "1670", nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHitParallel is the look-up alone from all cores at once: whether the one
// lock of the cache matters beside the tens of microseconds a request costs.
func BenchmarkHitParallel(b *testing.B) {
	c := newCache(64 << 20)
	var keys []key
	for x := range 1000 {
		req := Request{Layers: []string{"hazards", "zones"}, Z: 12, X: x, Y: 1670, Reach: everywhere}
		k := makeKey(&req)
		c.store(&entry{key: k, tile: &Tile{Body: []byte("x")}, layers: req.Layers, room: []int64{1, 1}}, time.Now())
		keys = append(keys, k)
	}
	now := time.Now()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, _, ok := c.get(keys[i%len(keys)], now); !ok {
				b.Error("miss")
			}
		}
	})
}
