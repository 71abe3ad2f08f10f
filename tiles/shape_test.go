package tiles

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/db"
	"onemap/internal/geo"
)

// plan fills a box with zones whose neighbours share every vertex of their common
// border: a Voronoi diagram whose edges are cut into short pieces and bent.
func (w *world) plan(zones int) {
	w.t.Helper()
	// The bend is a map of the plane without folds, so valid zones stay valid.
	w.exec(`create function bend(g geometry) returns geometry language sql immutable as $$
		select ST_SetSRID(ST_MakePolygon(ST_MakeLine(array_agg(ST_MakePoint(
			ST_X(d.geom) + 0.003 * sin(ST_Y(d.geom) * 90) + 0.0003 * sin(ST_Y(d.geom) * 900 + ST_X(d.geom) * 300),
			ST_Y(d.geom) + 0.003 * sin(ST_X(d.geom) * 80) + 0.0003 * sin(ST_X(d.geom) * 1100)) order by d.path))), 4490)
		from ST_DumpPoints(ST_ExteriorRing(ST_Segmentize(g, 0.003))) d $$`)
	w.exec(`select setseed(0.5)`)
	w.exec(`insert into zones (name, kind, hazard, level, published, geom)
		select 'z' || row_number() over (), 'risk', 'flood', 3, true, bend(c)
		from (select ST_Intersection((d).geom, ST_MakeEnvelope(110, 30, 112, 32)) c
		      from (select ST_Dump(ST_VoronoiPolygons(ST_Collect(ST_MakePoint(110 + random() * 2, 30 + random() * 2)), 0, ST_MakeEnvelope(110, 30, 112, 32))) d
		            from generate_series(1, $1::int)) q) v
		where ST_Dimension(c) = 2`, zones)
}

// line is a straight line through grid points: direction without common factor,
// and which of its parallels.
type line struct{ dx, dy, c int }

// TestNeighboursShareTheirBorder decodes tiles of all zooms: inside a tile, along
// every line, what one zone has on its left another has on its right, to the last
// unit. Only the outline of the plan and the edge of the clip have one side.
func TestNeighboursShareTheirBorder(t *testing.T) {
	w := newWorld(t)
	w.plan(150)
	edges := 0
	for z := 5; z <= 17; z++ {
		for _, p := range [][2]float64{{110.7, 30.8}, {111.2, 31.3}, {111.45, 30.45}, {110.35, 31.6}} {
			req := at(p[0], p[1], z, "zones")
			along := map[line]map[int]int{} // change of the balance at a place
			for _, l := range decodeTile(t, w.tile(req)) {
				for _, f := range l.features {
					for _, ring := range f.parts {
						for i := 1; i < len(ring); i++ {
							a, b := ring[i-1], ring[i]
							edges++
							if clipped(a[0], b[0]) || clipped(a[1], b[1]) {
								continue
							}
							l, from, to, side := onLine(a, b)
							if along[l] == nil {
								along[l] = map[int]int{}
							}
							along[l][from] += side
							along[l][to] -= side
						}
					}
				}
			}
			bad := 0
			for l, places := range along {
				for p, n := range places {
					if n != 0 && !outline(req, l.at(p)) {
						if bad++; bad <= 3 {
							t.Errorf("z%d %d/%d: on line %+v at %d one side lacks its neighbour (%d)", z, req.X, req.Y, l, p, n)
						}
					}
				}
			}
			if bad > 0 {
				t.Errorf("z%d %d/%d: %d faults", z, req.X, req.Y, bad)
			}
		}
	}
	if edges < 50_000 {
		t.Errorf("only %d edges looked at", edges)
	}
	t.Logf("%d edges", edges)
}

// onLine places an edge on its line; side tells its direction.
func onLine(a, b [2]int) (l line, from, to, side int) {
	dx, dy := b[0]-a[0], b[1]-a[1]
	g := gcd(abs(dx), abs(dy))
	dx, dy, side = dx/g, dy/g, 1
	if dx < 0 || dx == 0 && dy < 0 {
		dx, dy, a, b, side = -dx, -dy, b, a, -1
	}
	l = line{dx, dy, dx*a[1] - dy*a[0]}
	if dx == 0 {
		return l, a[1], b[1], side
	}
	return l, a[0], b[0], side
}

// at is the point of a line that onLine called p.
func (l line) at(p int) [2]int {
	if l.dx == 0 {
		return [2]int{-l.c, p}
	}
	return [2]int{p, (l.c + l.dy*p) / l.dx}
}

// clipped: an end on or beyond the edge of the clip, where vertices are made.
func clipped(a, b int) bool {
	out := func(v int) bool { return v <= -buffer+1 || v >= 4096+buffer-1 }
	return out(a) || out(b)
}

// outline: near the rim of the plan, where there is no neighbour.
func outline(req Request, p [2]int) bool {
	b := tileBound(req.Z, req.X, req.Y, 0)
	lon := b.Min[0] + (b.Max[0]-b.Min[0])*float64(p[0])/4096
	lat := b.Max[1] - (b.Max[1]-b.Min[1])*float64(p[1])/4096
	near := func(v, lo, hi float64) bool { return v < lo+0.02 || v > hi-0.02 }
	return near(lon, 110, 112) || near(lat, 30, 32)
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return max(a, 1)
}

func abs(a int) int { return max(a, -a) }

func TestNothingIsCutAtATilesEdge(t *testing.T) {
	w := newWorld(t)
	// Just west of the border between two tiles: a point, a line and an area.
	x := tileBound(12, 3308, 1677, 0).Min[0]
	unit := unitDegrees(12)
	y := 31.3
	for i, g := range []string{
		fmt.Sprintf("POINT(%.12f %f)", x-60*unit, y),
		fmt.Sprintf("LINESTRING(%.12f %f,%.12f %f)", x-60*unit, y, x-60*unit, y+0.01),
		fmt.Sprintf("POLYGON((%[1]f %[3]f,%[2]f %[3]f,%[2]f %[4]f,%[1]f %[4]f,%[1]f %[3]f))", x-100*unit, x-40*unit, y, y+0.01),
	} {
		w.exec(`insert into facilities (name, geom) values ($1::int::text, ST_GeomFromText($2::text, 4490))`, i, g)
	}
	for _, x := range []float64{x - 10*unit, x + 10*unit} { // the tile it is in, and its neighbour
		layers := decodeTile(t, w.tile(at(x, y, 12, "facilities")))
		if len(layers) != 1 || len(layers[0].features) != 3 {
			t.Errorf("%v", tileText(layers))
		}
	}
}

func TestTheWorstStays(t *testing.T) {
	w := newWorld(t, func(o *Options, _ *db.Options) { o.MaxFeatures = 10 })
	w.exec(`insert into hazards (name, level, threatened_persons, geom)
		select 'h' || i, case when i % 10 = 0 then 1 when i % 10 = 1 then null else 2 + i % 3 end, i, ST_SetSRID(ST_MakePoint(110.5 + i * 0.0001, 30.5), 4490) from generate_series(1, 60) i`)
	tile := w.tile(at(110.503, 30.5, 12, "hazards"))
	if tile.Dropped != "hazards=50" {
		t.Errorf("dropped %q", tile.Dropped)
	}
	levels := map[any]int{}
	least := int64(math.MaxInt64)
	for _, f := range decodeTile(t, tile)[0].features {
		levels[f.props["level"]]++
		if f.props["level"] == int64(2) {
			least = min(least, f.props["threatened_persons"].(int64))
		}
	}
	// All six of level 1, then the four of level 2 with the most people.
	if levels[int64(1)] != 6 || levels[int64(2)] != 4 || least != 45 {
		t.Errorf("%v, least %d", levels, least)
	}
}

// TestRoomForRows: a change that meets a tile only by its box must not go unseen
// where it pushes others out.
func TestRoomForRows(t *testing.T) {
	w := newWorld(t, func(o *Options, _ *db.Options) { o.MaxFeatures = 5 })
	w.follow()
	w.exec(`insert into rivers (name, length_km, geom) select 'r' || i, i, ST_SetSRID(ST_MakeLine(ST_MakePoint(110.6, 30.6 + i * 0.001), ST_MakePoint(110.61, 30.6)), 4490) from generate_series(1, 4) i`)
	w.settle()
	req := at(110.605, 30.601, 12, "rivers")
	before := w.tile(req)
	// The diagonal's box holds the tile, the line itself does not touch it.
	diagonal := func() {
		w.exec(`insert into rivers (name, length_km, geom) values ('long', 100, 'SRID=4490;LINESTRING(110 30.2,110.2 32,112 32)')`)
		w.settle()
	}
	diagonal()
	if w.engine.Stats().Invalidated != 0 || w.tile(req).ETag != before.ETag {
		t.Error("the shape does not touch the tile, yet it was taken out")
	}
	diagonal()
	got := w.tile(req)
	if got.Dropped != "rivers=1" {
		t.Errorf("six candidates for five places: dropped %q", got.Dropped)
	}
}

func TestSmallAreas(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into hazard_areas (name, hazard, level, geom)
		select 'a' || level, 'flood', level, ST_MakeEnvelope(110.5 + level * 0.1, 30.5, 110.5 + level * 0.1 + 0.0005, 30.5005, 4490) from generate_series(1, 4) level`)
	low := w.tile(at(110.7, 30.5, 7, "hazard_areas"))
	if low.Dropped != "hazard_areas=2" {
		t.Errorf("dropped %q", low.Dropped)
	}
	var names []string
	for _, f := range decodeTile(t, low)[0].features {
		names = append(names, f.props["name"].(string))
		if a := ringArea(f.parts[0]); a < 64 {
			t.Errorf("%s is drawn with area %d", f.props["name"], a)
		}
	}
	if s := strings.Join(names, " "); s != "a1 a2" {
		t.Errorf("shown: %s", s)
	}
	if high := w.tile(at(110.6, 30.5, 14, "hazard_areas")); high.Dropped != "" || high.Empty {
		t.Errorf("%+v", high)
	}
}

// TestSitesStay: what is drawn as a symbol is there at every zoom, however small its
// site; a shelter that vanishes in the view of the county would be taken for missing.
func TestSitesStay(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into shelters (name, geom) values ('site', ST_MakeEnvelope(110.5, 30.5, 110.5005, 30.5005, 4490))`)
	low := w.tile(at(110.5, 30.5, 8, "shelters"))
	if low.Empty || low.Dropped != "" {
		t.Fatalf("the site is not there: dropped %q", low.Dropped)
	}
	if f := decodeTile(t, low)[0].features; len(f) != 1 || ringArea(f[0].parts[0]) == 0 {
		t.Errorf("drawn as %+v", f)
	}
}

func TestTimeChangesThePicture(t *testing.T) {
	start := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	now := start
	w := newWorld(t, func(o *Options, _ *db.Options) { o.Now = func() time.Time { return now } })
	w.exec(`insert into alerts (event, level, effective, expires, geom) values
		('past', 1, '2026-06-01Z', '2026-06-30Z', ST_MakeEnvelope(110, 30, 111, 31, 4490)),
		('short', 1, '2026-06-30Z', '2026-07-01T02:00:00Z', ST_MakeEnvelope(110, 30, 111, 31, 4490)),
		('coming', 2, '2026-07-01T01:00:00Z', null, ST_MakeEnvelope(110, 30, 111, 31, 4490)),
		('open', 3, null, null, ST_MakeEnvelope(110, 30, 111, 31, 4490))`)
	events := func(req Request) string {
		var out []string
		for _, l := range decodeTile(t, w.tile(req)) {
			for _, f := range l.features {
				out = append(out, f.props["event"].(string))
			}
		}
		return strings.Join(out, " ")
	}
	req := at(110.5, 30.5, 9, "alerts")
	for _, step := range []struct {
		after time.Duration
		want  string
		fresh bool
	}{
		{0, "short open", true}, {59 * time.Minute, "short open", false}, {time.Hour, "short coming open", true},
		{2*time.Hour - 1, "short coming open", false}, {2 * time.Hour, "coming open", true}, {1000 * time.Hour, "coming open", false},
	} {
		now = start.Add(step.after)
		before := w.engine.Stats().Renders
		if got := events(req); got != step.want {
			t.Errorf("after %v: %q, want %q", step.after, got, step.want)
		}
		if fresh := w.engine.Stats().Renders > before; fresh != step.fresh {
			t.Errorf("after %v: rendered anew %v, want %v", step.after, fresh, step.fresh)
		}
	}
	then := time.Date(2026, 6, 15, 0, 0, 0, 0, time.UTC)
	req.DateTime = &then
	if got := events(req); got != "past open" {
		t.Errorf("in June: %q", got)
	}
	// Instant layers are cut by time only when asked.
	w.exec(`insert into incidents (name, occurred_at, closed_at, geom) values
		('i1', '2026-06-01Z', '2026-06-02Z', 'SRID=4490;POINT(110.5 30.5)'), ('i2', '2026-06-14Z', null, 'SRID=4490;POINT(110.5 30.5)'), ('i3', '2030-01-01Z', null, 'SRID=4490;POINT(110.5 30.5)')`)
	inc := at(110.5, 30.5, 9, "incidents")
	if got := len(decodeTile(t, w.tile(inc))[0].features); got != 3 {
		t.Errorf("%d incidents without datetime", got)
	}
	inc.DateTime = &then
	if got := decodeTile(t, w.tile(inc))[0].features; len(got) != 1 || got[0].props["name"] != "i2" {
		t.Errorf("incidents in June: %v", got)
	}
}

func TestAsOf(t *testing.T) {
	w := newWorld(t)
	var times []time.Time
	step := func(sql string) {
		w.exec(sql)
		var at time.Time
		if err := w.sql.QueryRow(context.Background(), `select clock_timestamp()`).Scan(&at); err != nil {
			t.Fatal(err)
		}
		times = append(times, at)
	}
	step(`select 1`)
	step(`insert into hazards (name, level, geom) values ('a', 1, 'SRID=4490;POINT(110.5 30.5)'), ('b', 2, 'SRID=4490;POINT(110.501 30.5)')`)
	step(`update hazards set name = 'a2', geom = 'SRID=4490;POINT(118.5 30.5)' where name = 'a'`)
	step(`delete from hazards where name = 'b'`)
	step(`update hazards set geom = 'SRID=4490;POINT(110.5 30.5)' where name = 'a2'`)
	for i, want := range []string{"", "a b", "b", "", "a2"} {
		req := at(110.5, 30.5, 12, "hazards")
		req.AsOf = &times[i]
		var got []string
		for _, l := range decodeTile(t, w.tile(req)) {
			for _, f := range l.features {
				got = append(got, f.props["name"].(string))
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("after step %d: %q, want %q", i, s, want)
		}
	}
	if n := w.engine.Stats().Entries; n != 0 {
		t.Errorf("%d tiles of the past were kept", n)
	}
	// What happens at instants is shown whenever it did; a valid time narrows it.
	step(`insert into incidents (name, kind, occurred_at, geom) values ('past', 'flood', '2020-01-01Z', 'SRID=4490;POINT(110.5 30.5)'), ('planned', 'flood', now() + interval '2 days', 'SRID=4490;POINT(110.5 30.5)')`)
	req := at(110.5, 30.5, 12, "incidents")
	plain := w.text(req)
	req.AsOf = &times[len(times)-1]
	if known := w.text(req); known != plain || !strings.Contains(plain, "planned") {
		t.Errorf("as of now %q, plainly %q", known, plain)
	}
	req.DateTime = req.AsOf
	if both := w.text(req); strings.Contains(both, "planned") || !strings.Contains(both, "past") {
		t.Errorf("at this moment %q", both)
	}
}

// plans makes three versions of a series: one that was in force, one that is, a draft.
// What is published took the way there: the database lets no other through.
func (w *world) plans() {
	for i, title := range []string{"old", "new", "draft"} {
		w.exec(fmt.Sprintf(`insert into plan (id, series, version_no, hazard, kind, title, admin_code, scope) values
			('0190a0a0-0000-7000-8000-00000000000%d', '0190a0a0-0000-7000-8000-00000000000a', %[1]d, 'flood', 'risk', '%s', '990101', code_scope('990101'))`, i+1, title))
		w.exec(`insert into zones (name, kind, hazard, level, plan, zone, geom)
			select p.title, 'risk', 'flood', 1, p.id, uuid_v7(), ST_MakeEnvelope(110, 30, 111, 31, 4490) from plan p where p.title = '` + title + `'`)
		if title == "draft" {
			break
		}
		w.exec(`update plan set state = 'superseded', effective_to = '2025-01-01' where state = 'published'`)
		w.exec(`update zones set valid_to = '2025-01-01Z' where published`)
		from := fmt.Sprintf("%d-01-01", 2024+i)
		for _, step := range []string{
			`state = 'submitted', submitted_at = now(), submitted_account = uuid_v7()`, `state = 'in_review'`, `state = 'approved', approved_at = now(), approved_account = uuid_v7()`,
			`state = 'published', published_at = now(), published_account = uuid_v7(), document_no = '1', effective_from = '` + from + `'`,
		} {
			w.exec(`update plan set ` + step + ` where title = '` + title + `'`)
		}
		w.exec(`update zones set published = true, valid_from = '` + from + `Z' where name = '` + title + `'`)
	}
}

func TestPlans(t *testing.T) {
	w := newWorld(t)
	w.plans()
	day := func(s string) *time.Time {
		at, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return &at
	}
	for _, c := range []struct {
		plan   string
		drafts bool
		at     *time.Time
		want   string
	}{
		{"", false, nil, "new"}, {"", true, nil, "new"}, {"", false, day("2024-06-01"), "old"}, {"", true, day("2023-06-01"), ""},
		{"0190a0a0-0000-7000-8000-000000000002", false, nil, "new"}, {"0190a0a0-0000-7000-8000-000000000003", false, nil, ""},
		{"0190a0a0-0000-7000-8000-000000000003", true, nil, "draft"},
		// A version is shown whole, whenever it was in force; at a day only if it was then.
		{"0190a0a0-0000-7000-8000-000000000001", false, nil, "old"}, {"0190a0a0-0000-7000-8000-000000000001", false, day("2025-06-01"), ""},
		{"series:0190a0a0-0000-7000-8000-00000000000a", false, nil, "new"}, {"series:0190a0a0-0000-7000-8000-00000000000b", false, nil, ""},
		{"series:0190a0a0-0000-7000-8000-00000000000a", false, day("2024-12-31"), "old"}, {"series:0190a0a0-0000-7000-8000-00000000000a", false, day("2025-01-01"), "new"},
	} {
		req := at(110.5, 30.5, 9, "zones")
		req.Plan, req.Drafts, req.DateTime = c.plan, c.drafts, c.at
		got := ""
		for _, l := range decodeTile(t, w.tile(req)) {
			for _, f := range l.features {
				got += f.props["name"].(string)
			}
		}
		if got != c.want {
			t.Errorf("plan %q drafts %v at %v: %q, want %q", c.plan, c.drafts, c.at, got, c.want)
		}
	}
}

// Where a version keeps shapes generalised for the zoom, they are drawn as they are: the
// vertices of neighbours are the same, and those of no grid.
func TestShapesMadeForTheZoom(t *testing.T) {
	w := newWorld(t)
	w.plans()
	w.exec(`insert into zone_shapes (id, z, plan, scope, geom)
		select z.id, 9, z.plan, z.scope, ST_MakeEnvelope(110.3, 30.3, 110.7, 30.7, 4490) from zones z join plan p on p.id = z.plan where p.version_no = 2`)
	// east is where the zone ends in the tile.
	east := func(z int) float64 {
		hi := math.Inf(-1)
		for _, l := range decodeTile(t, w.tile(at(110.5, 30.5, z, "zones"))) {
			for _, f := range l.features {
				for _, p := range slices.Concat(f.parts...) {
					hi = max(hi, float64(p[0]))
				}
			}
		}
		return hi
	}
	units := func(lon float64, z int) float64 {
		at := (lon + 180) / 360 * math.Exp2(float64(z))
		start := math.Floor((110.5 + 180) / 360 * math.Exp2(float64(z)))
		return (at - start) * 4096
	}
	if got, want := east(9), units(110.7, 9); math.Abs(got-want) > 1 {
		t.Errorf("at zoom 9 the zone ends at unit %.0f, its shape for that zoom at %.0f", got, want)
	}
	if got, want := east(8), units(111, 8); math.Abs(got-want) > 4 {
		t.Errorf("at zoom 8, without a shape of its own, the zone ends at unit %.0f, want %.0f", got, want)
	}
}

func TestPropertiesAndZoom(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into buildings (name, use, structure, floors, geom) values ('楼', 'residential', 'brick', 3, ST_MakeEnvelope(110.5, 30.5, 110.501, 30.501, 4490))`)
	props := func(z int, only ...string) string {
		req := at(110.5005, 30.5005, z, "buildings")
		req.Properties = only
		tile := w.tile(req)
		if tile.Empty {
			return "empty"
		}
		f := decodeTile(t, tile)[0].features[0]
		if !f.hasID || f.id != 1 {
			t.Errorf("feature id %d", f.id)
		}
		return f.propsText()
	}
	for z, want := range map[int]string{
		12: "empty", // below the layer's first zoom
		13: "exercise=false name=楼 use=residential",
		14: "exercise=false floors=3 name=楼 use=residential",
		15: "exercise=false floors=3 name=楼 structure=brick use=residential",
	} {
		if got := props(z); got != want {
			t.Errorf("z%d: %q, want %q", z, got, want)
		}
	}
	if got := props(15, "name"); got != "name=楼" {
		t.Errorf("only the name: %q", got)
	}
	if got := props(13, "structure"); got != "" {
		t.Errorf("a field of detail below its zoom: %q", got)
	}
}

// TestIndexIsUsed asks the application role for the plan of every kind of tile.
func TestIndexIsUsed(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into hazards (name, level, geom) select 'h', 1, ST_SetSRID(ST_MakePoint(100 + random() * 20, 25 + random() * 20), 4490) from generate_series(1, 20000)`)
	w.exec(`analyze hazards`)
	then := time.Now()
	l, _ := w.reg.Now().Layer("hazards")
	for name, change := range map[string]func(*Request, *part){
		"now":      func(*Request, *part) {},
		"ranked":   func(_ *Request, p *part) { p.ranked = true },
		"datetime": func(r *Request, _ *part) { r.DateTime = &then },
		"as of":    func(r *Request, _ *part) { r.AsOf = &then },
		"filter":   func(r *Request, _ *part) { r.Filter = `"level" = 1` },
		"county": func(r *Request, _ *part) {
			r.Reach = db.NewReach(db.Areas{Internal: geo.Scopes{mustScope(t, "990100")}})
		},
		"township": func(r *Request, _ *part) {
			r.Reach = db.NewReach(db.Areas{Internal: geo.Scopes{mustScope(t, "990100001")}})
		},
		"two": func(r *Request, _ *part) {
			r.Reach = db.NewReach(db.Areas{Internal: geo.Scopes{mustScope(t, "990100001"), mustScope(t, "990100009")}})
		},
		"demo": func(r *Request, _ *part) {
			r.Reach = db.NewReach(db.Areas{Internal: geo.Scopes{geo.Everywhere()}, Demo: true})
		},
	} {
		req, p := at(110.5, 30.5, 13, "hazards"), part{layer: l}
		change(&req, &p)
		sql, args, err := w.engine.parts.statement(req, then, 1000, []part{p})
		if err != nil {
			t.Fatal(err)
		}
		var plan []string
		err = w.db.Query.Ask(context.Background(), claims(req), "explain "+sql, args, func(rows pgx.Rows) error {
			for rows.Next() {
				var line string
				if err := rows.Scan(&line); err != nil {
					return err
				}
				plan = append(plan, line)
			}
			return rows.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(plan, "\n")
		if !strings.Contains(text, "hazards_geom") || !strings.Contains(text, "Index Cond: (geom &&") || strings.Contains(text, "Seq Scan on hazards") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}

func mustScope(t *testing.T, code string) geo.Scope {
	t.Helper()
	s, err := geo.ParseScope(code)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestExtremePlaces: shapes at the poles, the date line and as large as the world
// are drawn or not, but never an error.
func TestExtremePlaces(t *testing.T) {
	w := newWorld(t)
	for i, g := range []string{
		"POLYGON((-180 -90,180 -90,180 90,-180 90,-180 -90))", "POLYGON((179.999 89.999,180 89.999,180 90,179.999 90,179.999 89.999))",
		"POLYGON((-180 84,-179.99 84,-179.99 84.01,-180 84.01,-180 84))", "POLYGON((0 0,0.0000001 0,0.0000001 0.0000001,0 0.0000001,0 0))",
	} {
		w.exec(`insert into alerts (event, level, geom) values ($1::int::text, 1 + $1::int % 4, ST_GeomFromText($2::text, 4490))`, i, g)
	}
	for _, g := range []string{"POINT(180 90)", "POINT(-180 -90)", "LINESTRING(-180 -90,180 90)", "LINESTRING(180 85.06,180 90)", "POINT(180 0)", "GEOMETRYCOLLECTION(POINT(0 0),LINESTRING(0 0,1 1))"} {
		w.exec(`insert into incidents (name, geom) values ('x', ST_GeomFromText($1::text, 4490))`, g)
	}
	for z := 0; z <= MaxZoom; z++ {
		last := 1<<z - 1
		for _, xy := range [][2]int{{0, 0}, {last, 0}, {0, last}, {last, last}, {last / 2, last / 2}, {last, last / 2}} {
			for _, layer := range []string{"alerts", "incidents"} {
				tile := w.tile(Request{Layers: []string{layer}, Z: z, X: xy[0], Y: xy[1], Reach: everywhere})
				if got := decodeTile(t, tile); layer == "alerts" && z >= 5 && len(got) == 0 {
					t.Errorf("%d/%d/%d does not show what covers the world", z, xy[0], xy[1])
				}
			}
		}
	}
}
