package tiles

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/paulmach/orb"

	"onemap/internal/db"
	"onemap/internal/feed"
	"onemap/internal/geo"
	"onemap/internal/registry"
)

func TestLayers(t *testing.T) {
	w := newWorld(t)
	w.follow()
	w.exec(`insert into dataset (id, name, title, source_date) values
		('0190a0a0-0000-7000-8000-000000000001', 'old', 'old', '2020-01-01'), ('0190a0a0-0000-7000-8000-000000000002', 'new', 'new', '2026-05-06'), ('0190a0a0-0000-7000-8000-000000000003', 'other', 'other', '2026-07-01')`)
	w.exec(`insert into hazards (name, dataset, source_key, admin_code, valid_to, geom) values
		('a', '0190a0a0-0000-7000-8000-000000000001', '1', '990101', null, 'SRID=4490;POINT(110.5 30.5)'),
		('b', '0190a0a0-0000-7000-8000-000000000002', '1', '990102', null, 'SRID=4490;POINT(111.5 31.5)'),
		('gone', null, null, '990101', '2020-01-01', 'SRID=4490;POINT(120 40)'), ('nowhere', null, null, '990101', null, null)`)
	w.exec(`insert into zones (name, level, published, geom) values ('draft', 1, false, ST_MakeEnvelope(1, 1, 2, 2, 4490))`)
	w.settle()
	find := func(id string, reach db.Reach) LayerInfo {
		t.Helper()
		all, err := w.engine.Layers(context.Background(), reach)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != len(w.reg.Now().Layers) {
			t.Fatalf("%d layers", len(all))
		}
		for _, l := range all {
			if l.Err != nil {
				t.Errorf("%s: %v", l.Layer.ID, l.Err)
			}
			if l.Layer.ID == id {
				return l
			}
		}
		t.Fatalf("no layer %s", id)
		return LayerInfo{}
	}
	h := find("hazards", everywhere)
	want := orb.Bound{Min: orb.Point{110.5, 30.5}, Max: orb.Point{111.5, 31.5}}
	if h.Count != 3 || h.Bounds == nil || *h.Bounds != want || h.SourceDate == nil || h.SourceDate.Format("2006-01-02") != "2026-05-06" || !h.HasFeed {
		t.Errorf("%+v %v %v", h, h.Bounds, h.SourceDate)
	}
	if z := find("zones", everywhere); z.Count != 0 || z.Bounds != nil {
		t.Errorf("drafts are counted: %+v", z)
	}
	one, err := geo.ParseScopes("990101")
	if err != nil {
		t.Fatal(err)
	}
	if h := find("hazards", db.NewReach(db.Areas{Internal: one})); h.Count != 2 {
		t.Errorf("in one county %d", h.Count)
	}
	w.exec(`insert into hazards (name, geom) values ('c', 'SRID=4490;POINT(110.6 30.5)')`)
	w.settle()
	eventually(t, "the new count", func() bool { return find("hazards", everywhere).Count == 4 })
}

func TestTileJSON(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into roads (name, class, geom) values ('r', 'county', 'SRID=4490;LINESTRING(110 30,111 31)')`)
	tj, err := w.engine.TileJSON(context.Background(), []string{"buildings", "roads"}, "https://x.example", registry.English, everywhere)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(tj)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"tilejson":"3.0.0"`, `"tiles":["https://x.example/tiles/buildings,roads/{z}/{x}/{y}.mvt"]`, `"minzoom":6`, `"maxzoom":16`,
		`"bounds":[110,30,111,31]`, `"id":"roads"`, `"oneway":"Boolean"`, `"floors":"Number"`, `"name":"Buildings, Roads"`} {
		if !strings.Contains(string(b), part) {
			t.Errorf("%s is not in %s", part, b)
		}
	}
	if _, err := w.engine.TileJSON(context.Background(), []string{"nothing"}, "", registry.Chinese, everywhere); err == nil {
		t.Error("TileJSON of an unknown layer")
	}
}

func TestDirtyBoxesCoverEveryChange(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{0, 1, 2, 50, 64, 65, 300, 3000} {
		var changes []feed.Change
		for range n {
			p := orb.Point{100 + r.Float64()*20, 20 + r.Float64()*20}
			c := feed.Change{Layer: []string{"a", "b"}[r.IntN(2)], Op: feed.Insert, NewBBox: &orb.Bound{Min: p, Max: orb.Point{p[0] + r.Float64()*0.01, p[1]}}}
			if r.IntN(3) == 0 {
				q := orb.Point{100 + r.Float64(), 20}
				c.OldBBox = &orb.Bound{Min: q, Max: q}
			}
			changes = append(changes, c)
		}
		changes = append(changes, feed.Change{Layer: feed.CatalogueChanged}, feed.Change{Layer: "c", Op: feed.Insert})
		got := DirtyBoxes(changes)
		by := map[string][]Box{}
		for _, d := range got {
			by[d.Layer] = d.Boxes
			if len(d.Boxes) == 0 || len(d.Boxes) > MaxDirtyBoxes {
				t.Errorf("%d changes: %d boxes", n, len(d.Boxes))
			}
		}
		if by[feed.CatalogueChanged] != nil || by["c"] != nil {
			t.Error("boxes of what has no place")
		}
		for _, c := range changes {
			for _, b := range boxes(c) {
				want := boxOf(b)
				found := false
				for _, o := range by[c.Layer] {
					found = found || o.contains(want)
				}
				if !found {
					t.Fatalf("%d changes: %v is in no box of %v", n, want, by[c.Layer])
				}
			}
		}
	}
	// Two places far apart stay two boxes.
	far := DirtyBoxes([]feed.Change{
		{Layer: "a", NewBBox: &orb.Bound{Min: orb.Point{100, 30}, Max: orb.Point{100, 30}}},
		{Layer: "a", NewBBox: &orb.Bound{Min: orb.Point{120, 30}, Max: orb.Point{120, 30}}},
	})
	if len(far[0].Boxes) != 2 {
		t.Errorf("%v", far)
	}
}
