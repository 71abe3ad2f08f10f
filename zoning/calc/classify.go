package calc

import (
	"fmt"
	"math"
	"slices"
)

// Method is how values are divided into classes.
type Method string

// The methods.
const (
	Jenks      Method = "jenks"      // natural breaks: the classes differ least in themselves
	Quantile   Method = "quantile"   // as many in each
	Equal      Method = "equal"      // as wide each
	Sigma      Method = "sigma"      // by the mean and the standard deviation
	Thresholds Method = "thresholds" // at given numbers
)

// Ties says to which side values go that stand at a border.
type Ties string

// The two sides.
const (
	Upper Ties = "upper" // with the class above
	Lower Ties = "lower" // with the class below
)

// Division asks for classes. Only what the method needs is read.
type Division struct {
	Method     Method
	K          int
	Thresholds []float64 // K-1 rising numbers
	Step       float64   // of Sigma, in standard deviations; 0 is 1
	// Ties of quantiles: where equal values reach over a border, all of them go to the
	// class of the first (lower, the default) or of the last (upper). Of thresholds: a
	// value at the threshold belongs to the class above (upper, the default) or below.
	Ties Ties
}

// Classes are values divided. Breaks are the K-1 borders: a value belongs to the class
// with as many borders at or below it.
type Classes struct {
	Method  Method
	K       int
	Breaks  []float64
	Class   []int // 0 the lowest .. K-1; -1 missing
	Counts  []int
	Missing []int
	Min     float64
	Max     float64
	SSW     float64 // squares within the classes
	SST     float64 // squares about the mean
	GVF     float64 // 1-SSW/SST, goodness of variance fit
	Empty   []int   // classes without a value
}

// Classify divides values into classes.
//
// Jenks: natural breaks by Fisher's exact optimisation (Fisher 1958, Jenks 1967): SSW is
// the least there is. Quantile: the value of rank r (from 0) of n goes to class ⌊r·k/n⌋.
// Equal: borders at min + i·(max-min)/k. Sigma: borders at μ + (i-k/2)·step·σ, for five
// classes μ±0.5σ and μ±1.5σ. Thresholds: as given. Equal values are never split. Levels
// are relative to these values unless the thresholds are fixed: show the breaks with them.
func Classify(values []float64, d Division) (Classes, error) {
	sorted, err := known(values, "values")
	if err != nil {
		return Classes{}, err
	}
	if len(sorted) == 0 {
		return Classes{}, &Error{"values", AllMissing, "没有任何数值", "there is no value at all"}
	}
	if d.Method == Thresholds && d.K == 0 {
		d.K = len(d.Thresholds) + 1
	}
	if d.K < 1 || d.K > 9 {
		return Classes{}, &Error{"k", BadK, "级数须在 1 到 9 之间", "1 to 9 classes"}
	}
	if d.Ties != "" && d.Ties != Upper && d.Ties != Lower {
		return Classes{}, &Error{"ties", Unknown, "ties 只有 upper、lower", "ties are upper or lower"}
	}
	different, counts := distinct(sorted)
	if d.Method != Thresholds && len(different) < d.K {
		return Classes{}, &Error{"k", FewDistinct,
			fmt.Sprintf("只有 %d 个不同的数值，分不出 %d 级", len(different), d.K),
			fmt.Sprintf("%d distinct values cannot make %d classes", len(different), d.K)}
	}
	c := Classes{Method: d.Method, K: d.K, Min: sorted[0], Max: sorted[len(sorted)-1]}
	switch d.Method {
	case Jenks:
		c.Breaks = naturalBreaks(different, counts, d.K)
	case Quantile:
		c.Breaks = quantileBreaks(different, counts, len(sorted), d.K, d.Ties)
	case Equal:
		for i := 1; i < d.K; i++ {
			f := float64(i) / float64(d.K)
			c.Breaks = append(c.Breaks, float64(c.Min*(1-f))+float64(c.Max*f))
		}
	case Sigma:
		step := d.Step
		if step == 0 {
			step = 1
		}
		if !(step > 0 && step < 100) {
			return Classes{}, &Error{"step", BadBreaks, "步长须大于 0", "the step is above 0"}
		}
		mean, sd := meanSD(sorted)
		for i := 1; i < d.K; i++ {
			c.Breaks = append(c.Breaks, mean+float64((float64(i)-float64(d.K)/2)*step*sd))
		}
	case Thresholds:
		if c.Breaks, err = thresholds(d); err != nil {
			return Classes{}, err
		}
	default:
		return Classes{}, &Error{"method", Unknown, "没有这种分级方法", "there is no such classification"}
	}
	c.assign(values, sorted)
	return c, nil
}

func thresholds(d Division) ([]float64, error) {
	if len(d.Thresholds) != d.K-1 {
		return nil, &Error{"thresholds", BadBreaks, fmt.Sprintf("分 %d 级需要 %d 个阈值", d.K, d.K-1), fmt.Sprintf("%d classes need %d thresholds", d.K, d.K-1)}
	}
	out := make([]float64, len(d.Thresholds))
	for i, t := range d.Thresholds {
		if math.IsNaN(t) || math.IsInf(t, 0) || (i > 0 && t <= d.Thresholds[i-1]) {
			return nil, &Error{fmt.Sprintf("thresholds/%d", i), BadBreaks, "阈值须逐个增大", "thresholds rise one by one"}
		}
		out[i] = t
		if d.Ties == Lower {
			out[i] = math.Nextafter(t, math.Inf(1)) // the first number above it
		}
	}
	return out, nil
}

// ClassOf is the class a value falls into by borders: how many of them lie at or below it.
func ClassOf(breaks []float64, x float64) int {
	if math.IsNaN(x) {
		return -1
	}
	n := 0
	for _, b := range breaks {
		if x >= b {
			n++
		}
	}
	return n
}

// LevelOf is the one way from a class (0 the lowest values) to a level of a ladder, whose
// first level is 1. Positive: the greatest values are level 1 (risk, hazard; also
// capability, whose ladder begins with 强). Opposite: the smallest are. A missing class is
// level 0: not graded.
func LevelOf(class, k int, d Direction) int {
	switch {
	case class < 0 || class >= k:
		return 0
	case d == Opposite:
		return class + 1
	}
	return k - class
}

func (c *Classes) assign(values, sorted []float64) {
	c.Class, c.Counts = make([]int, len(values)), make([]int, c.K)
	for i, v := range values {
		c.Class[i] = ClassOf(c.Breaks, v)
		if c.Class[i] < 0 {
			c.Missing = append(c.Missing, i)
		} else {
			c.Counts[c.Class[i]]++
		}
	}
	for k, n := range c.Counts {
		if n == 0 {
			c.Empty = append(c.Empty, k)
		}
	}
	mean, _ := meanSD(sorted)
	c.SST = squares(sorted, mean)
	var within []float64
	for from := 0; from < len(sorted); {
		to := from
		for to < len(sorted) && ClassOf(c.Breaks, sorted[to]) == ClassOf(c.Breaks, sorted[from]) {
			to++
		}
		m, _ := meanSD(sorted[from:to])
		within = append(within, squares(sorted[from:to], m))
		from = to
	}
	c.SSW = sumOf(within)
	c.GVF = 1
	if c.SST > 0 {
		c.GVF = 1 - c.SSW/c.SST
	}
}

// quantileBreaks are the first values of the classes above the lowest.
func quantileBreaks(values []float64, counts []int, n, k int, ties Ties) []float64 {
	class := make([]int, len(values))
	rank := 0
	for i, c := range counts {
		r := rank
		if ties == Upper {
			r = rank + c - 1
		}
		class[i] = r * k / n
		rank += c
	}
	breaks := make([]float64, 0, k-1)
	for j := 1; j < k; j++ {
		i := slices.IndexFunc(class, func(c int) bool { return c >= j })
		if i < 0 {
			breaks = append(breaks, math.Nextafter(values[len(values)-1], math.Inf(1)))
			continue
		}
		breaks = append(breaks, values[i])
	}
	return breaks
}

// naturalBreaks are the first values of the classes above the lowest, by dynamic
// programming over the distinct values: D[c][j] is the least sum of squares of the first j
// in c classes. The best place to begin the last class never moves back as j grows, so
// each row is found by halving (O(k·m·log m) instead of O(k·m²)); of equally good places
// the first is taken.
func naturalBreaks(values []float64, counts []int, k int) []float64 {
	m := len(values)
	// About the middle: squares of numbers far from zero would eat their own digits.
	centre := values[m/2]
	scale := max(math.Abs(values[0]-centre), math.Abs(values[m-1]-centre))
	if scale == 0 || math.IsInf(scale, 0) {
		scale = 1
	}
	n, s, q := make([]float64, m+1), make([]float64, m+1), make([]float64, m+1)
	for i, v := range values {
		x, c := (v-centre)/scale, float64(counts[i])
		n[i+1], s[i+1], q[i+1] = n[i]+c, s[i]+float64(c*x), q[i]+float64(c*x*x)
	}
	cost := func(i, j int) float64 { // of values i..j-1 as one class
		if j-i == 1 {
			return 0
		}
		d := s[j] - s[i]
		return max(0, (q[j]-q[i])-float64(d*d)/(n[j]-n[i]))
	}
	best := make([]float64, m+1)
	for j := 1; j <= m; j++ {
		best[j] = cost(0, j)
	}
	from := make([][]int, k+1)
	for c := 2; c <= k; c++ {
		next := make([]float64, m+1)
		from[c] = make([]int, m+1)
		var row func(lo, hi, first, last int)
		row = func(lo, hi, first, last int) {
			if lo > hi {
				return
			}
			j := (lo + hi) / 2
			at, least := -1, math.Inf(1)
			for i := max(first, c-1); i <= min(last, j-1); i++ {
				if v := best[i] + cost(i, j); v < least {
					at, least = i, v
				}
			}
			next[j], from[c][j] = least, at
			row(lo, j-1, first, at)
			row(j+1, hi, at, last)
		}
		row(c, m, c-1, m-1)
		best = next
	}
	breaks := make([]float64, k-1)
	for c, j := k, m; c > 1; c-- {
		j = from[c][j]
		breaks[c-2] = values[j]
	}
	return breaks
}
