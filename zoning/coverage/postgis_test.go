package coverage

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"

	"onemap/internal/pgtest"
)

// postgis is the Noder the server has: one union on the grid.
type postgis struct {
	t    testing.TB
	conn *pgx.Conn
}

func newPostGIS(t testing.TB) *postgis {
	dsns := pgtest.Database(t)
	return &postgis{t, pgtest.Connect(t, dsns.Owner)}
}

func (p *postgis) Node(lines [][]Point) ([][]Point, error) {
	var mls orb.MultiLineString
	for _, l := range lines {
		var ls orb.LineString
		for _, q := range l {
			ls = append(ls, q.LonLat())
		}
		mls = append(mls, ls)
	}
	data, err := wkb.Marshal(mls)
	if err != nil {
		return nil, err
	}
	var answer []byte
	err = p.conn.QueryRow(context.Background(), `select st_asbinary(st_multi(st_union(st_geomfromwkb($1, 4490), 1e-8)))`, data).Scan(&answer)
	if err != nil {
		return nil, err
	}
	g, err := wkb.Unmarshal(answer)
	if err != nil {
		return nil, err
	}
	var out [][]Point
	for _, ls := range g.(orb.MultiLineString) {
		var l []Point
		for _, q := range ls {
			l = append(l, At(q))
		}
		out = append(out, l)
	}
	return out, nil
}

func (p *postgis) isValid(s Shape) (ok bool) {
	p.t.Helper()
	data, err := wkb.Marshal(s.Geometry())
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.conn.QueryRow(context.Background(), `select st_isvalid(st_geomfromwkb($1, 4490))`, data).Scan(&ok); err != nil {
		p.t.Fatal(err)
	}
	return ok
}

func (p *postgis) valid(s Shape) (ok bool, area float64) {
	p.t.Helper()
	data, err := wkb.Marshal(s.Geometry())
	if err != nil {
		p.t.Fatal(err)
	}
	err = p.conn.QueryRow(context.Background(), `select st_isvalid(g), st_area(g::geography) from st_geomfromwkb($1, 4490) g`, data).Scan(&ok, &area)
	if err != nil {
		p.t.Fatal(err)
	}
	return ok, area
}

func TestRandomEditsNodedByPostGIS(t *testing.T) {
	pg := newPostGIS(t)
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 7))
		c := grid(rng, 4, 5)
		c.Exhaustive = seed != 3
		play(t, c, rng, pg, 400)
		for id, s := range c.Zones {
			if ok, _ := pg.valid(s); !ok {
				t.Errorf("zone %s is right here, but PostGIS calls it invalid: %v", id, s)
			}
		}
	}
	step = 30
	defer func() { step = 100_000 }()
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 8))
		c := grid(rng, 4, 4)
		play(t, c, rng, pg, 200)
		for id, s := range c.Zones {
			if ok, _ := pg.valid(s); !ok {
				t.Errorf("zone %s is right here, but PostGIS calls it invalid: %v", id, s)
			}
		}
	}
}

// What Valid says is what ST_IsValid says, on small random rings full of coincidences.
func TestValidAgreesWithPostGIS(t *testing.T) {
	pg := newPostGIS(t)
	rng := rand.New(rand.NewPCG(9, 9))
	seen := map[bool]int{}
	for range 4000 {
		var s Shape
		for range 1 + rng.IntN(2) {
			var poly Polygon
			for range 1 + rng.IntN(2) {
				r := make(Ring, 3+rng.IntN(4))
				for k := range r {
					r[k] = Point{int64(rng.IntN(5)), int64(rng.IntN(5))}
				}
				poly = append(poly, r)
			}
			s = append(s, poly)
		}
		s, err := FromGeometry(s.Geometry())
		if err != nil {
			t.Fatal(err)
		}
		mine := len(s.Valid()) == 0
		short := false
		for _, p := range s {
			for _, r := range p {
				short = short || len(r) < 3
			}
		}
		if short {
			if mine {
				t.Fatalf("two points are no ring: %v", s)
			}
			continue
		}
		theirs := pg.isValid(s)
		seen[mine]++
		if mine && !theirs {
			t.Fatalf("PostGIS calls it invalid: %v", s)
		}
		// PostGIS allows a ring to touch another in the middle of an edge; a coverage wants
		// a node there.
		if theirs && !mine && !touchesUnnoded(s) {
			t.Fatalf("PostGIS calls it valid: %v: %v", s, s.Valid())
		}
	}
	t.Logf("valid %d, invalid %d", seen[true], seen[false])
	if seen[true] < 50 {
		t.Errorf("only %d were valid", seen[true])
	}
}

func touchesUnnoded(s Shape) bool {
	found := false
	segs := s.segments()
	sweepPairs(segs, nil, func(a, b seg) bool {
		m := meet(a, b)
		found = found || m.nA > 0 || m.nB > 0
		return !found
	})
	return found
}

func TestAreaEqualsPostGIS(t *testing.T) {
	pg := newPostGIS(t)
	rng := rand.New(rand.NewPCG(3, 3))
	check := func(s Shape) {
		t.Helper()
		ok, want := pg.valid(s)
		got := AreaM2(s)
		if !ok || math.Abs(got-want) > 1e-6*want+1e-4 {
			t.Errorf("area %.6f, PostGIS %.6f (off by %.2e of it), valid %v", got, want, (got-want)/want, ok)
		}
	}
	for _, d := range []int64{200, 20_000, 2_000_000, 50_000_000, 200_000_000} {
		for _, lat := range []int64{0, 20, 30, 45, 53, -33} {
			centre := Point{int64(75+rng.IntN(50)) * Scale, lat * Scale}
			check(Shape{{randomRing(rng, centre, d, 12)}})
			check(Shape{{rect(centre.X, centre.Y, centre.X+d, centre.Y+d)}})
		}
	}
	check(Shape{{rect(0, 0, 10*Scale, 10*Scale), cw(rect(Scale, Scale, 2*Scale, 3*Scale))}, {rect(20*Scale, 0, 21*Scale, Scale)}})
}
