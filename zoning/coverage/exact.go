package coverage

import (
	"cmp"
	"math/big"
	"math/bits"
)

// Here is the exact arithmetic. Coordinates are below 2^35, their differences below
// 2^36: a cross product needs 73 bits, so it is done in 64 where it fits and in 128
// where it does not.

// int128 is a signed number of 128 bits, in two's complement.
type int128 struct {
	hi int64
	lo uint64
}

func mul(a, b int64) int128 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if a < 0 {
		hi -= uint64(b)
	}
	if b < 0 {
		hi -= uint64(a)
	}
	return int128{int64(hi), lo}
}

func (x int128) add(y int128) int128 {
	lo, c := bits.Add64(x.lo, y.lo, 0)
	hi, _ := bits.Add64(uint64(x.hi), uint64(y.hi), c)
	return int128{int64(hi), lo}
}

func (x int128) sub(y int128) int128 {
	lo, b := bits.Sub64(x.lo, y.lo, 0)
	hi, _ := bits.Sub64(uint64(x.hi), uint64(y.hi), b)
	return int128{int64(hi), lo}
}

func (x int128) sign() int {
	switch {
	case x.hi < 0:
		return -1
	case x.hi == 0 && x.lo == 0:
		return 0
	}
	return 1
}

// cmp compares two numbers.
func (x int128) cmp(y int128) int {
	if x.hi != y.hi {
		return cmp.Compare(x.hi, y.hi)
	}
	return cmp.Compare(x.lo, y.lo)
}

func (x int128) float() float64 {
	return float64(x.hi)*(1<<64) + float64(x.lo)
}

// small says that products of two such differences can be subtracted in 64 bits.
func small(v int64) bool { return v < 1<<30 && v > -1<<30 }

// cross is u × v.
func cross(ux, uy, vx, vy int64) int128 { return mul(ux, vy).sub(mul(uy, vx)) }

// orient is 1 where c lies left of the line from a to b, -1 right, 0 on it.
func orient(a, b, c Point) int {
	ux, uy, vx, vy := b.X-a.X, b.Y-a.Y, c.X-a.X, c.Y-a.Y
	if small(ux) && small(uy) && small(vx) && small(vy) {
		return cmp.Compare(ux*vy, uy*vx)
	}
	return cross(ux, uy, vx, vy).sign()
}

// dotSign is the sign of (b-a)·(c-a).
func dotSign(a, b, c Point) int {
	return mul(b.X-a.X, c.X-a.X).add(mul(b.Y-a.Y, c.Y-a.Y)).sign()
}

func less(a, b Point) bool { return a.X < b.X || a.X == b.X && a.Y < b.Y }

func comparePoints(a, b Point) int {
	if a.X != b.X {
		return cmp.Compare(a.X, b.X)
	}
	return cmp.Compare(a.Y, b.Y)
}

func between(a, b, x int64) bool { return min(a, b) <= x && x <= max(a, b) }

// within says whether p, known to be on the line through a and b, is between them
// without being one of them.
func within(a, b, p Point) bool {
	return p != a && p != b && between(a.X, b.X, p.X) && between(a.Y, b.Y, p.Y)
}

// onSegment says whether p lies on the segment, its ends excluded.
func onSegment(a, b, p Point) bool { return within(a, b, p) && orient(a, b, p) == 0 }

// area2 is twice the signed area of a ring: positive counter-clockwise.
func area2(r []Point) int128 {
	var sum int128
	if len(r) < 3 {
		return sum
	}
	o := r[0]
	for i := 1; i+1 < len(r); i++ {
		sum = sum.add(cross(r[i].X-o.X, r[i].Y-o.Y, r[i+1].X-o.X, r[i+1].Y-o.Y))
	}
	return sum
}

// crossingOf is the place on the grid nearest to where two segments cross; they do.
func crossingOf(a, b, c, d Point) Point {
	rx, ry, sx, sy := b.X-a.X, b.Y-a.Y, d.X-c.X, d.Y-c.Y
	// a + r·t with t = (c-a)×s / r×s, rounded half away from zero by exact division.
	den, num := cross(rx, ry, sx, sy), cross(c.X-a.X, c.Y-a.Y, sx, sy)
	return Point{a.X + share(rx, num, den), a.Y + share(ry, num, den)}
}

// share is round(v·num/den).
func share(v int64, num, den int128) int64 {
	if v == 0 {
		return 0
	}
	n := new(big.Int).Mul(num.big(), big.NewInt(v))
	d := den.big()
	if d.Sign() < 0 {
		d.Neg(d)
		n.Neg(n)
	}
	// floor((2n + d) / 2d)
	n.Lsh(n, 1).Add(n, d)
	return n.Div(n, d.Lsh(d, 1)).Int64()
}

func (x int128) big() *big.Int {
	b := new(big.Int).Lsh(big.NewInt(x.hi), 64)
	return b.Add(b, new(big.Int).SetUint64(x.lo))
}

// half says in which half-turn a direction lies, counted from east.
func half(x, y int64) int {
	if y > 0 || y == 0 && x > 0 {
		return 0
	}
	return 1
}

// compareAngle orders directions counter-clockwise from east.
func compareAngle(ux, uy, vx, vy int64) int {
	if h, k := half(ux, uy), half(vx, vy); h != k {
		return cmp.Compare(h, k)
	}
	if small(ux) && small(uy) && small(vx) && small(vy) {
		return cmp.Compare(uy*vx, ux*vy)
	}
	return -cross(ux, uy, vx, vy).sign()
}

// pixelMeets says whether a segment comes within half a step of p in both coordinates.
func pixelMeets(a, b, p Point) bool { return comesNear(a, b, p, 1) }

// comesNear says whether a segment comes within so many half steps of p in both
// coordinates.
func comesNear(a, b, p Point, halves int64) bool {
	ax, ay, bx, by := 2*(a.X-p.X), 2*(a.Y-p.Y), 2*(b.X-p.X), 2*(b.Y-p.Y)
	if min(ax, bx) > halves || max(ax, bx) < -halves || min(ay, by) > halves || max(ay, by) < -halves {
		return false
	}
	limit := mul(halves, abs(bx-ax)+abs(by-ay))
	c := cross(ax, ay, bx, by)
	return c.cmp(limit) <= 0 && limit.add(c).sign() >= 0
}

func abs(x int64) int64 {
	if x < 0 {
		return -x
	}
	return x
}

// side says where p lies: 1 inside the ring, 0 on it, -1 outside.
func (r Ring) side(p Point) int {
	in := false
	for i, b := range r {
		a := r[(i+len(r)-1)%len(r)]
		if (a.Y > p.Y) == (b.Y > p.Y) {
			if p == a || p == b || a.Y == p.Y && b.Y == p.Y && between(a.X, b.X, p.X) {
				return 0
			}
			continue
		}
		o := orient(a, b, p)
		if o == 0 {
			return 0
		}
		if (o > 0) == (b.Y > a.Y) {
			in = !in
		}
	}
	if in {
		return 1
	}
	return -1
}

// side says where p lies: 1 inside the shape, 0 on its border, -1 outside.
func (s Shape) side(p Point) int {
	in := false
	for _, poly := range s {
		for _, r := range poly {
			switch r.side(p) {
			case 0:
				return 0
			case 1:
				in = !in
			}
		}
	}
	if in {
		return 1
	}
	return -1
}
