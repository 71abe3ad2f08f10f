package tiles

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/db"
	"onemap/internal/features"
	"onemap/internal/geo"
	"onemap/internal/registry"
)

// modelRow is a row as the test knows it.
type modelRow struct {
	id    [16]byte
	scope geo.Scope
	dept  string
	demo  bool
}

// model is what there is, by layer and fid.
type model map[string]map[int64]modelRow

func (m model) clone() model {
	out := model{}
	for l, rows := range m {
		out[l] = maps.Clone(rows)
	}
	return out
}

// person is somebody with a reach, and his rights said a second time in plain words.
type person struct {
	name  string
	reach db.Reach
	sees  map[string]geo.Scopes // by visibility
	demo  bool
}

func (p person) rows(m model, visibility map[string]string, layer string) []int64 {
	var out []int64
	for fid, r := range m[layer] {
		if slices.ContainsFunc(p.sees[visibility[layer]], func(s geo.Scope) bool { return s.Lo <= r.scope.Hi && r.scope.Lo <= s.Hi }) && (!p.demo || r.demo) {
			out = append(out, fid)
		}
	}
	slices.Sort(out)
	return out
}

// rightsWorld changes rows at random and compares what every door shows to everybody
// with what the model says.
type rightsWorld struct {
	*world
	t          *testing.T
	rng        *rand.Rand
	store      *features.Store
	now        model
	visibility map[string]string
	people     []person
}

func (w *rightsWorld) change() {
	w.t.Helper()
	layers := []string{"hazards", "shelters", "teams"}
	codes := []string{"990100001", "990100001", "990100002", "990100002", "990100001003", "990100002007", "990100", "320100", ""}
	layer, code := layers[w.rng.IntN(3)], codes[w.rng.IntN(len(codes))]
	lon, lat := 119.2+w.rng.Float64()*0.02, 34.1+w.rng.Float64()*0.02
	var fids []int64
	for fid := range w.now[layer] {
		fids = append(fids, fid)
	}
	slices.Sort(fids)
	set := func(fid int64, id [16]byte, dept string, demo bool) {
		s := geo.Everywhere()
		if code != "" {
			s = mustScope(w.t, code)
		}
		w.now[layer][fid] = modelRow{id, s, dept, demo}
	}
	switch op := w.rng.IntN(10); {
	case op < 5 || len(fids) == 0:
		dept := []string{"甲局", "乙局", "示例局"}[w.rng.IntN(3)]
		var fid int64
		var id [16]byte
		err := w.sql.QueryRow(w.t.Context(), `insert into `+layer+` (dataset, source_key, name, admin_code, geom)
			select d.id, uuid_v7()::text, '点位' || $1::int, nullif($2, ''), st_point($3, $4, 4490) from dataset d where d.source_dept = $5 returning fid, id`,
			w.rng.IntN(1_000_000), code, lon, lat, dept).Scan(&fid, &id)
		if err != nil {
			w.t.Fatal(err)
		}
		set(fid, id, dept, dept == "示例局")
	case op < 8:
		fid := fids[w.rng.IntN(len(fids))]
		w.exec(`update `+layer+` set admin_code = nullif($2, ''), geom = st_point($3, $4, 4490) where fid = $1`, fid, code, lon, lat)
		set(fid, w.now[layer][fid].id, w.now[layer][fid].dept, w.now[layer][fid].demo)
	default:
		fid := fids[w.rng.IntN(len(fids))]
		w.exec(`delete from `+layer+` where fid = $1`, fid)
		delete(w.now[layer], fid)
	}
}

func (w *rightsWorld) same(p person, door, layer string, got, want []int64) {
	w.t.Helper()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		w.t.Errorf("%s, %s of %s: %v, the model says %v", p.name, door, layer, got, want)
	}
}

func tileFIDs(t *testing.T, tile *Tile, layer string) (out []int64) {
	for _, l := range decodeTile(t, tile) {
		if l.name != layer {
			continue
		}
		for _, f := range l.features {
			out = append(out, int64(f.id))
		}
	}
	return out
}

// doors asks everything as one person; asOf nil is now.
func (w *rightsWorld) doors(p person, m model, asOf *time.Time) {
	w.t.Helper()
	ctx, snap := w.t.Context(), w.reg.Now()
	who := features.Asker{Name: p.name, Role: "viewer", Reach: p.reach}
	times := features.At(time.Now())
	if asOf != nil {
		times = features.Times{Asked: true, From: asOf, To: asOf, AsOf: asOf}
	}
	must := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	var all []*registry.Layer
	var open []string
	for _, id := range []string{"hazards", "shelters", "teams"} {
		l, _ := snap.Layer(id)
		all = append(all, l)
		if len(p.sees[w.visibility[id]]) > 0 {
			open = append(open, id)
		}
	}
	identified, found, tiled := map[string][]int64{}, map[string][]int64{}, map[string][]int64{}
	hits, err := w.store.Identify(ctx, who, features.IdentifyQuery{Layers: all, Point: orb.Point{119.21, 34.11}, RadiusM: 4000, Limit: 10_000, Times: times})
	must(err)
	for _, h := range hits {
		identified[h.Layer.ID] = append(identified[h.Layer.ID], h.FID)
	}
	texts, err := w.store.Search(ctx, who, features.SearchQuery{Text: "点位", Layers: all, Limit: 1000, Times: times})
	must(err)
	for _, f := range texts {
		found[f.Layer.ID] = append(found[f.Layer.ID], f.FID)
	}
	sources, err := w.store.Sources(ctx, who, all, times)
	must(err)
	if len(open) > 0 {
		req := at(119.21, 34.11, 10, open...)
		req.Reach, req.AsOf = p.reach, asOf
		tile, err := w.engine.Tile(ctx, req)
		must(err)
		for _, id := range open {
			tiled[id] = tileFIDs(w.t, tile, id)
		}
	}
	counts := map[string]int64{}
	if asOf == nil {
		// A count may lag behind a change by twenty times what counting costs.
		for patience := 0; ; patience++ {
			infos, err := w.engine.Layers(ctx, p.reach)
			must(err)
			right := true
			for _, i := range infos {
				if i.Err != nil {
					w.t.Fatal(i.Err)
				}
				id := i.Layer.ID
				counts[id] = i.Count + 1 // 0: not in the list
				right = right && (m[id] == nil || i.Count == int64(len(p.rows(m, w.visibility, id))))
			}
			if right || patience == 100 {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	for _, l := range all {
		id, want := l.ID, p.rows(m, w.visibility, l.ID)
		page, err := w.store.Items(ctx, who, features.ItemsQuery{Layer: l, Limit: 10_000, Times: times})
		must(err)
		var got []int64
		for _, f := range page.Features {
			got = append(got, f.FID)
		}
		w.same(p, "items", id, got, want)
		if page.Matched != len(want) {
			w.t.Errorf("%s: %d matched of %s, want %d", p.name, page.Matched, id, len(want))
		}
		boxed, err := w.store.Items(ctx, who, features.ItemsQuery{Layer: l, Limit: 10_000, Times: times, Boxes: []orb.Bound{{Min: orb.Point{119, 34}, Max: orb.Point{120, 35}}}})
		must(err)
		if len(boxed.Features) != len(want) {
			w.t.Errorf("%s: %d in the box of %s, want %d", p.name, len(boxed.Features), id, len(want))
		}
		w.same(p, "identify", id, identified[id], want)
		w.same(p, "search", id, found[id], want)
		w.same(p, "tile", id, tiled[id], want)
		seen := slices.Contains(open, id)
		if asOf == nil && (counts[id] > 0) != seen || seen && asOf == nil && counts[id] != int64(len(want))+1 {
			w.t.Errorf("%s: list says %d of %s, want %d (seen %v)", p.name, counts[id]-1, id, len(want), seen)
		}
		single := at(119.21, 34.11, 12, id)
		single.Reach, single.AsOf = p.reach, asOf
		tile, err := w.engine.Tile(ctx, single)
		if !seen && !errors.Is(err, ErrUnknownLayer) {
			w.t.Errorf("%s: a tile of %s, which he does not see: %v", p.name, id, err)
		}
		if seen {
			must(err)
			if got := tileFIDs(w.t, tile, id); !subset(got, want) {
				w.t.Errorf("%s: tile of %s shows %v, of which only %v may be", p.name, id, got, want)
			}
		}
		var depts []string
		var ids [][16]byte
		for fid, r := range m[id] {
			ids = append(ids, r.id)
			if slices.Contains(want, fid) && !slices.Contains(depts, r.dept) {
				depts = append(depts, r.dept)
			}
			if fid%3 == 0 {
				_, ok, err := w.store.Item(ctx, who, l, fmt.Sprint(fid), times)
				must(err)
				if ok != slices.Contains(want, fid) {
					w.t.Errorf("%s: item %d of %s found %v", p.name, fid, id, ok)
				}
			}
		}
		slices.Sort(depts)
		told := strings.Split(sources[id].Source, "、")
		slices.Sort(told)
		if s := strings.Join(told, " "); s != strings.Join(depts, " ") {
			w.t.Errorf("%s: sources of %s %q, want %q", p.name, id, s, depts)
		}
		if asOf == nil {
			rows, err := w.store.ByIDs(ctx, who, l, ids)
			must(err)
			var byID []int64
			for fid := range rows {
				byID = append(byID, fid)
			}
			w.same(p, "rows by id", id, byID, want)
		}
	}
}

func subset(got, of []int64) bool {
	return !slices.ContainsFunc(got, func(f int64) bool { return !slices.Contains(of, f) })
}

// TestEveryDoorShowsWhatTheModelSays is the floor and the plan together.
func TestEveryDoorShowsWhatTheModelSays(t *testing.T) {
	w := &rightsWorld{
		world: newWorld(t), t: t, rng: rand.New(rand.NewPCG(3, 9)), now: model{"hazards": {}, "shelters": {}, "teams": {}},
		visibility: map[string]string{"hazards": db.Internal, "shelters": db.Public, "teams": db.Sensitive},
	}
	var err error
	if w.store, err = features.Open(w.db); err != nil {
		t.Fatal(err)
	}
	w.exec(`insert into dataset (name, title, source_dept, demo) values ('a', 'a', '甲局', false), ('b', 'b', '乙局', false), ('d', 'd', '示例局', true)`)
	w.exec(`select layer_set_visibility('shelters', 'public'), layer_set_visibility('teams', 'sensitive')`)
	if err := w.reg.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.follow()
	all := geo.Scopes{geo.Everywhere()}
	add := func(name string, internal, sensitive geo.Scopes, demo bool) {
		w.people = append(w.people, person{name, db.NewReach(db.Areas{Public: all, Internal: internal, Sensitive: sensitive, Demo: demo, Class: "signed_in"}),
			map[string]geo.Scopes{db.Public: all, db.Internal: internal, db.Sensitive: sensitive}, demo})
	}
	one, two := geo.Scopes{mustScope(t, "990100001")}, geo.Scopes{mustScope(t, "990100002")}
	add("township one", one, one, false)
	add("township two", two, nil, false)
	add("both, two sensitive", append(slices.Clone(one), two...), two, false)
	add("grid", geo.Scopes{mustScope(t, "990100001003")}, nil, false)
	add("everybody", nil, nil, false)
	add("demo", all, all, true)
	add("everything", all, all, false)
	type picture struct {
		at time.Time
		m  model
	}
	var past []picture
	for range 6 {
		for range 25 {
			w.change()
		}
		w.settle()
		var then time.Time
		if err := w.sql.QueryRow(t.Context(), `select clock_timestamp() from pg_sleep(0.002)`).Scan(&then); err != nil {
			t.Fatal(err)
		}
		past = append(past, picture{then, w.now.clone()})
		w.rng.Shuffle(len(w.people), func(i, j int) { w.people[i], w.people[j] = w.people[j], w.people[i] })
		for _, p := range w.people {
			w.doors(p, w.now, nil)
		}
	}
	for _, shot := range past {
		for _, p := range w.people {
			w.doors(p, shot.m, &shot.at)
		}
	}
	// The same past under other rights: hazards are sensitive now, teams for everybody.
	w.exec(`select layer_set_visibility('hazards', 'sensitive'), layer_set_visibility('teams', 'public')`)
	w.visibility["hazards"], w.visibility["teams"] = db.Sensitive, db.Public
	w.settle()
	for _, p := range w.people {
		w.doors(p, w.now, nil)
		w.doors(p, past[2].m, &past[2].at)
	}
}

// TestReachesShareOnlyWhatIsTheSame: public tiles are one for all, others one per reach,
// and no more than 256 reaches are kept.
func TestReachesShareOnlyWhatIsTheSame(t *testing.T) {
	clock := time.Now()
	w := newWorld(t, func(o *Options, _ *db.Options) { o.Now = func() time.Time { return clock } })
	w.exec(`select layer_set_visibility('shelters', 'public')`)
	w.exec(`insert into shelters (name, admin_code, geom) values ('s', '990100001', st_point(110.5, 30.5, 4490))`)
	w.exec(`insert into hazards (name, admin_code, geom) select 'h', '990100' || lpad(i::text, 3, '0'), st_point(110.5, 30.5, 4490) from generate_series(1, 300) i`)
	if err := w.reg.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.follow()
	w.settle()
	reach := func(i int) db.Reach {
		return db.NewReach(db.Areas{Public: geo.Scopes{geo.Everywhere()}, Internal: geo.Scopes{mustScope(t, fmt.Sprintf("990100%03d", i))}, Class: "signed_in"})
	}
	ask := func(i int, layers ...string) int {
		t.Helper()
		req := at(110.5, 30.5, 12, layers...)
		req.Reach = reach(i)
		return len(tileFIDs(t, w.tile(req), layers[0]))
	}
	for i := range 300 {
		if n := ask(i+1, "shelters"); n != 1 {
			t.Fatalf("%d sees %d shelters", i, n)
		}
	}
	if s := w.engine.Stats(); s.Renders != 1 || s.Entries != 1 || s.Scopes != 1 {
		t.Errorf("a public tile for 300 reaches: %+v", s)
	}
	for i := range 300 {
		clock = clock.Add(time.Millisecond)
		if n := ask(i+1, "hazards"); n != 1 {
			t.Fatalf("%d sees %d hazards", i, n)
		}
	}
	s := w.engine.Stats()
	if s.Scopes != maxScopes || s.Unkept != 300-maxScopes+1 { // the public one is a reach too
		t.Errorf("300 reaches: %d kept, %d tiles not", s.Scopes, s.Unkept)
	}
	// Whoever is quiet makes room; the others keep their tiles.
	clock = clock.Add(2 * scopeRest)
	ask(1, "hazards")
	if n := ask(300, "hazards"); n != 1 {
		t.Errorf("the newcomer sees %d", n)
	}
	before := w.engine.Stats()
	ask(1, "hazards")
	ask(300, "hazards")
	if after := w.engine.Stats(); after.Hits != before.Hits+2 || after.Scopes != maxScopes || after.Unkept != before.Unkept {
		t.Errorf("after a quiet time: %+v, before %+v", after, before)
	}
	// A mixed tile is nobody else's.
	if n := ask(5, "hazards", "shelters"); n != 1 {
		t.Errorf("mixed: %d", n)
	}
}
