package census

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"testing"

	"github.com/paulmach/orb"
)

// buildings makes n small footprints with the fields a census has.
func buildings(n int) iter.Seq2[Feature, error] {
	return func(yield func(Feature, error) bool) {
		r := rand.New(rand.NewPCG(1, 1))
		for i := range n {
			x, y := 119+r.Float64(), 34+r.Float64()
			w, h := 0.0001+r.Float64()*0.0001, 0.0001+r.Float64()*0.0001
			f := Feature{Layer: "buildings", Key: fmt.Sprintf("b%07d", i), Code: "990100001001",
				Geometry: orb.Polygon{{{x, y}, {x + w, y}, {x + w, y + h}, {x, y + h}, {x, y}}},
				Fields: map[string]any{"name": fmt.Sprintf("示例小区%d号楼", i), "use": "residential", "structure": "masonry", "floors": 1 + i%20,
					"height_m": 3.1 * float64(1+i%20), "area_m2": 120.5, "built_year": 1990 + i%30, "persons": i % 9}}
			if !yield(f, nil) {
				return
			}
		}
	}
}

func BenchmarkLoadBuildings(b *testing.B) {
	h := newHouse(b)
	const n = 30_000
	i := 0
	for b.Loop() {
		i++
		r, err := h.Load(context.Background(), Dataset{Name: fmt.Sprint("bench", i)}, buildings(n), LoadOptions{})
		if err != nil || r.Counts.Accepted != n {
			b.Fatal(err, r.Counts)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n)/1000, "us/row")
}
