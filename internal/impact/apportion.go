package impact

import (
	"math"
	"sort"
)

// Apportion rounds parts so that they add up to the total exactly: each is rounded down,
// and what is missing goes to the parts with the largest remainders (Hamilton's method).
// Parts with equal remainders are served in their order, which callers make the order of
// codes. Where parts and total do not fit (they are no parts of it), they are scaled.
func Apportion(total int, parts []float64) []int {
	out := make([]int, len(parts))
	sum := 0.0
	for _, p := range parts {
		sum += p
	}
	if total <= 0 || sum <= 0 {
		return out
	}
	scale := float64(total) / sum
	rest := make([]float64, len(parts))
	left := total
	for i, p := range parts {
		exact := p * scale
		// 2.9999999999 is a 3 that sums did not meet.
		if near := math.Round(exact); math.Abs(exact-near) < 1e-9*math.Max(1, near) {
			exact = near
		}
		out[i] = int(exact)
		rest[i] = exact - float64(out[i])
		left -= out[i]
	}
	order := make([]int, len(parts))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return rest[order[a]] > rest[order[b]]+1e-9 })
	for i := 0; left > 0 && len(order) > 0; i = (i + 1) % len(order) {
		if parts[order[i]] > 0 {
			out[order[i]]++
			left--
		}
	}
	for i := len(order) - 1; left < 0 && i >= 0; i-- {
		if out[order[i]] > 0 {
			out[order[i]]--
			left++
		}
	}
	return out
}
