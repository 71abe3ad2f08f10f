package calc

import (
	"math"
	"slices"
)

// Norm is how the values of an indicator become comparable with others.
type Norm string

// The normalisations.
const (
	MinMax     Norm = "minmax"      // (x-min)/(max-min)
	MinMaxHalf Norm = "minmax_half" // 0.5 + 0.5·(x-min)/(max-min)
	Vector     Norm = "vector"      // x/√Σx²
	Percentile Norm = "percentile"  // (mean rank - 1)/(n-1)
	AsIs       Norm = "none"
)

// Direction says what a greater value means for the group it belongs to.
type Direction string

// The directions.
const (
	Positive Direction = "positive" // the greater the more of it
	Opposite Direction = "negative" // the greater the less
)

// Turned is the other direction.
func (d Direction) Turned() Direction {
	if d == Opposite {
		return Positive
	}
	return Opposite
}

// Normalised is an indicator made comparable.
type Normalised struct {
	Values   []float64
	Missing  []int // indices without a value; their result is missing too
	Constant bool  // every value is the same: it tells nothing apart
	Min, Max float64
	N        int // values that are there
}

// Normalise makes the values of an indicator comparable.
//
// minmax is 离差标准化, x' = (x-min)/(max-min), for the opposite direction
// (max-x)/(max-min); minmax_half keeps the result in [0.5, 1] as the specifications of the
// census and DB63/T 2186-2023 annex A do, so that a product never becomes zero; vector is
// x/√Σx² (1-x/√Σx² for the opposite), as the capability model uses it; percentile is the
// mean rank of equal values, (r-1)/(n-1), which no outlier moves. Without normalisation the
// opposite direction mirrors the range, min+max-x.
//
// A constant indicator cannot be normalised by its range: it becomes the lower end of it
// and is marked. Missing values stay missing and count for nothing.
func Normalise(x []float64, n Norm, d Direction) (Normalised, error) {
	if d != Positive && d != Opposite {
		return Normalised{}, &Error{"direction", Unknown, "方向只有 positive、negative", "the direction is positive or negative"}
	}
	sorted, err := known(x, "values")
	if err != nil {
		return Normalised{}, err
	}
	if len(sorted) == 0 {
		return Normalised{}, &Error{"values", AllMissing, "没有任何数值", "there is no value at all"}
	}
	out := Normalised{Values: make([]float64, len(x)), N: len(sorted), Min: sorted[0], Max: sorted[len(sorted)-1]}
	out.Constant = out.Min == out.Max
	f, err := normaliser(sorted, n, d)
	if err != nil {
		return Normalised{}, err
	}
	for i, v := range x {
		if math.IsNaN(v) {
			out.Missing = append(out.Missing, i)
			out.Values[i] = v
			continue
		}
		out.Values[i] = f(v + 0)
	}
	return out, nil
}

func normaliser(sorted []float64, n Norm, d Direction) (func(float64) float64, error) {
	least, most := sorted[0], sorted[len(sorted)-1]
	// Half of it first: the range of two huge numbers is no number.
	span := most/2 - least/2
	ratio := func(x float64) float64 {
		switch {
		case span == 0:
			return 0
		case d == Opposite:
			return min(1, max(0, (most/2-x/2)/span))
		}
		return min(1, max(0, (x/2-least/2)/span))
	}
	switch n {
	case MinMax:
		return ratio, nil
	case MinMaxHalf:
		return func(x float64) float64 { return 0.5 + 0.5*ratio(x) }, nil
	case Vector:
		length := norm2(sorted)
		return func(x float64) float64 {
			v := 0.0
			if length > 0 {
				v = x / length
			}
			if d == Opposite {
				return 1 - v
			}
			return v
		}, nil
	case Percentile:
		return func(x float64) float64 {
			if len(sorted) == 1 {
				return 0
			}
			lo, _ := slices.BinarySearch(sorted, x)
			hi := lo
			for hi < len(sorted) && sorted[hi] == x {
				hi++
			}
			p := (float64(lo+hi-1) / 2) / float64(len(sorted)-1)
			if d == Opposite {
				return 1 - p
			}
			return p
		}, nil
	case AsIs:
		return func(x float64) float64 {
			if d == Opposite {
				return least + (most - x)
			}
			return x
		}, nil
	}
	return nil, &Error{"normalise", Unknown, "没有这种归一化方法", "there is no such normalisation"}
}

// norm2 is √Σx², scaled so that it neither overflows nor vanishes.
func norm2(x []float64) float64 {
	most := 0.0
	for _, v := range x {
		most = max(most, math.Abs(v))
	}
	if most == 0 {
		return 0
	}
	squares := make([]float64, len(x))
	for i, v := range x {
		squares[i] = (v / most) * (v / most)
	}
	return most * math.Sqrt(sumOf(squares))
}
