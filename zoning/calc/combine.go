package calc

import "math"

// Sum is the weighted sum R = Σ w·x (加权综合评价). A missing part makes it missing.
func Sum(x, w []float64) float64 {
	p := make([]float64, 0, len(x))
	for i := range x {
		if w[i] == 0 {
			continue // what weighs nothing is not asked
		}
		if math.IsNaN(x[i]) {
			return math.NaN()
		}
		p = append(p, x[i]*w[i])
	}
	return sumOf(p)
}

// Product is R = H·E·V (风险=危险性×暴露度×脆弱性), of as many factors as there are.
func Product(x []float64) float64 {
	r := 1.0
	for _, v := range x {
		r *= v
	}
	return r
}

// PowerProduct is R = H^wh·E^we·V^wv (加权乘积), as the specifications of the meteorological
// hazards have it.
func PowerProduct(x, w []float64) float64 {
	r := 1.0
	for i, v := range x {
		if w[i] == 0 {
			continue
		}
		r *= math.Pow(v, w[i])
	}
	return r
}

// WithCapability lowers a risk by the capability to meet it: R' = R·(1-k·C), 0 ≤ k ≤ 1,
// C in [0, 1].
func WithCapability(r, c, k float64) float64 { return r * (1 - float64(k*c)) }

// Matrix looks a class up by two levels (风险等级 × 减灾能力等级); both count from 1, and 0 is
// a level that is missing: so is the answer.
func Matrix(table [][]int, row, col int) (int, error) {
	if row == 0 || col == 0 {
		return 0, nil
	}
	if row < 1 || row > len(table) || col < 1 || col > len(table[row-1]) {
		return 0, &Error{"matrix", Ragged, "等级超出判定矩阵的范围", "a level lies outside the matrix"}
	}
	return table[row-1][col-1], nil
}
