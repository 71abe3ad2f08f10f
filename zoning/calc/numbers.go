package calc

import (
	"math"
	"slices"
)

// Missing is the value of what is not known.
func Missing() float64 { return math.NaN() }

// IsMissing says whether a value is not known.
func IsMissing(x float64) bool { return math.IsNaN(x) }

// huge is beyond anything that is measured; its square is still a number.
const huge = 1e100

// known are the values that are there, sorted; an infinite one is an error.
func known(x []float64, path string) ([]float64, error) {
	out := make([]float64, 0, len(x))
	for _, v := range x {
		if math.Abs(v) > huge {
			return nil, &Error{path, NotFinite, "含有无穷大的数值", "a value is infinite"}
		}
		if !math.IsNaN(v) {
			out = append(out, v+0) // -0 becomes 0
		}
	}
	slices.Sort(out)
	return out, nil
}

// sum adds sorted numbers with Neumaier's compensation.
func sum(sorted []float64) float64 {
	s, c := 0.0, 0.0
	for _, v := range sorted {
		t := s + v
		if math.Abs(s) >= math.Abs(v) {
			c += (s - t) + v
		} else {
			c += (v - t) + s
		}
		s = t
	}
	return s + c
}

// sumOf adds numbers in their sorted order, whatever order they come in.
func sumOf(x []float64) float64 {
	y := slices.Clone(x)
	slices.Sort(y)
	return sum(y)
}

// mean and sample standard deviation (n-1) of sorted numbers.
func meanSD(sorted []float64) (mean, sd float64) {
	n := float64(len(sorted))
	if len(sorted) == 0 {
		return math.NaN(), math.NaN()
	}
	mean = sum(sorted) / n
	if len(sorted) == 1 || sorted[0] == sorted[len(sorted)-1] {
		return sorted[0], 0
	}
	return mean, math.Sqrt(squares(sorted, mean) / (n - 1))
}

// squares is the sum of squared distances from m.
func squares(x []float64, m float64) float64 {
	d := make([]float64, len(x))
	for i, v := range x {
		d[i] = (v - m) * (v - m)
	}
	return sumOf(d)
}

// distinct are the different values of a sorted list and how often each stands there.
func distinct(sorted []float64) (values []float64, counts []int) {
	for _, v := range sorted {
		if n := len(values); n > 0 && values[n-1] == v {
			counts[n-1]++
			continue
		}
		values, counts = append(values, v), append(counts, 1)
	}
	return values, counts
}

// shape is the width of a matrix whose rows are all as long.
func shape(m [][]float64, path string) (width int, err error) {
	if len(m) == 0 || len(m[0]) == 0 {
		return 0, &Error{path, TooFew, "矩阵是空的", "the matrix is empty"}
	}
	for _, row := range m {
		if len(row) != len(m[0]) {
			return 0, &Error{path, Ragged, "矩阵各行长度不一", "the rows of the matrix differ in length"}
		}
		for _, v := range row {
			if math.Abs(v) > huge {
				return 0, &Error{path, NotFinite, "含有无穷大的数值", "a value is infinite"}
			}
		}
	}
	return len(m[0]), nil
}

func column(m [][]float64, j int) []float64 {
	out := make([]float64, len(m))
	for i, row := range m {
		out[i] = row[j]
	}
	return out
}

// complete are the rows without a missing value, and the indices of the others.
func complete(m [][]float64) (rows [][]float64, missing []int) {
	for i, row := range m {
		if slices.ContainsFunc(row, math.IsNaN) {
			missing = append(missing, i)
			continue
		}
		rows = append(rows, row)
	}
	return rows, missing
}

// Mean is the mean of the values that are there; missing where none is.
func Mean(x []float64) float64 {
	sorted, err := known(x, "values")
	if err != nil {
		return math.NaN()
	}
	m, _ := meanSD(sorted)
	return m
}
