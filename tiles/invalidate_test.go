package tiles

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"onemap/internal/db"
)

// TestNoStaleTile edits at random and compares every tile the cache would answer
// with a fresh one, after every few edits.
func TestNoStaleTile(t *testing.T) {
	w := newWorld(t, func(o *Options, _ *db.Options) { o.MaxFeatures = 40 })
	w.follow()
	r := rand.New(rand.NewPCG(1, 2))
	at := func() (float64, float64) { return 110 + r.Float64()*2, 30 + r.Float64()*2 }
	w.exec(`insert into hazards (name, hazard, level, threatened_persons, geom)
		select 'h' || i, 'flood', 1 + i % 4, i, ST_SetSRID(ST_MakePoint(110 + random() * 2, 30 + random() * 2), 4490) from generate_series(1, 300) i`)
	w.exec(`insert into zones (name, kind, hazard, level, published, geom)
		select 'z' || i, 'risk', 'flood', 1 + i % 5, true, ST_Buffer(ST_SetSRID(ST_MakePoint(110 + random() * 2, 30 + random() * 2), 4490), random() * random() * 0.3)
		from generate_series(1, 60) i`)
	w.exec(`insert into rivers (name, kind, length_km, geom)
		select 'r' || i, 'river', i, ST_SetSRID(ST_MakeLine(ST_MakePoint(110, 30 + random() * 2), ST_MakePoint(112, 30 + random() * 2)), 4490) from generate_series(1, 20) i`)
	w.exec(`insert into alerts (event, level, effective, expires, geom)
		select 'a' || i, 1 + i % 4, now() - interval '1 hour', case when i % 2 = 0 then now() + interval '1 day' end, ST_MakeEnvelope(110 + i * 0.1, 30, 110.3 + i * 0.1, 31, 4490) from generate_series(1, 9) i`)
	w.settle()

	sets := [][]string{{"hazards"}, {"zones"}, {"alerts", "hazards", "rivers", "zones"}, {"rivers"}}
	random := func() Request {
		lon, lat := at()
		tile := tileAt(lon, lat, 5+r.IntN(10))
		req := Request{Layers: sets[r.IntN(len(sets))], Z: int(tile.Z), X: int(tile.X), Y: int(tile.Y), Reach: everywhere}
		if r.IntN(6) == 0 && len(req.Layers) == 1 && req.Layers[0] == "hazards" {
			req.Filter = `"level" <= 2`
		}
		return req
	}
	edits := []func(){
		func() {
			x, y := at()
			w.exec(`insert into hazards (name, hazard, level, geom) values ('new', 'flood', 1, ST_SetSRID(ST_MakePoint($1::float8, $2::float8), 4490))`, x, y)
		},
		func() {
			x, y := at()
			w.exec(`update hazards set geom = ST_SetSRID(ST_MakePoint($1::float8, $2::float8), 4490) where fid = (select fid from hazards order by random() limit 1)`, x, y)
		},
		func() {
			w.exec(`update hazards set level = 1 + (level % 4) where fid = (select fid from hazards order by random() limit 1)`)
		},
		func() { w.exec(`delete from hazards where fid = (select fid from hazards order by random() limit 1)`) },
		func() {
			w.exec(`update zones set geom = ST_Translate(geom, 0.01 - random() * 0.02, 0.01 - random() * 0.02) where fid = (select fid from zones order by random() limit 1)`)
		},
		func() {
			w.exec(`update zones set published = not published where fid = (select fid from zones order by random() limit 1)`)
		},
		func() { w.exec(`delete from zones where fid = (select fid from zones order by random() limit 1)`) },
		func() {
			w.exec(`update rivers set geom = ST_SetSRID(ST_MakeLine(ST_MakePoint(110, 30 + random() * 2), ST_MakePoint(112, 30 + random() * 2)), 4490) where fid = (select fid from rivers order by random() limit 1)`)
		},
		func() {
			w.exec(`update rivers set name = name || '+' where fid = (select fid from rivers order by random() limit 1)`)
		},
		func() { // one transaction, several versions of one row
			w.exec(`do $$ declare f bigint := (select fid from rivers order by random() limit 1); begin
				update rivers set geom = ST_Translate(geom, 0.1, 0.1) where fid = f;
				update rivers set geom = ST_Translate(geom, 0, -0.2) where fid = f; end $$`)
		},
		func() { // bulk: one row of the feed for all
			w.exec(`update hazards set geom = ST_Translate(geom, 0.001, 0), name = name || '*' where fid % 3 = 0 and set_config('app.bulk', 'on', true) = 'on'`)
		},
		func() {
			w.exec(`update alerts set expires = now() - interval '1 minute' where fid = (select fid from alerts order by random() limit 1)`)
		},
		func() {
			w.exec(`update layer_field set in_tile = not in_tile where layer = 'rivers' and name = 'length_km'`)
		},
	}
	const rounds, perRound = 40, 5
	checked := 0
	for round := range rounds {
		asked := map[key]Request{}
		for range 40 {
			req := random()
			w.tile(req)
			asked[makeKey(&req)] = req
		}
		for range perRound {
			edits[r.IntN(len(edits))]()
		}
		w.settle()
		for k, req := range asked {
			cached, _, ok := w.engine.cache.get(k, w.engine.opts.Now())
			if !ok {
				continue
			}
			checked++
			snap := w.reg.Now()
			want, _, err := w.engine.render(context.Background(), k, req, snap)
			if err != nil {
				t.Fatal(err)
			}
			got, exp := tileText(decodeTile(t, cached)), tileText(decodeTile(t, want))
			if got != exp || cached.Dropped != want.Dropped {
				t.Fatalf("round %d: stale %v %d/%d/%d\ncached (%s):\n%s\nfresh (%s):\n%s", round, req.Layers, req.Z, req.X, req.Y, cached.Dropped, got, want.Dropped, exp)
			}
		}
	}
	s := w.engine.Stats()
	t.Logf("%d cached tiles compared, %d invalidated, %d renders", checked, s.Invalidated, s.Renders)
	if checked < 200 || s.Invalidated < 200 {
		t.Errorf("the test saw too little: %d compared, %d invalidated", checked, s.Invalidated)
	}
}

// TestNoStaleTileUnderLoad edits while readers read: afterwards, when the feed has
// come to rest, whatever is in the cache is what a fresh render gives.
func TestNoStaleTileUnderLoad(t *testing.T) {
	w := newWorld(t)
	w.follow()
	w.exec(`insert into hazards (name, hazard, level, geom)
		select 'h' || i, 'flood', 1 + i % 4, ST_SetSRID(ST_MakePoint(110 + random() * 2, 30 + random() * 2), 4490) from generate_series(1, 200) i`)
	w.exec(`insert into zones (name, kind, level, published, geom)
		select 'z' || i, 'risk', 1 + i % 5, true, ST_Buffer(ST_SetSRID(ST_MakePoint(110 + random() * 2, 30 + random() * 2), 4490), 0.05) from generate_series(1, 30) i`)
	w.settle()
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for seed := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(seed), 5))
			for ctx.Err() == nil {
				req := at(110+r.Float64()*2, 30+r.Float64()*2, 9+r.IntN(4), [][]string{{"hazards"}, {"hazards", "zones"}}[r.IntN(2)]...)
				if _, err := w.engine.Tile(ctx, req); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	// Where the readers are slow (two cores for all packages at once), the edits wait for
	// them: what was never read cannot be stale.
	for round := 0; round < 150 || round < 5000 && w.engine.Stats().Invalidated < 150; round++ {
		w.exec(`update hazards set geom = ST_SetSRID(ST_MakePoint(110 + random() * 2, 30 + random() * 2), 4490) where fid = 1 + floor(random() * 200)`)
		w.exec(`update zones set geom = ST_Translate(geom, random() * 0.02 - 0.01, 0) where fid = 1 + floor(random() * 30)`)
	}
	w.settle()
	stop()
	wg.Wait()
	w.settle()
	w.engine.cache.mu.Lock()
	left := make([]*entry, 0, len(w.engine.cache.entries))
	for _, e := range w.engine.cache.entries {
		left = append(left, e)
	}
	w.engine.cache.mu.Unlock()
	for _, e := range left {
		req := Request{Layers: e.layers, Z: int(e.key.tile.Z), X: int(e.key.tile.X), Y: int(e.key.tile.Y), Reach: everywhere}
		fresh, _, err := w.engine.render(context.Background(), e.key, req, w.reg.Now())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := tileText(decodeTile(t, e.tile)), tileText(decodeTile(t, fresh)); got != want {
			t.Errorf("stale %v %d/%d/%d", req.Layers, req.Z, req.X, req.Y)
		}
	}
	s := w.engine.Stats()
	t.Logf("%d tiles compared, %d renders, %d invalidated", len(left), s.Renders, s.Invalidated)
	if len(left) < 20 || s.Invalidated < 100 {
		t.Error("the test saw too little")
	}
}

// TestLongEdges: an edge of two degrees runs differently in Mercator (how low zooms
// draw it) and in degrees (how deep zooms do). A change reaches all tiles of both.
func TestLongEdges(t *testing.T) {
	w := newWorld(t)
	w.follow()
	w.exec(`insert into rivers (name, geom) values ('before', 'SRID=4490;LINESTRING(110 30,112 32)')`)
	w.settle()
	mercator := func(lat float64) float64 { return math.Atanh(math.Sin(lat * math.Pi / 180)) }
	latitude := func(y float64) float64 { return math.Asin(math.Tanh(y)) * 180 / math.Pi }
	var reqs []Request
	for z := 6; z <= 16; z++ {
		for _, f := range []float64{0.1, 0.25, 0.5, 0.77} {
			lon := 110 + 2*f
			for _, lat := range []float64{30 + 2*f, latitude(mercator(30) + f*(mercator(32)-mercator(30)))} {
				if req := at(lon, lat, z, "rivers"); !w.tile(req).Empty {
					reqs = append(reqs, req)
				}
			}
		}
	}
	if len(reqs) < 11*4 {
		t.Fatalf("only %d tiles show the line", len(reqs))
	}
	deep := 0
	for _, req := range reqs {
		if req.Z == 16 {
			deep++
		}
	}
	if deep < 4 {
		t.Errorf("%d tiles of zoom 16 show the line, one at each place at least should", deep)
	}
	w.exec(`update rivers set name = 'after'`)
	w.settle()
	for _, req := range reqs {
		if got := w.text(req); !strings.Contains(got, "name=after") {
			t.Errorf("%d/%d/%d still shows %q", req.Z, req.X, req.Y, got)
		}
	}
}
