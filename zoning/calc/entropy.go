package calc

import "math"

// Entropy is the information in each column of a matrix, and the weights that follow.
type Entropy struct {
	E, D, W  []float64 // entropy, 1-entropy, weight: by column
	Constant []int     // columns that tell no row from another: weight 0
	Equal    bool      // all are constant: equal weights, since nothing speaks for any
	Missing  []int     // rows with a missing value: they take no part
	Rows     int       // rows that do
}

// EntropyWeights weighs columns by how much they tell rows apart (熵权法; Shannon 1948,
// DB63/T 2186-2023 annex B):
//
//	p[i][j] = x[i][j]/Σᵢx[i][j]
//	e[j]    = -(1/ln n)·Σᵢ p·ln p       (0·ln 0 = 0)
//	w[j]    = (1-e[j])/Σₖ(1-e[k])
//
// Values are 0 or more; a constant column has e = 1 and weight 0, and where all columns are
// constant the weights are equal. One complete row is not enough.
func EntropyWeights(m [][]float64) (Entropy, error) {
	width, err := shape(m, "matrix")
	if err != nil {
		return Entropy{}, err
	}
	rows, missing := complete(m)
	if len(rows) < 2 {
		return Entropy{}, &Error{"matrix", TooFew, "熵权法至少需要两行完整的数据", "entropy weights need two complete rows"}
	}
	out := Entropy{E: make([]float64, width), D: make([]float64, width), W: make([]float64, width), Missing: missing, Rows: len(rows)}
	for j := range width {
		x, err := known(column(rows, j), "matrix")
		if err != nil {
			return Entropy{}, err
		}
		if x[0] < 0 {
			return Entropy{}, &Error{"matrix", Negative, "熵权法的数值不能为负", "entropy weights need values of 0 or more"}
		}
		if x[0] == x[len(x)-1] {
			out.E[j] = 1
			out.Constant = append(out.Constant, j)
			continue
		}
		// The largest is 1: sums of huge numbers stay numbers, and the scale of a column
		// does not matter anyway.
		scaled := make([]float64, len(x))
		for i, v := range x {
			scaled[i] = v / x[len(x)-1]
		}
		total := sum(scaled)
		terms := make([]float64, 0, len(x))
		for _, v := range scaled {
			if p := v / total; p > 0 {
				terms = append(terms, p*math.Log(p))
			}
		}
		out.E[j] = min(1, max(0, -sumOf(terms)/math.Log(float64(len(rows)))))
		out.D[j] = 1 - out.E[j]
	}
	total := sumOf(out.D)
	out.Equal = total == 0
	for j := range out.W {
		if out.Equal {
			out.W[j] = 1 / float64(width)
		} else {
			out.W[j] = out.D[j] / total
		}
	}
	return out, nil
}

// Weights makes given numbers weights that sum up to 1. Negative ones, and none above 0,
// are refused.
func Weights(x []float64) ([]float64, error) {
	most := 0.0
	for _, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
			return nil, &Error{"weights", BadWeights, "权重须是不小于 0 的数", "weights are numbers of 0 or more"}
		}
		most = max(most, v)
	}
	if most == 0 {
		return nil, &Error{"weights", BadWeights, "没有大于 0 的权重", "no weight is above 0"}
	}
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = v / most
	}
	total := sumOf(out)
	for i := range out {
		out[i] /= total
	}
	return out, nil
}

// Mix joins two sets of weights: w = θ·a + (1-θ)·b, 0 ≤ θ ≤ 1 (组合赋权).
func Mix(a, b []float64, theta float64) ([]float64, error) {
	if len(a) != len(b) {
		return nil, &Error{"weights", Ragged, "两组权重的个数不同", "the sets of weights differ in length"}
	}
	if math.IsNaN(theta) || theta < 0 || theta > 1 {
		return nil, &Error{"theta", BadWeights, "θ 须在 0 与 1 之间", "theta lies between 0 and 1"}
	}
	out := make([]float64, len(a))
	for i := range out {
		out[i] = float64(theta*a[i]) + float64((1-theta)*b[i])
	}
	return Weights(out)
}

// MixProduct joins two sets of weights: w[j] = a[j]·b[j]/Σₖa[k]·b[k] (乘法合成归一).
func MixProduct(a, b []float64) ([]float64, error) {
	if len(a) != len(b) {
		return nil, &Error{"weights", Ragged, "两组权重的个数不同", "the sets of weights differ in length"}
	}
	out := make([]float64, len(a))
	for i := range out {
		out[i] = a[i] * b[i]
	}
	return Weights(out)
}
