package demo

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"
)

// rng is one named random stream. Streams are independent, so adding a draw in
// one layer leaves all others as they were.
type rng struct{ *rand.Rand }

func newRNG(seed int64, stream string) rng {
	h := fnv.New64a()
	h.Write([]byte(stream))
	return rng{rand.New(rand.NewPCG(uint64(seed), h.Sum64()))}
}

func (r rng) between(a, b float64) float64 { return a + (b-a)*r.Float64() }
func (r rng) intBetween(a, b int) int      { return a + r.IntN(b-a+1) }
func (r rng) chance(p float64) bool        { return r.Float64() < p }

func pick[T any](r rng, list []T) T { return list[r.IntN(len(list))] }

// weighted returns an index drawn by weight.
func (r rng) weighted(w []float64) int {
	var sum float64
	for _, v := range w {
		sum += v
	}
	t := r.Float64() * sum
	for i, v := range w {
		if t -= v; t < 0 {
			return i
		}
	}
	return len(w) - 1
}

// near draws around mean with a relative spread, never below a third of it.
func (r rng) near(mean, spread float64) float64 {
	return math.Max(mean/3, mean*(1+spread*r.NormFloat64()))
}

// uuidV7 makes a version 7 UUID from a given time and the stream.
func (r rng) uuidV7(t time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(t.UnixMilli())<<16|uint64(r.Uint32()&0xfff))
	b[6] = 0x70 | b[6]&0x0f
	binary.BigEndian.PutUint64(b[8:], r.Uint64())
	b[8] = 0x80 | b[8]&0x3f
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// noise is gradient noise on an integer lattice, hashed so that no table and no
// state is needed.
type noise struct{ seed uint64 }

func (r rng) noise() noise { return noise{r.Uint64()} }

func (n noise) grad(ix, iy int64, dx, dy float64) float64 {
	h := n.seed ^ uint64(ix)*0x9E3779B97F4A7C15 ^ uint64(iy)*0xC2B2AE3D27D4EB4F
	h ^= h >> 29
	h *= 0xBF58476D1CE4E5B9
	h ^= h >> 32
	// A random vector of a square is as good as one of a circle here, and much
	// cheaper.
	return (float64(h&1023)*(2.6/1023)-1.3)*dx + (float64(h>>10&1023)*(2.6/1023)-1.3)*dy
}

// at is in about -0.8 .. 0.8 with mean 0.
func (n noise) at(x, y float64) float64 {
	fx, fy := math.Floor(x), math.Floor(y)
	ix, iy := int64(fx), int64(fy)
	dx, dy := x-fx, y-fy
	u := dx * dx * dx * (dx*(dx*6-15) + 10)
	v := dy * dy * dy * (dy*(dy*6-15) + 10)
	a := n.grad(ix, iy, dx, dy)
	b := n.grad(ix+1, iy, dx-1, dy)
	c := n.grad(ix, iy+1, dx, dy-1)
	d := n.grad(ix+1, iy+1, dx-1, dy-1)
	return (a + (b-a)*u) + ((c+(d-c)*u)-(a+(b-a)*u))*v
}

// fbm sums octaves; scale is the wavelength of the first in metres.
func (n noise) fbm(x, y, scale float64, octaves int) float64 {
	var sum float64
	amp, f := 1.0, 1/scale
	for i := range octaves {
		m := noise{n.seed + uint64(i)*0x632BE59BD9B4E019}
		sum += amp * m.at(x*f, y*f)
		amp *= 0.5
		f *= 2
	}
	return sum
}

func smoothstep(a, b, x float64) float64 {
	t := math.Max(0, math.Min(1, (x-a)/(b-a)))
	return t * t * (3 - 2*t)
}

func clamp(x, a, b float64) float64 { return math.Max(a, math.Min(b, x)) }
