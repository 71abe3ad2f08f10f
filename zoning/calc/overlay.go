package calc

import "math"

// Overlay is what several hazards come to at one place. The parts are kept apart: a single
// weighted number would hide that one of them is high here.
type Overlay struct {
	Worst    int     // the worst level, 0: none known
	Count    int     // hazards at least as bad as asked
	Weighted float64 // Σ w·R over the hazards
	Any      float64 // 1-Π(1-P): the probability that one of them happens, of independent P
	Dominant int     // index of the hazard with the greatest w·R, -1: none
	Missing  []int   // hazards without a level here: they are in none of the numbers
}

// Overlaid joins hazards at one place: levels (1 the worst, 0 not known), the score R of
// each in [0, 1] (also taken as its P), weights, and how bad a level counts. weights may be
// nil: equal.
func Overlaid(levels []int, score, weights []float64, atLeast int) Overlay {
	o := Overlay{Dominant: -1}
	w := weights
	if w == nil {
		w = make([]float64, len(levels))
		for i := range w {
			w[i] = 1 / float64(len(levels))
		}
	}
	var parts []float64
	none, most := 1.0, math.Inf(-1)
	for i, l := range levels {
		if l == 0 || math.IsNaN(score[i]) {
			o.Missing = append(o.Missing, i)
			continue
		}
		if o.Worst == 0 || l < o.Worst {
			o.Worst = l
		}
		if l <= atLeast {
			o.Count++
		}
		part := w[i] * score[i]
		parts = append(parts, part)
		none *= 1 - score[i]
		if part > most {
			most, o.Dominant = part, i
		}
	}
	if len(parts) == 0 {
		o.Weighted, o.Any = math.NaN(), math.NaN()
		return o
	}
	o.Weighted, o.Any = sumOf(parts), 1-none
	return o
}

// LevelScore makes a level a number: 1 for level 1, falling evenly to 1/k for level k; 0
// levels is missing.
func LevelScore(level, k int) float64 {
	if level < 1 || level > k {
		return math.NaN()
	}
	return float64(k+1-level) / float64(k)
}
