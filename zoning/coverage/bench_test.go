package coverage

import (
	"math/rand/v2"
	"testing"
)

// 2,025 zones with 60 points each: what an editor of a city holds.
func city() *Coverage {
	return grid(rand.New(rand.NewPCG(1, 1)), 45, 15)
}

func BenchmarkMoveVertex(b *testing.B) {
	c := city()
	p := c.Zones["z020-020"][0][0][3]
	q := Point{p.X + 100, p.Y + 100}
	b.ResetTimer()
	for range b.N {
		if _, err := c.Apply(Op{Kind: MoveVertex, From: p, To: q}, nil, nil); err != nil {
			b.Fatal(err)
		}
		p, q = q, p
	}
}

func BenchmarkSplit(b *testing.B) {
	c := city()
	lo, hi := Bound(c.Zones["z020-020"])
	y := (lo.Y + hi.Y) / 2
	op := Op{Kind: Split, Zone: "z020-020", New: []ID{"n"}, Line: []Point{{lo.X - 10, y}, {hi.X + 10, y + 7}}}
	b.ResetTimer()
	for range b.N {
		d := *c
		if _, err := d.Apply(op, nil, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCarve(b *testing.B) {
	c := city()
	lo, hi := Bound(c.Zones["z020-020"])
	op := Op{Kind: Add, Zone: "n", Carve: true, Shape: Shape{{rect(lo.X, lo.Y, hi.X, hi.Y)}}}
	b.ResetTimer()
	for range b.N {
		d := *c
		if _, err := d.Apply(op, nil, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	c := city()
	n := 0
	for _, s := range c.Zones {
		n += s.Vertices()
	}
	b.Logf("%d zones, %d vertices", len(c.Zones), n)
	b.ResetTimer()
	for range b.N {
		if len(c.Check()) > 0 {
			b.Fatal("not a coverage")
		}
	}
}

func BenchmarkCheckWithGaps(b *testing.B) {
	c := city()
	c.Exhaustive = false
	b.ResetTimer()
	for range b.N {
		if len(c.Check()) > 0 {
			b.Fatal("not a coverage")
		}
	}
}

func BenchmarkHeal(b *testing.B) {
	c := city()
	b.ResetTimer()
	for range b.N {
		d := *c
		if _, err := Heal(&d, nil, HealLimits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSimplify(b *testing.B) {
	a := BuildArcs(city())
	b.ResetTimer()
	for range b.N {
		a.Simplify(1e-3)
	}
}
