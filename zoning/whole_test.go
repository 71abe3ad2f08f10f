package zoning

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestWholePeopleAddUp: the zones' whole numbers add up to the rounded people of the plan,
// and none is off by a whole person.
func TestWholePeopleAddUp(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 7))
	for range 2000 {
		figures := make([]zoneFigure, r.IntN(40))
		var sum float64
		for i := range figures {
			if r.IntN(8) == 0 {
				continue // nobody counted there
			}
			v := r.Float64() * 900
			if r.IntN(4) == 0 {
				v = math.Floor(v) + 0.5
			}
			figures[i].people, sum = &v, sum+v
		}
		wholePeople(figures)
		whole := 0
		for i, f := range figures {
			if (f.people == nil) != (f.Population == nil) {
				t.Fatalf("zone %d: %v people became %v", i, f.people, f.Population)
			}
			if f.people != nil {
				whole += *f.Population
				if d := math.Abs(*f.people - float64(*f.Population)); d >= 1 {
					t.Fatalf("zone %d: %v people became %d", i, *f.people, *f.Population)
				}
			}
		}
		if whole != int(math.Round(sum)) {
			t.Fatalf("%v people became %d", sum, whole)
		}
	}
}
