package calc

import "math"

// TOPSIS is how near each row is to the best and to the worst there is.
type TOPSIS struct {
	Normalised [][]float64 // x/√Σx², by row
	Best       []float64   // weighted, by column
	Worst      []float64
	ToBest     []float64 // d⁺, by row
	ToWorst    []float64 // d⁻
	C          []float64 // d⁻/(d⁺+d⁻): 1 is the best; missing rows are missing
	Constant   []int     // columns that tell no row from another
	Missing    []int     // rows with a missing value: they take no part
}

// Closeness ranks rows by their distance from the ideal (TOPSIS, Hwang and Yoon 1981), as
// the capability model of the census does: vector-normalise, weigh, C = d⁻/(d⁺+d⁻).
// directions may be nil: the greater the better in every column.
func Closeness(m [][]float64, weights []float64, directions []Direction) (TOPSIS, error) {
	width, err := shape(m, "matrix")
	if err != nil {
		return TOPSIS{}, err
	}
	if len(weights) != width || (directions != nil && len(directions) != width) {
		return TOPSIS{}, &Error{"weights", Ragged, "权重或方向的个数与指标不同", "as many weights and directions are needed as there are columns"}
	}
	w, err := Weights(weights)
	if err != nil {
		return TOPSIS{}, err
	}
	rows, missing := complete(m)
	if len(rows) < 2 {
		return TOPSIS{}, &Error{"matrix", TooFew, "至少需要两行完整的数据", "two complete rows are needed"}
	}
	t := TOPSIS{Best: make([]float64, width), Worst: make([]float64, width), Missing: missing}
	t.Normalised = make([][]float64, len(m))
	for i := range m {
		t.Normalised[i] = make([]float64, width)
	}
	for j := range width {
		length := norm2(column(rows, j))
		least, most := math.Inf(1), math.Inf(-1)
		for i, row := range m {
			v := row[j]
			if !math.IsNaN(v) && length > 0 {
				v /= length
			}
			t.Normalised[i][j] = v
		}
		for _, row := range rows {
			v := row[j]
			if length > 0 {
				v /= length
			}
			least, most = min(least, v*w[j]), max(most, v*w[j])
		}
		if least == most {
			t.Constant = append(t.Constant, j)
		}
		t.Best[j], t.Worst[j] = most, least
		if directions != nil && directions[j] == Opposite {
			t.Best[j], t.Worst[j] = least, most
		}
	}
	if len(t.Constant) == width {
		return TOPSIS{}, &Error{"matrix", AllConstant, "各行完全相同，无从比较", "all rows are the same"}
	}
	for i := range m {
		far, near := make([]float64, width), make([]float64, width)
		gone := false
		for j, v := range t.Normalised[i] {
			gone = gone || math.IsNaN(v)
			far[j], near[j] = (v*w[j])-t.Best[j], (v*w[j])-t.Worst[j]
		}
		if gone {
			t.ToBest, t.ToWorst, t.C = append(t.ToBest, math.NaN()), append(t.ToWorst, math.NaN()), append(t.C, math.NaN())
			continue
		}
		a, b := norm2(far), norm2(near)
		t.ToBest, t.ToWorst, t.C = append(t.ToBest, a), append(t.ToWorst, b), append(t.C, b/(a+b))
	}
	return t, nil
}

// Grades are capabilities as 1 强, 2 较强, 3 中等, 4 较弱, 5 弱; 0 is missing.
type Grades struct {
	Mean, SD float64 // SD of the sample, n-1
	Grades   []int
	// Merged says how many of the lower bands fell together because the mean is small
	// against the spread: 0, 1 (弱 is part of 较弱) or 2 (all below μ+0.5σ is 中等).
	Merged int
}

// CapabilityGrades grades by mean and spread, as the capability model of the census does:
// ≥ μ+1.5σ 强, ≥ μ+0.5σ 较强, ≥ μ-0.5σ 中等, ≥ μ-1.5σ 较弱, else 弱. Where μ ≤ 1.5σ the lowest
// band would lie below zero and is part of 较弱; where μ ≤ 0.5σ everything below μ+0.5σ is
// 中等. Without any spread all are 中等.
func CapabilityGrades(c []float64) (Grades, error) {
	sorted, err := known(c, "values")
	if err != nil {
		return Grades{}, err
	}
	if len(sorted) < 2 {
		return Grades{}, &Error{"values", TooFew, "至少需要两个数值", "two values are needed"}
	}
	g := Grades{Grades: make([]int, len(c))}
	g.Mean, g.SD = meanSD(sorted)
	lowest := 5
	switch {
	case g.SD > 0 && g.Mean <= 0.5*g.SD:
		lowest, g.Merged = 3, 2
	case g.SD > 0 && g.Mean <= 1.5*g.SD:
		lowest, g.Merged = 4, 1
	}
	for i, x := range c {
		switch {
		case math.IsNaN(x):
			continue
		case g.SD == 0:
			g.Grades[i] = 3
		case x >= g.Mean+float64(1.5*g.SD):
			g.Grades[i] = 1
		case x >= g.Mean+float64(0.5*g.SD):
			g.Grades[i] = 2
		case x >= g.Mean-float64(0.5*g.SD):
			g.Grades[i] = 3
		case x >= g.Mean-float64(1.5*g.SD):
			g.Grades[i] = 4
		default:
			g.Grades[i] = 5
		}
		g.Grades[i] = min(g.Grades[i], lowest)
	}
	return g, nil
}
