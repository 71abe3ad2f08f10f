package zoning

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
	"onemap/zoning/coverage"
)

// table is a planner's table: a database, the service, and people.
type table struct {
	t     testing.TB
	s     *Service
	admin *pgx.Conn // superuser: looks past row security
	by    auth.By   // planner of the county
	made  int       // plans put on the table
}

// hazard is usual for the first plan of a table, and another for each after it: a hazard
// of an area has one series.
func (w *table) hazard(usual string) string {
	others := []string{"landslide", "debris_flow", "collapse", "typhoon", "earthquake", "forest_fire", "drought", "hail", "gale", "lightning", "snow", "sandstorm", "subsidence", "rainstorm", "tsunami", "wave",
		"high_temperature", "low_temperature", "storm_surge", "grass_fire", "hazchem", "waterlogging"}
	w.made++
	if w.made == 1 {
		return usual
	}
	return others[(w.made-2)%len(others)]
}

const county = "990100"

func newTable(t testing.TB) *table {
	t.Helper()
	dsn := pgtest.Database(t)
	return newTableOn(t, dsn, db.Options{DSN: dsn.App})
}

func newTableOn(t testing.TB, dsn pgtest.DSNs, o db.Options) *table {
	t.Helper()
	d, err := db.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	reg, err := registry.Open(context.Background(), d.Bulk)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(Options{DB: d, Catalogue: reg})
	if err != nil {
		t.Fatal(err)
	}
	admin := pgtest.Connect(t, dsn.Admin)
	if err := geo.Register(context.Background(), admin); err != nil {
		t.Fatal(err)
	}
	w := &table{t: t, s: s, admin: admin}
	w.by = w.person(1, auth.Planner, county)
	return w
}

// person is somebody in a role over an area, with an account.
func (w *table) person(n int, role auth.Role, area string) auth.By {
	w.t.Helper()
	id := fmt.Sprintf("0192f0c1-0000-7000-8000-0000000000%02x", n)
	w.exec(`insert into auth.account (id, username, name) values ($1, $2, $3) on conflict do nothing`, id, fmt.Sprintf("person%d", n), fmt.Sprintf("某%d", n))
	return somebody(n, role, area)
}

func somebody(n int, role auth.Role, area string) auth.By {
	id := fmt.Sprintf("0192f0c1-0000-7000-8000-0000000000%02x", n)
	grants := []auth.Grant{{ID: fmt.Sprintf("0192f0c1-0000-7000-8000-0000000001%02x", n), Account: id, Role: role, Area: area}}
	return auth.By{Request: "test", Identity: &auth.Identity{
		Kind: auth.Session, Account: id, Username: fmt.Sprintf("person%d", n), Name: fmt.Sprintf("某%d", n), ID: "0192f0c1-0000-7000-8000-0000000000b1",
		Grants: grants, Reach: auth.ReachOf(grants, time.Now(), 0),
	}}
}

func (w *table) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.admin.Exec(context.Background(), sql, args...); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

func (w *table) scan(into any, sql string, args ...any) {
	w.t.Helper()
	if err := w.admin.QueryRow(context.Background(), sql, args...).Scan(into); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

// plan puts a draft on the table whose zones are the shapes; area is their boundary, nil
// for none.
func (w *table) plan(exhaustive bool, area coverage.Shape, zones map[coverage.ID]coverage.Shape) string {
	w.t.Helper()
	id := newID(time.Now())
	var border geo.Shape
	if area != nil {
		border.Geometry = area.Geometry()
	}
	w.exec(`insert into plan (id, series, version_no, hazard, kind, title, admin_code, scope, exhaustive, area, created_by)
		values ($1, $1, 1, $5, 'risk', '洪水风险区划', $2, code_scope($2), $3, $4, 'person1')`, id, county, exhaustive, border, w.hazard("flood"))
	var rows []Zone
	for i, z := range slices.Sorted(keys(zones)) {
		rows = append(rows, Zone{Zone: string(z), Name: fmt.Sprintf("单元%d", i+1), Level: 1 + i%5, Shape: zones[z]})
	}
	g, _ := w.by.Grant(auth.EditPlans, geo.Scope{}, time.Now())
	for part := range slices.Chunk(rows, 900) {
		err := w.s.db.Bulk.Tx(context.Background(), w.by.Writing(g), func(tx pgx.Tx) error {
			return w.s.writeZones(context.Background(), tx, Plan{ID: id}, part, nil)
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return id
}

func keys[K comparable, V any](m map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// zones are the zones of a plan as they are, by id.
func (w *table) zones(plan string) map[string]Zone {
	w.t.Helper()
	all, err := w.s.editZones(context.Background(), w.admin, plan, "edit_zones_all")
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]Zone{}
	for _, z := range all {
		out[z.Zone] = z
	}
	return out
}

// base is what a client knows who has the whole plan before him.
func (w *table) base(plan string) map[string]int64 {
	out := map[string]int64{}
	for id, z := range w.zones(plan) {
		out[id] = z.Version
	}
	return out
}

// state is everything of a plan that an undo brings back, as text of the database.
func (w *table) state(plan string) string {
	w.t.Helper()
	var out string
	w.scan(&out, `select coalesce(string_agg(concat_ws('|', z.zone, z.id, z.fid, z.code, z.name, z.level, z.reason, z.countermeasure, z.responsible,
		z.population, z.attrs, z.scope, encode(st_asewkb(z.geom), 'hex')), E'\n' order by z.zone), '') || E'\n' ||
		coalesce((select encode(st_asewkb(p.area), 'hex') from plan p where p.id = $1), '') from zones z where z.plan = $1`, plan)
	return out
}

// edit does steps with the whole plan as base.
func (w *table) edit(plan string, steps ...Step) (EditResult, error) {
	w.t.Helper()
	return w.s.Edit(context.Background(), w.by, EditRequest{Plan: plan, EditID: newID(time.Now()), Steps: steps, Base: w.base(plan)})
}

func (w *table) mustEdit(plan string, steps ...Step) EditResult {
	w.t.Helper()
	r, err := w.edit(plan, steps...)
	if err != nil {
		w.t.Fatalf("%v: %v", steps[0].Op.Kind, explain(err))
	}
	return r
}

func (w *table) undo(plan, edit string) (EditResult, error) {
	w.t.Helper()
	return w.s.Edit(context.Background(), w.by, EditRequest{Plan: plan, EditID: newID(time.Now()), Steps: []Step{{Restore: edit}}})
}

// whole makes sure that a plan is a coverage.
func (w *table) whole(plan string) {
	w.t.Helper()
	v, err := w.s.Validate(context.Background(), w.by.Identity, plan)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, b := range v.Violations {
		if b.Code != Ungraded && b.Code != coverage.Sliver { // a sliver may be drawn on the way
			w.t.Fatalf("the plan is no coverage: %+v", b)
		}
	}
}

// explain says what is in an error.
func explain(err error) string {
	var v *ViolationsError
	var st *StaleError
	var c *coverage.Error
	switch {
	case errors.As(err, &v):
		return fmt.Sprintf("%v %+v", err, v.Violations)
	case errors.As(err, &st):
		return fmt.Sprintf("%v missing %v gone %v", err, st.Missing, st.Gone)
	case errors.As(err, &c):
		return fmt.Sprintf("%v %+v", err, c.Violations)
	}
	return fmt.Sprint(err)
}

// refused is the code of the first violation of an error, "" for another.
func refused(err error) coverage.Code {
	var v *ViolationsError
	if errors.As(err, &v) && len(v.Violations) > 0 {
		return v.Violations[0].Code
	}
	return ""
}

// pt is a position in steps of 1e-4 degree from a corner of the county.
func pt(x, y float64) coverage.Point {
	return coverage.At(orb.Point{121.5 + x/1e4, 25 + y/1e4})
}

func ring(xy ...float64) coverage.Ring {
	var r coverage.Ring
	for i := 0; i < len(xy); i += 2 {
		r = append(r, pt(xy[i], xy[i+1]))
	}
	return r
}

func box(x0, y0, x1, y1 float64) coverage.Shape {
	return coverage.Shape{{ring(x0, y0, x1, y0, x1, y1, x0, y1)}}
}

func zid(n int) coverage.ID { return coverage.ID(fmt.Sprintf("0192f0c1-1111-7000-8000-%012x", n)) }

// checkers is n by n squares of side 10 whose borders have k nodes each beside the corners,
// shaken if rnd is given, and the boundary around them. Every zone is whole, all nodes shared.
func checkers(n, k int, rnd *rand.Rand) (coverage.Shape, map[coverage.ID]coverage.Shape) {
	shake := func() float64 {
		if rnd == nil {
			return 0
		}
		return rnd.Float64()*2 - 1
	}
	const side = 10.0
	type line struct{ x, y, vertical int }
	edges := map[line][]coverage.Point{}
	corner := map[[2]int]coverage.Point{}
	for x := range n + 1 {
		for y := range n + 1 {
			dx, dy := shake(), shake()
			if x == 0 || x == n {
				dx = 0
			}
			if y == 0 || y == n {
				dy = 0
			}
			corner[[2]int{x, y}] = pt(float64(x)*side+dx, float64(y)*side+dy)
		}
	}
	between := func(a, b coverage.Point, still bool) []coverage.Point {
		out := []coverage.Point{a}
		for i := range k {
			f := float64(i+1) / float64(k+1)
			p := coverage.Point{X: a.X + int64(f*float64(b.X-a.X)), Y: a.Y + int64(f*float64(b.Y-a.Y))}
			if !still {
				p.X += int64(shake() * 2e4 / float64(k+1))
				p.Y += int64(shake() * 2e4 / float64(k+1))
			}
			out = append(out, p)
		}
		return append(out, b)
	}
	for x := range n + 1 {
		for y := range n + 1 {
			if x < n {
				edges[line{x, y, 0}] = between(corner[[2]int{x, y}], corner[[2]int{x + 1, y}], y == 0 || y == n)
			}
			if y < n {
				edges[line{x, y, 1}] = between(corner[[2]int{x, y}], corner[[2]int{x, y + 1}], x == 0 || x == n)
			}
		}
	}
	walk := func(r coverage.Ring, l []coverage.Point, back bool) coverage.Ring {
		l = slices.Clone(l)
		if back {
			slices.Reverse(l)
		}
		return append(r, l[:len(l)-1]...)
	}
	zones := map[coverage.ID]coverage.Shape{}
	for x := range n {
		for y := range n {
			var r coverage.Ring
			r = walk(r, edges[line{x, y, 0}], false)
			r = walk(r, edges[line{x + 1, y, 1}], false)
			r = walk(r, edges[line{x, y + 1, 0}], true)
			r = walk(r, edges[line{x, y, 1}], true)
			zones[zid(1000+x*n+y)] = coverage.Shape{{r}}
		}
	}
	var b coverage.Ring
	for x := range n {
		b = walk(b, edges[line{x, 0, 0}], false)
	}
	for y := range n {
		b = walk(b, edges[line{n, y, 1}], false)
	}
	for x := n - 1; x >= 0; x-- {
		b = walk(b, edges[line{x, n, 0}], true)
	}
	for y := n - 1; y >= 0; y-- {
		b = walk(b, edges[line{0, y, 1}], true)
	}
	return coverage.Shape{{b}}, zones
}

func square(n int, x, y int) coverage.ID { return zid(1000 + x*n + y) }

func attrsOf(t testing.TB, z Zone) map[string]any {
	t.Helper()
	m := map[string]any{}
	if err := json.Unmarshal(z.Attrs, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func orbBox(x0, y0, x1, y1 float64) orb.Bound {
	return orb.Bound{Min: pt(x0, y0).LonLat(), Max: pt(x1, y1).LonLat()}
}
