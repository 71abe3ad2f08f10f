package impact_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/db"
	"onemap/internal/features"
	"onemap/internal/geo"
	"onemap/internal/impact"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
	"onemap/shelters/roadgraph"
)

type house struct {
	t    testing.TB
	db   *db.DB
	reg  *registry.Registry
	conn *pgx.Conn
	ways *roadgraph.Service
	svc  *impact.Service
}

func open(t testing.TB, opts impact.Options) *house {
	t.Helper()
	dsn := pgtest.Database(t)
	return over(t, dsn, opts)
}

func over(t testing.TB, dsn pgtest.DSNs, opts impact.Options) *house {
	t.Helper()
	d, err := db.Open(context.Background(), db.Options{DSN: dsn.App, QueryTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	h := &house{t: t, db: d, conn: pgtest.Connect(t, dsn.Admin)}
	if h.reg, err = registry.Open(context.Background(), d.Query); err != nil {
		t.Fatal(err)
	}
	if h.ways, err = roadgraph.Open(roadgraph.Options{DB: d, Catalogue: h.reg}); err != nil {
		t.Fatal(err)
	}
	opts.DB, opts.Catalogue, opts.Roads = d, h.reg, h.ways
	if h.svc, err = impact.Open(opts); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) exec(sql string, args ...any) {
	h.t.Helper()
	if _, err := h.conn.Exec(context.Background(), sql, args...); err != nil {
		h.t.Fatalf("%.80s: %v", sql, err)
	}
}

func everybody() features.Asker {
	return features.Asker{Name: "test", Role: "system", Reach: db.Everything()}
}

func now() features.Times { return features.At(time.Now()) }

func (h *house) ask(who features.Asker, q impact.Question) *impact.Answer {
	h.t.Helper()
	if q.Times.From == nil && q.Times.AsOf == nil {
		q.Times = now()
	}
	a, err := h.svc.Ask(context.Background(), who, q)
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

func box(x0, y0, x1, y1 float64) orb.Polygon {
	return orb.Polygon{{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}, {x0, y0}}}
}

// town is a township of two villages side by side, each of ten cells of 0.01° with a
// hundred people, streets between them, a shelter in each and one beyond.
func (h *house) town() {
	h.exec(`insert into admin (code, admin_code, name, rank, geom) values
		('990100', '990100', '示例县', 3, st_makeenvelope(119, 34, 120, 35, 4490)), ('990100001', '990100001', '甲镇', 4, st_makeenvelope(119, 34, 119.2, 34.1, 4490)),
		('990100001001', '990100001001', '东村', 5, st_makeenvelope(119, 34, 119.1, 34.01, 4490)), ('990100001002', '990100001002', '西村', 5, st_makeenvelope(119.1, 34, 119.2, 34.01, 4490))`)
	h.exec(`insert into population (code, population, population_day, children, elderly, method, year, geom)
		select i::text, 100, 80, 20, 30, '常住', 2025, st_makeenvelope(119 + i * 0.01, 34, 119.01 + i * 0.01, 34.01, 4490) from generate_series(0, 19) i`)
	h.exec(`insert into roads (name, class, geom) values ('大街', 'street', st_geomfromtext('LINESTRING(119 34.005, 119.1 34.005, 119.2 34.005)', 4490))`)
	h.exec(`insert into shelters (name, class, state, capacity, occupancy, geom) values
		('里面的学校', 'short', 'open', 500, 100, st_setsrid(st_makepoint(119.01, 34.0055), 4490)), ('外面的学校', 'short', 'open', 300, 100, st_setsrid(st_makepoint(119.05, 34.0055), 4490)),
		('满了的', 'short', 'open', 300, 300, st_setsrid(st_makepoint(119.04, 34.0055), 4490)), ('关闭的', 'short', 'closed', 300, 0, st_setsrid(st_makepoint(119.04, 34.0055), 4490)),
		('防空洞', 'air_raid', 'open', 3000, 0, st_setsrid(st_makepoint(119.04, 34.0055), 4490))`)
	h.exec(`insert into teams (name, kind, state, geom) values ('消防站', 'fire', 'standby', st_setsrid(st_makepoint(119.1, 34.0051), 4490))`)
	h.exec(`insert into facilities (name, kind, beds, exercise, geom) values ('医院', 'hospital', 80, false, st_setsrid(st_makepoint(119.015, 34.006), 4490)), ('演练用的', 'hospital', 80, true, st_setsrid(st_makepoint(119.015, 34.006), 4490))`)
	h.exec(`insert into hazard_sources (name, level, r, geom) values ('氯库', 1, 120, st_setsrid(st_makepoint(119.02, 34.004), 4490))`)
	h.exec(`insert into buildings (name, use, persons, geom) select '房' || i, 'residential', 7, st_makeenvelope(119.0005 + i * 0.001, 34.001, 119.001 + i * 0.001, 34.0015, 4490) from generate_series(0, 9) i`)
	h.exec(`insert into responsibility (kind, admin_code, scope, person, post) values ('administrative', '990100001001', code_scope('990100001001'), '张三', '村主任'), ('administrative', '990100001002', code_scope('990100001002'), '李四', '村主任')`)
	h.exec(`insert into restricted.contact (responsibility, phone) select id, '13812345678' from responsibility`)
	if err := h.ways.Load(context.Background()); err != nil {
		h.t.Fatal(err)
	}
}

func sumGroups(p *impact.People) int {
	n := 0
	for _, g := range p.Groups {
		n += g.Count
	}
	return n
}

func TestWhoAndWhatIsInside(t *testing.T) {
	h := open(t, impact.Options{})
	h.town()
	// Two and a half cells of the first village.
	a := h.ask(everybody(), impact.Question{Shape: box(119, 33.99, 119.025, 34.02), Phones: true})
	p := a.People
	if p == nil || p.Total != 250 || p.Low != 70 || p.High != 300 || p.Basis != impact.Resident || p.Unknown != 0 {
		t.Fatalf("people %+v", p)
	}
	if sumGroups(p) != 250 || p.Groups[0] != (impact.Group{Name: "children", Count: 50}) || p.Groups[2].Count != 75 {
		t.Errorf("groups %+v", p.Groups)
	}
	if len(a.Admin) != 1 || a.Admin[0].Title != "东村" || a.Admin[0].People != 250 || a.Admin[0].Share < 0.2499 || a.Admin[0].Share > 0.2501 {
		t.Errorf("units %+v", a.Admin)
	}
	if a.Buildings == nil || a.Buildings.Count != 10 || a.Buildings.Persons != 70 {
		t.Errorf("buildings %+v", a.Buildings)
	}
	if a.Facilities.Total != 1 || a.Facilities.By[0].Code != "hospital" || a.Facilities.Items[0].Title != "医院" {
		t.Errorf("facilities %+v: an exercise is counted, or the hospital is not", a.Facilities)
	}
	if a.Sources.Total != 1 || a.Sources.Items[0].Level != 1 {
		t.Errorf("hazard sources %+v", a.Sources)
	}
	if len(a.Roads) != 1 || a.Roads[0].Metres < 2250 || a.Roads[0].Metres > 2350 {
		t.Errorf("roads %+v", a.Roads)
	}
	s := a.Shelters
	if s.Inside.Total != 1 || s.InsideFree != 400 || len(s.Outside) != 1 || s.Outside[0].Title != "外面的学校" || *s.Outside[0].Free != 200 || s.Outside[0].By != "road" {
		t.Fatalf("shelters %+v", s)
	}
	// From the eastern edge at the street (119.025) to 119.05: 2.3 km, and the way from the
	// middle of the people is longer.
	if d := s.Outside[0].NetworkM; d < 2200 || d > 4700 || s.Outside[0].FromMidM < d {
		t.Errorf("the shelter is %v m away, %v m from the middle", d, s.Outside[0].FromMidM)
	}
	if len(a.Teams.Items) != 1 || a.Teams.Items[0].By != "road" || a.Teams.Items[0].Minutes < 10 {
		t.Errorf("teams %+v", a.Teams.Items)
	}
	if len(a.Persons) != 1 || a.Persons[0].Name != "张三" || a.Persons[0].Phone != "138****5678" || a.Persons[0].Contact == "" {
		t.Errorf("who answers for it: %+v", a.Persons)
	}
	if a.Target.AreaM2 < 7.6e6 || a.Target.AreaM2 > 7.8e6 {
		t.Errorf("%v m²", a.Target.AreaM2)
	}
}

// TestOverlappingPolygonsAreOneArea: nobody is counted twice.
func TestOverlappingPolygonsAreOneArea(t *testing.T) {
	h := open(t, impact.Options{})
	h.town()
	one := h.ask(everybody(), impact.Question{Shape: box(119, 33.99, 119.04, 34.02)})
	two := h.ask(everybody(), impact.Question{Shape: orb.Collection{box(119, 33.99, 119.03, 34.02), box(119.01, 33.99, 119.04, 34.02)}})
	if one.People.Total != 400 || two.People.Total != 400 || two.Buildings.Count != one.Buildings.Count {
		t.Errorf("one %d, two overlapping %d", one.People.Total, two.People.Total)
	}
}

// TestCountsOfTheSamePeopleAreNotAdded: 常住 and 户籍 stand beside each other, and of two
// years of one 口径 the newer counts.
func TestCountsOfTheSamePeopleAreNotAdded(t *testing.T) {
	h := open(t, impact.Options{})
	h.town()
	for i, c := range []struct {
		set, method string
		year, n     int
	}{{"hukou", "户籍", 2025, 150}, {"old", "常住", 2010, 999}} {
		h.exec(`insert into dataset (name, title) values ($1, $1)`, c.set)
		h.exec(`insert into population (dataset, code, source_key, population, method, year, geom)
			select d.id, $5 || i::text, i::text, $3, $2, $4, st_makeenvelope(119 + i * 0.01, 34, 119.01 + i * 0.01, 34.01, 4490) from generate_series(0, 9) i, dataset d where d.name = $1`, c.set, c.method, c.n, c.year, fmt.Sprint("x", i))
	}
	p := h.ask(everybody(), impact.Question{Shape: box(119, 33.99, 119.02, 34.02)}).People
	if p.Total != 200 || p.Basis != impact.Resident {
		t.Fatalf("%+v", p)
	}
	by := map[string]int{}
	for _, m := range p.ByMethod {
		by[m.Method+" "+m.Basis] = m.Count
	}
	if by["areal resident"] != 200 || by["areal registered"] != 300 || by["areal day"] != 160 {
		t.Errorf("%v", by)
	}
}

// TestACellOverTwoVillages is shared out by area, and the parts add up.
func TestACellOverTwoVillages(t *testing.T) {
	h := open(t, impact.Options{})
	h.town()
	h.exec(`delete from population where code not in ('9')`)
	h.exec(`update population set population = 101, geom = st_makeenvelope(119.09, 34, 119.11, 34.01, 4490)`)
	a := h.ask(everybody(), impact.Question{Shape: box(119.0, 33.99, 119.2, 34.02)})
	if len(a.Admin) != 2 || a.Admin[0].People+a.Admin[1].People != 101 || a.Admin[0].People != 51 || !a.Admin[0].Whole {
		t.Errorf("%+v", a.Admin)
	}
}

func TestRings(t *testing.T) {
	h := open(t, impact.Options{})
	h.town()
	h.exec(`insert into incidents (id, kind, state, name, occurred_at, geom) values ('01a1ffb1-d369-7ca3-86f4-000000000001', 'hazchem', 'received', '泄漏', now(), st_setsrid(st_makepoint(119.1, 34.005), 4490)),
		('01a1ffb1-d369-7ca3-86f4-000000000002', 'fire', 'received', '邻近', now() - interval '2 hours', st_setsrid(st_makepoint(119.12, 34.005), 4490)),
		('01a1ffb1-d369-7ca3-86f4-000000000003', 'fire', 'received', '昨天的', now() - interval '30 hours', st_setsrid(st_makepoint(119.12, 34.005), 4490))`)
	a := h.ask(everybody(), impact.Question{Incident: "01a1ffb1-d369-7ca3-86f4-000000000001"})
	if a.Target.Basis != "rings_by_kind" || len(a.Target.Rings) != 3 || a.Target.Rings[2].RadiusM != 3000 || a.Target.Title != "泄漏" {
		t.Fatalf("%+v", a.Target)
	}
	n := 0
	for _, r := range a.Target.Rings {
		n += r.People
	}
	if n != a.People.Total || n == 0 {
		t.Errorf("rings hold %d, in all %d", n, a.People.Total)
	}
	parts := 0
	for _, u := range a.Admin {
		parts += u.People
	}
	if parts != a.People.Total {
		t.Errorf("units hold %d, in all %d", parts, a.People.Total)
	}
	if len(a.Neighbours) != 1 || a.Neighbours[0].Title != "邻近" {
		t.Errorf("neighbours %+v", a.Neighbours)
	}
	h.exec(`insert into incident_sketches (incident, kind, geom) values ('01a1ffb1-d369-7ca3-86f4-000000000001', 'affected_area', st_makeenvelope(119, 33.99, 119.01, 34.02, 4490))`)
	if a := h.ask(everybody(), impact.Question{Incident: "01a1ffb1-d369-7ca3-86f4-000000000001"}); a.Target.Basis != "affected_area" || a.People.Total != 100 {
		t.Errorf("the affected area: %+v %+v", a.Target.Basis, a.People)
	}
}

func TestAsItWas(t *testing.T) {
	h := open(t, impact.Options{})
	h.town()
	then := time.Now()
	time.Sleep(10 * time.Millisecond)
	h.exec(`update population set population = 1000`)
	h.exec(`delete from facilities`)
	q := impact.Question{Shape: box(119, 33.99, 119.01, 34.02)}
	if a := h.ask(everybody(), q); a.People.Total != 1000 || a.Facilities.Total != 0 {
		t.Errorf("now %+v", a.People)
	}
	q.Shape = box(119, 33.99, 119.02, 34.02)
	at := features.At(then)
	at.AsOf = &then
	q.Times = at
	if a := h.ask(everybody(), q); a.People.Total != 200 || a.Facilities.Total != 1 {
		t.Errorf("as it was %+v %+v", a.People, a.Facilities)
	}
}

// TestOnlyWhatTheAskerSees: rows of another area are not counted, layers he does not see
// are absent.
func TestOnlyWhatTheAskerSees(t *testing.T) {
	h := open(t, impact.Options{})
	h.town()
	west, err := geo.ParseScopes("990100001002")
	if err != nil {
		t.Fatal(err)
	}
	q := impact.Question{Shape: box(119, 33.99, 119.2, 34.02), Phones: true}
	a := h.ask(features.Asker{Name: "a", Role: "viewer", Reach: db.NewReach(db.Areas{Public: west, Internal: west})}, q)
	if a.People.Total != 1000 || len(a.Persons) != 1 || a.Persons[0].Name != "李四" || a.Buildings.Count != 0 || a.Shelters.Inside.Total != 0 || a.Facilities.Total != 0 {
		t.Errorf("%+v persons %+v buildings %+v", a.People, a.Persons, a.Buildings)
	}
	l, _ := h.reg.Now().Layer("hazard_sources")
	if l.Visibility == db.Sensitive && a.Sources != nil {
		t.Error("a sensitive layer is told of")
	}
	public := h.ask(features.Asker{Name: "a", Role: "public", Reach: db.NewReach(db.Areas{Public: geo.Scopes{geo.Everywhere()}})}, q)
	if public.People != nil || public.PersonSeen || public.Buildings != nil {
		t.Errorf("without a name: %+v", public)
	}
	if _, err := h.svc.Ask(t.Context(), features.Asker{Name: "a", Role: "public", Reach: db.NewReach(db.Areas{Public: west})}, impact.Question{Incident: "01a1ffb1-d369-7ca3-86f4-000000000001", Times: now()}); !errors.Is(err, impact.ErrNotFound) {
		t.Errorf("an incident he does not see: %v", err)
	}
}

// TestWhatIsNotCountedIsSaid: where the asker sees no unit nothing is known, and that is
// neither nobody nor a smaller number without a word.
func TestWhatIsNotCountedIsSaid(t *testing.T) {
	h := open(t, impact.Options{})
	h.town()
	whole := box(119, 34, 119.2, 34.01)
	if a := h.ask(everybody(), impact.Question{Shape: whole}); math.Abs(a.Covered-1) > 1e-6 || a.People.Total != 2000 {
		t.Errorf("all of it: %g, %d", a.Covered, a.People.Total)
	}
	east, err := geo.ParseScopes("990100001001")
	if err != nil {
		t.Fatal(err)
	}
	a := h.ask(features.Asker{Name: "east", Role: "duty_officer", Reach: db.NewReach(db.Areas{Internal: east, Sensitive: east})}, impact.Question{Shape: whole})
	if math.Abs(a.Covered-0.5) > 1e-6 {
		t.Errorf("half of it is his: %g", a.Covered)
	}
	a = h.ask(everybody(), impact.Question{Shape: box(119.1, 34, 119.3, 34.01)})
	if a.People.Total != 1000 || math.Abs(a.Covered-1) > 1e-6 { // the county goes on where no village is mapped
		t.Errorf("%d people, %g", a.People.Total, a.Covered)
	}
	if a := h.ask(everybody(), impact.Question{Shape: box(121, 34, 121.2, 34.01)}); a.Covered != 0 || a.People != nil {
		t.Errorf("beyond the county: %g, %+v", a.Covered, a.People)
	}
}

func TestBlocksCutTheWay(t *testing.T) {
	h := open(t, impact.Options{})
	h.town()
	h.exec(`insert into road_blocks (name, state, geom) values ('塌方', 'blocked', st_setsrid(st_makepoint(119.03, 34.005), 4490))`)
	a := h.ask(everybody(), impact.Question{Shape: box(119, 33.99, 119.025, 34.02)})
	if len(a.Blocks) != 1 || a.Blocks[0].Inside || a.Network.Closed == 0 || a.Shelters.Outside[0].By != "straight" {
		t.Errorf("blocks %+v, shelter by %v, network %+v", a.Blocks, a.Shelters.Outside[0].By, a.Network)
	}
}

func TestBadQuestions(t *testing.T) {
	h := open(t, impact.Options{})
	for _, c := range []struct {
		q    impact.Question
		want error
	}{
		{impact.Question{Shape: orb.Point{119, 34}}, impact.ErrNoArea},
		{impact.Question{Shape: box(80, 10, 120, 50)}, impact.ErrTooLarge},
		{impact.Question{Alert: "01a1ffb1-d369-7ca3-86f4-000000000001"}, impact.ErrNotFound},
	} {
		c.q.Times = now()
		if _, err := h.svc.Ask(t.Context(), everybody(), c.q); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.q, err, c.want)
		}
	}
	if a := h.ask(everybody(), impact.Question{Shape: orb.Point{119, 34}, BufferM: 500}); a.Target.AreaM2 < 780_000 || a.Target.AreaM2 > 786_000 {
		t.Errorf("a circle of 500 m has %v m²", a.Target.AreaM2) // 0.785398 km² less the polygon's corners
	}
}

// TestTheGate: who comes while it is full is sent away at once, and nobody is lost.
func TestTheGate(t *testing.T) {
	h := open(t, impact.Options{AtOnce: 1, Waiting: 2, Patience: 30 * time.Second})
	h.town()
	h.exec(`alter table population disable trigger user`)
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[string]int{}
	for range 100 {
		wg.Go(func() {
			_, err := h.svc.Ask(context.Background(), everybody(), impact.Question{Shape: box(119, 33.99, 119.2, 34.02), Times: now()})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				got["answered"]++
			case errors.Is(err, impact.ErrFull):
				got["full"]++
			default:
				got[fmt.Sprint(err)]++
			}
		})
	}
	wg.Wait()
	if got["answered"] < 3 || got["full"] == 0 || got["answered"]+got["full"] != 100 {
		t.Errorf("%v", got)
	}
}
