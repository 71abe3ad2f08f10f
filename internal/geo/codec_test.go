package geo_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"
	"github.com/twpayne/go-geom"

	"onemap/internal/geo"
	"onemap/internal/pgtest"
)

func connect(t testing.TB) *pgx.Conn {
	t.Helper()
	conn := pgtest.Connect(t, pgtest.Database(t).Admin)
	if err := geo.Register(context.Background(), conn); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestCodec(t *testing.T) {
	ctx := context.Background()
	conn := connect(t)
	if _, err := conn.Exec(ctx, `create temp table g (id int, geom geometry, scope int8range, scopes int8multirange)`); err != nil {
		t.Fatal(err)
	}
	shapes := []orb.Geometry{
		nil, orb.Point{119.25, 34.15}, orb.MultiPoint{{1, 2}, {3, 4}}, orb.LineString{{1, 2}, {3, 4}},
		orb.MultiLineString{{{1, 2}, {3, 4}}}, orb.Polygon{{{0, 0}, {4, 0}, {4, 4}, {0, 0}}},
		orb.MultiPolygon{{{{0, 0}, {4, 0}, {4, 4}, {0, 0}}}}, orb.Collection{orb.Point{1, 2}, orb.LineString{{1, 2}, {3, 4}}},
	}
	scope, err := geo.ParseScope("990100")
	if err != nil {
		t.Fatal(err)
	}
	set, err := geo.ParseScopes("990100", "63000010")
	if err != nil {
		t.Fatal(err)
	}
	rows := make([][]any, len(shapes))
	for i, g := range shapes {
		rows[i] = []any{i, geo.Shape{Geometry: g}, scope, set}
	}
	if _, err := conn.CopyFrom(ctx, pgx.Identifier{"g"}, []string{"id", "geom", "scope", "scopes"}, pgx.CopyFromRows(rows)); err != nil {
		t.Fatal(err)
	}
	for i, want := range shapes {
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeSimpleProtocol} {
			var got geo.Shape
			var back orb.Geometry
			var wire geom.T
			var sc geo.Scope
			var scs geo.Scopes
			var ok bool
			err := conn.QueryRow(ctx, `select geom, geom, geom, scope, scopes, geom is not distinct from $2::geometry and coalesce(st_srid(geom), 4490) = 4490
				from g where id = $1`, mode, i, geo.Shape{Geometry: want}).Scan(&got, &back, &wire, &sc, &scs, &ok)
			if err != nil {
				t.Fatalf("%v: %v", want, err)
			}
			if !ok || got.IsNull() != (want == nil) || (want != nil && (!orb.Equal(got.Geometry, want) || !orb.Equal(back, want))) || (wire == nil) != (want == nil) {
				t.Errorf("mode %v: %v came back as %v, %v, %v (%v)", mode, want, got, back, wire, ok)
			}
			if sc != scope || scs.String() != set.String() {
				t.Errorf("scope %v %v", sc, scs)
			}
		}
	}
	var all []geo.Shape
	if err := conn.QueryRow(ctx, `select array_agg(geom order by id) from g`).Scan(&all); err != nil || len(all) != len(shapes) || !all[0].IsNull() {
		t.Errorf("array: %v %v", all, err)
	}
	var n int
	if err := conn.QueryRow(ctx, `select count(*) from unnest($1::geometry[]) u where u is not null`, all).Scan(&n); err != nil || n != len(shapes)-1 {
		t.Errorf("array parameter: %d %v", n, err)
	}
	if err := conn.QueryRow(ctx, `select st_npoints($1)`, orb.LineString{{1, 2}, {3, 4}}).Scan(&n); err != nil || n != 2 {
		t.Errorf("bare orb parameter: %d %v", n, err)
	}
	var empty geo.Shape
	if err := conn.QueryRow(ctx, `select 'point empty'::geometry`).Scan(&empty); err != nil || empty.IsNull() || geo.VertexCount(empty) != 0 {
		t.Errorf("empty point: %v %v", empty, err)
	}
	var z geo.Shape
	if err := conn.QueryRow(ctx, `select 'point zm(1 2 3 4)'::geometry`).Scan(&z); err != nil || z.Geometry != (orb.Point{1, 2}) {
		t.Errorf("ZM: %v %v", z, err)
	}
	var p orb.Point
	if err := conn.QueryRow(ctx, `select null::geometry`).Scan(&p); err == nil {
		t.Error("NULL was scanned into a point without a word")
	}
	values, err := conn.Query(ctx, `select geom from g where id = 1`)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := pgx.CollectOneRow(values, pgx.RowTo[any]); err != nil || v.(geo.Shape).Geometry != shapes[1] {
		t.Errorf("any: %v %v", v, err)
	}
}

func TestRegisterNeedsPostGIS(t *testing.T) {
	conn := pgtest.Connect(t, pgtest.Empty(t).Admin)
	if err := geo.Register(context.Background(), conn); err == nil {
		t.Error("a database without PostGIS was accepted")
	}
}

// Go and SQL must agree on what a code means: the one guards writes, the other
// answers queries.
func TestScopeAgreesWithSQL(t *testing.T) {
	conn := connect(t)
	for _, code := range []string{"99", "9901", "990100", "990100001", "990100001001", "990100001001007", "63000", "63000010", "63000010001"} {
		want, err := geo.ParseScope(code)
		if err != nil {
			t.Fatal(err)
		}
		var got geo.Scope
		if err := conn.QueryRow(context.Background(), `select code_scope($1)`, code).Scan(&got); err != nil || got != want {
			t.Errorf("%s: SQL %v, Go %v (%v)", code, got, want, err)
		}
	}
	var every geo.Scope
	if err := conn.QueryRow(context.Background(), `select every_scope()`).Scan(&every); err != nil || every != geo.Everywhere() {
		t.Errorf("everywhere: SQL %v, Go %v (%v)", every, geo.Everywhere(), err)
	}
}

// What Check lets pass, PostGIS must accept too (but for interiors cut in two,
// which random shapes of this size do not have), and the other way round.
func TestCheckAgreesWithPostGIS(t *testing.T) {
	conn := connect(t)
	r := rand.New(rand.NewPCG(21, 22))
	ring := func(cx, cy, s float64, n int) orb.Ring {
		out := make(orb.Ring, n, n+1)
		for i := range out {
			// A coarse lattice makes touching, overlap and collinearity common.
			out[i] = orb.Point{cx + float64(r.IntN(7))*s, cy + float64(r.IntN(7))*s}
		}
		return append(out, out[0])
	}
	valid, invalid := 0, 0
	for range 4000 {
		var g orb.Geometry
		switch r.IntN(3) {
		case 0:
			g = orb.Polygon{ring(0, 0, 1, 3+r.IntN(3))}
		case 1:
			g = orb.Polygon{ring(0, 0, 2, 3+r.IntN(2)), ring(2, 2, 1, 3)}
		default:
			g = orb.MultiPolygon{{ring(0, 0, 1, 3)}, {ring(float64(r.IntN(6)), 0, 1, 3)}}
		}
		var want bool
		var reason string
		if err := conn.QueryRow(context.Background(), `select st_isvalid($1), st_isvalidreason($1)`, geo.Shape{Geometry: g}).Scan(&want, &reason); err != nil {
			t.Fatal(err)
		}
		f := geo.Check(g)
		if (f == nil) != want && reason[:8] != "Interior" {
			t.Fatalf("%v: PostGIS says %q, we say %v", g, reason, f)
		}
		if want {
			valid++
		} else {
			invalid++
		}
	}
	if valid < 200 || invalid < 200 {
		t.Errorf("only %d valid and %d invalid shapes: the test proves little", valid, invalid)
	}
}
