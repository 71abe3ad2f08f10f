package impact_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"onemap/internal/impact"
)

func TestApportion(t *testing.T) {
	for _, c := range []struct {
		total int
		parts []float64
		want  []int
	}{
		{10, []float64{3.3, 3.3, 3.4}, []int{3, 3, 4}},
		{10, []float64{10.0 / 3, 10.0 / 3, 10.0 / 3}, []int{4, 3, 3}}, // equal remainders: in their order
		{101, []float64{50.5, 50.5}, []int{51, 50}},
		{3, []float64{2.9999999999, 0}, []int{3, 0}},
		{0, []float64{0.2, 0.2}, []int{0, 0}},
		{1, []float64{0.2, 0.7}, []int{0, 1}},
		{7, nil, []int{}},
	} {
		if got := impact.Apportion(c.total, c.parts); !slices.Equal(got, c.want) {
			t.Errorf("%d in %v: %v, want %v", c.total, c.parts, got, c.want)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		parts := make([]float64, 1+rng.IntN(40))
		sum := 0.0
		for i := range parts {
			parts[i] = rng.Float64() * float64(rng.IntN(1000))
			sum += parts[i]
		}
		total := int(sum + 0.5)
		n := 0
		for i, v := range impact.Apportion(total, parts) {
			n += v
			if d := float64(v) - parts[i]; d > 1.5 || d < -1.5 {
				t.Fatalf("%v became %d of %d in %v", parts[i], v, total, parts)
			}
		}
		if n != total {
			t.Fatalf("%d of %d in %v", n, total, parts)
		}
	}
}
