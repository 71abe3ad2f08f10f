package impact_test

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"onemap/census"
	"onemap/internal/db"
	"onemap/internal/impact"
	"onemap/internal/pgtest"
)

const manifest = "../../census/testdata/taipei.yaml"

// taipei imports the real city once for the tests of this file and keeps it till the
// process ends.
func taipei(t testing.TB) *house {
	t.Helper()
	if _, err := os.Stat("../../../shared/data/taipei"); err != nil {
		t.Skipf("the real city's data is not here (%v); this test needs it", err)
	}
	dsn := pgtest.Database(t)
	h := over(t, dsn, impact.Options{})
	d, err := db.Open(context.Background(), db.Options{DSN: dsn.App})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	im, err := census.NewImporter(d.Bulk, census.Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := im.ImportManifest(context.Background(), manifest, census.FileOptions{}); err != nil {
		t.Fatal(err)
	}
	h.exec(`analyze`)
	if err := h.reg.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := h.ways.Load(context.Background()); err != nil {
		t.Fatal(err)
	}
	return h
}

// blob is an uneven polygon of n corners around a place.
func blob(rng *rand.Rand, at orb.Point, radiusM float64, n int) orb.Polygon {
	ring := make(orb.Ring, 0, n+1)
	for i := range n {
		a := 2 * math.Pi * float64(i) / float64(n)
		r := radiusM * (0.7 + 0.3*rng.Float64())
		ring = append(ring, orb.Point{at[0] + r*math.Cos(a)/100_700, at[1] + r*math.Sin(a)/110_800})
	}
	return orb.Polygon{append(ring, ring[0])}
}

// downtown is where the questions of the bench lie.
func downtown(rng *rand.Rand) orb.Point {
	return orb.Point{121.48 + 0.12*rng.Float64(), 25.0 + 0.13*rng.Float64()}
}

// questions are a day's: warnings of some kilometres, buffers, rings, a drawn cordon, and
// now and then the whole city.
func questions(n int) []impact.Question {
	rng := rand.New(rand.NewPCG(6, 66))
	var out []impact.Question
	for i := range n {
		q := impact.Question{Phones: true}
		switch at := downtown(rng); i % 20 {
		case 0:
			q.Shape = box(121.44, 24.95, 121.67, 25.22)
		case 1, 2, 3:
			q.Shape = blob(rng, at, 4000+4000*rng.Float64(), 60)
		case 4, 5:
			q.Shape, q.Rings = at, []float64{300, 1000, 3000}
		case 6, 7, 8, 9:
			q.Shape, q.BufferM = at, 500+1000*rng.Float64()
		default:
			q.Shape = blob(rng, at, 800+1500*rng.Float64(), 24)
		}
		out = append(out, q)
	}
	return out
}

func TestTheRealCity(t *testing.T) {
	h := taipei(t)
	whole := h.ask(everybody(), impact.Question{Shape: box(121.40, 24.90, 121.72, 25.25), Phones: true})
	if whole.People == nil || whole.People.Total != 2689272 || whole.People.Low != 2689272 {
		t.Errorf("the whole city has %+v, its cells 2,689,272", whole.People)
	}
	parts, villages := 0, 0
	for _, u := range whole.Admin {
		parts += u.People
		if u.Rank == 5 {
			villages++
		}
	}
	if parts != 2689272 || villages != 456 {
		t.Errorf("%d people in %d villages", parts, villages)
	}
	t.Logf("facilities %+v key places %d shelters %d roads %v", whole.Facilities.By, whole.KeyPlaces.Total, whole.Shelters.Inside.Total, whole.Roads)
	if g, _, _ := h.ways.Graph(); g.Edges() < 15_000 {
		t.Errorf("%d edges", g.Edges())
	}
	var took []time.Duration
	byRoad := 0
	for _, q := range questions(60) {
		q.Times = now()
		began := time.Now()
		a, err := h.svc.Ask(t.Context(), everybody(), q)
		if err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(began))
		n := 0
		for _, u := range a.Admin {
			n += u.People
		}
		if n != a.People.Total || sumGroups(a.People) != a.People.Total {
			t.Errorf("parts hold %d and %d of %d", n, sumGroups(a.People), a.People.Total)
		}
		if a.People.Low > a.People.Total || a.People.High < a.People.Total {
			t.Errorf("%+v lies outside its range", a.People)
		}
		for _, s := range a.Shelters.Outside {
			if s.By == "road" {
				byRoad++
			}
			if s.Kind == "air_raid" || s.Free != nil && *s.Free == 0 {
				t.Errorf("people are sent to %+v", s)
			}
		}
	}
	if byRoad == 0 {
		t.Error("no shelter is reached by road")
	}
	slices.Sort(took)
	t.Logf("%d questions: p50 %v p95 %v max %v", len(took), took[len(took)/2], took[len(took)*95/100], took[len(took)-1])
}

func BenchmarkTheRealCity(b *testing.B) {
	h := taipei(b)
	list := questions(60)
	i := 0
	for b.Loop() {
		q := list[i%len(list)]
		q.Times = now()
		if _, err := h.svc.Ask(b.Context(), everybody(), q); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
