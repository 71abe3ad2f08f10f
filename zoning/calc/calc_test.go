package calc_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"onemap/zoning/calc"
)

// The worked examples: two in a row of the reference, to the digits it gives.

func near(t *testing.T, what string, got, want []float64, eps float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= eps) {
			t.Errorf("%s: %v, want %v", what, got, want)
			return
		}
	}
}

const digits = 5e-7 // six decimals, rounded

func TestEntropyOfThePublishedMatrix(t *testing.T) {
	e, err := calc.EntropyWeights([][]float64{{30, 30, 38, 29}, {19, 54, 86, 29}, {19, 15, 85, 28.9}, {68, 70, 60, 29}})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "e", e.E, []float64{0.887204, 0.902736, 0.966416, 0.999999}, digits)
	near(t, "w", e.W, []float64{0.462952, 0.399204, 0.137841, 0.000003}, digits)
}

func TestEntropyWithScores(t *testing.T) {
	m := [][]float64{{120, 300, .2}, {80, 900, .5}, {200, 450, .9}, {150, 150, .4}, {60, 600, .7}}
	for norm, want := range map[calc.Norm]struct{ w, scores []float64 }{
		calc.MinMax:     {[]float64{0.363371, 0.337774, 0.298855}, []float64{0.223285, 0.517765, 0.797336, 0.318983, 0.416132}},
		calc.MinMaxHalf: {[]float64{0.354276, 0.328476, 0.317249}, nil},
	} {
		x := make([][]float64, len(m))
		for j := range m[0] {
			col := make([]float64, len(m))
			for i := range m {
				col[i] = m[i][j]
			}
			n, err := calc.Normalise(col, norm, calc.Positive)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range n.Values {
				x[i] = append(x[i], v)
			}
		}
		e, err := calc.EntropyWeights(x)
		if err != nil {
			t.Fatal(err)
		}
		near(t, string(norm), e.W, want.w, digits)
		if want.scores == nil {
			continue
		}
		var scores []float64
		for _, row := range x {
			scores = append(scores, calc.Sum(row, e.W))
		}
		near(t, "scores", scores, want.scores, digits)
	}
}

func TestAHPOfThePublishedMatrix(t *testing.T) {
	a, err := calc.Analyse([][]float64{{1, 1. / 3, 5}, {3, 1, 7}, {1. / 5, 1. / 7, 1}})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "w", a.Weights, []float64{0.278955, 0.649118, 0.071927}, digits)
	near(t, "λ, CI, CR", []float64{a.LambdaMax, a.CI, a.CR}, []float64{3.064888, 0.032444, 0.055938}, digits)
	if !a.Consistent || a.Err() != nil {
		t.Error("it is consistent")
	}
	// As people type it: 1/3 is 0.33.
	b, err := calc.Analyse([][]float64{{1, 0.33, 5}, {3, 1, 7}, {0.2, 0.143, 1}})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "typed", b.Weights, a.Weights, 1e-12)
}

func TestAContradictionIsNamed(t *testing.T) {
	// 1 before 2, 2 before 3, and 3 far before 1.
	a, err := calc.Analyse([][]float64{{1, 3, 1. / 9, 1}, {1. / 3, 1, 3, 1}, {9, 1. / 3, 1, 1}, {1, 1, 1, 1}})
	if err != nil {
		t.Fatal(err)
	}
	e := new(calc.Error)
	if a.Consistent || !errors.As(a.Err(), &e) || e.Code != calc.Inconsistent || a.CR < 0.1 {
		t.Fatalf("%+v %v", a, a.Err())
	}
	if a.Worst == nil || a.Worst.I != 0 || a.Worst.J != 2 || a.Worst.Given != 1./9 || e.Path != "matrix/0/2" {
		t.Errorf("worst %+v at %s", a.Worst, e.Path)
	}
	for name, c := range map[string]struct {
		m    [][]float64
		code string
	}{
		"not square":     {[][]float64{{1, 2}}, calc.NotSquare},
		"empty":          {nil, calc.TooFew},
		"ragged":         {[][]float64{{1, 2}, {0.5}}, calc.Ragged},
		"zero":           {[][]float64{{1, 0}, {0, 1}}, calc.NotPositive},
		"negative":       {[][]float64{{1, -2}, {-.5, 1}}, calc.NotPositive},
		"missing":        {[][]float64{{1, math.NaN()}, {2, 1}}, calc.NotPositive},
		"infinite":       {[][]float64{{1, math.Inf(1)}, {0, 1}}, calc.NotFinite},
		"not reciprocal": {[][]float64{{1, 3}, {3, 1}}, calc.NotRecip},
		"diagonal":       {[][]float64{{2, 3}, {1. / 3, .5}}, calc.NotRecip},
		"ten":            {ones(10), calc.TooLarge},
	} {
		if _, err := calc.Analyse(c.m); !errors.As(err, &e) || e.Code != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if a, err := calc.Analyse(ones(9)); err != nil || a.CR > 1e-12 || a.Worst != nil {
		t.Errorf("nine equal: %+v %v", a, err)
	}
	if a, err := calc.Analyse([][]float64{{1}}); err != nil || a.Weights[0] != 1 || !a.Consistent {
		t.Errorf("one: %+v %v", a, err)
	}
}

func ones(n int) [][]float64 {
	m := make([][]float64, n)
	for i := range m {
		m[i] = slices.Repeat([]float64{1}, n)
	}
	return m
}

func TestJenksOfTheWorkedExamples(t *testing.T) {
	c, err := calc.Classify([]float64{4, 5, 9, 10}, calc.Division{Method: calc.Jenks, K: 2})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "SSW, SST, GVF", []float64{c.SSW, c.SST, c.GVF}, []float64{1, 26, 0.961538}, digits)
	if !slices.Equal(c.Class, []int{0, 0, 1, 1}) {
		t.Errorf("%v", c.Class)
	}
	x := []float64{.12, .15, .18, .22, .31, .33, .35, .41, .52, .55, .58, .63, .74, .78, .91}
	if c, err = calc.Classify(x, calc.Division{Method: calc.Jenks, K: 5}); err != nil {
		t.Fatal(err)
	}
	near(t, "SSW, GVF", []float64{c.SSW, c.GVF}, []float64{0.018475, 0.977981}, digits)
	if !slices.Equal(c.Class, []int{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4}) || !slices.Equal(c.Breaks, []float64{.31, .52, .74, .91}) {
		t.Errorf("%v %v", c.Class, c.Breaks)
	}
	// 91 is the highest risk: level 1.
	if l := calc.LevelOf(c.Class[14], 5, calc.Positive); l != 1 {
		t.Errorf("level %d", l)
	}
	if l := calc.LevelOf(c.Class[14], 5, calc.Opposite); l != 5 {
		t.Errorf("level %d", l)
	}
	if l := calc.LevelOf(-1, 5, calc.Positive); l != 0 {
		t.Errorf("level %d", l)
	}
}

func TestCapabilityOfTheWorkedExample(t *testing.T) {
	c, err := calc.Closeness([][]float64{{3, 1, 50}, {1.5, 0, 20}, {2, 1, 80}, {0.8, 1, 10}}, []float64{.35, .35, .30}, nil)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "C", c.C, []float64{.767085, .184386, .781698, .410473}, digits)
	g, err := calc.CapabilityGrades(c.C)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "μ, σ", []float64{g.Mean, g.SD}, []float64{.535910, .290492}, digits)
	if !slices.Equal(g.Grades, []int{2, 4, 2, 3}) {
		t.Errorf("%v: want 较强 较弱 较强 中等", g.Grades)
	}
}

func TestGradesMergeWhereTheMeanIsSmall(t *testing.T) {
	for _, c := range []struct {
		x      []float64
		want   []int
		merged int
	}{
		{[]float64{10, 11, 12, 13, 14}, []int{4, 4, 3, 2, 2}, 0},
		{[]float64{0.1, 0.9, 1, 1, 1, 1, 1, 1}, []int{5, 3, 3, 3, 3, 3, 3, 3}, 0}, // μ=.875, σ=.315: 弱 stands
		{[]float64{0, 1, 1, 1}, []int{4, 2, 2, 2}, 1},                             // μ=.75 ≤ 1.5σ=.75: no 弱
		{[]float64{0, 0, 0, 0, 0, 0, 1}, []int{3, 3, 3, 3, 3, 3, 1}, 2},           // μ=.143 ≤ .5σ=.189
		{[]float64{0.5, 0.5}, []int{3, 3}, 0},
		{[]float64{10, math.NaN(), 14}, []int{4, 0, 2}, 0},
	} {
		g, err := calc.CapabilityGrades(c.x)
		if err != nil || !slices.Equal(g.Grades, c.want) || g.Merged != c.merged {
			t.Errorf("%v: %+v %v, want %v", c.x, g, err, c.want)
		}
	}
}

func TestClasses(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct {
		x    []float64
		d    calc.Division
		want []int
	}{
		"quantile":             {[]float64{1, 2, 3, 4, 5, 6}, calc.Division{Method: calc.Quantile, K: 3}, []int{0, 0, 1, 1, 2, 2}},
		"quantile, ties down":  {[]float64{1, 2, 2, 2, 5, 6}, calc.Division{Method: calc.Quantile, K: 3}, []int{0, 0, 0, 0, 2, 2}},
		"quantile, ties up":    {[]float64{1, 2, 2, 2, 5, 6}, calc.Division{Method: calc.Quantile, K: 3, Ties: calc.Upper}, []int{0, 1, 1, 1, 2, 2}},
		"quantile, many zeros": {[]float64{0, 0, 0, 0, 0, 1, 2}, calc.Division{Method: calc.Quantile, K: 3, Ties: calc.Upper}, []int{1, 1, 1, 1, 1, 2, 2}},
		"equal":                {[]float64{0, 1, 2, 3, 10, nan}, calc.Division{Method: calc.Equal, K: 5}, []int{0, 0, 1, 1, 4, -1}},
		"sigma":                {[]float64{1, 2, 3, 4, 5}, calc.Division{Method: calc.Sigma, K: 3}, []int{0, 0, 1, 2, 2}},
		"thresholds of floods": {[]float64{0.1, 0.15, 0.5, 0.99, 1}, calc.Division{Method: calc.Thresholds, Thresholds: []float64{.15, .5, 1}}, []int{0, 1, 2, 2, 3}},
		"thresholds, below":    {[]float64{0.1, 0.15, 0.5, 0.99, 1}, calc.Division{Method: calc.Thresholds, Thresholds: []float64{.15, .5, 1}, Ties: calc.Lower}, []int{0, 0, 1, 2, 2}},
		"jenks with ties":      {[]float64{1, 1, 1, 1, 9, 9, 5}, calc.Division{Method: calc.Jenks, K: 3}, []int{0, 0, 0, 0, 2, 2, 1}},
		"one class":            {[]float64{3, 3}, calc.Division{Method: calc.Jenks, K: 1}, []int{0, 0}},
	} {
		got, err := calc.Classify(c.x, c.d)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.Equal(got.Class, c.want) {
			t.Errorf("%s: %v, want %v (breaks %v)", name, got.Class, c.want, got.Breaks)
		}
	}
	e := new(calc.Error)
	for code, c := range map[string]struct {
		x []float64
		d calc.Division
	}{
		calc.FewDistinct: {[]float64{1, 1, 2, 2, nan}, calc.Division{Method: calc.Jenks, K: 3}},
		calc.AllMissing:  {[]float64{nan}, calc.Division{Method: calc.Jenks, K: 1}},
		calc.BadK:        {[]float64{1}, calc.Division{Method: calc.Jenks}},
		calc.Unknown:     {[]float64{1}, calc.Division{Method: "best", K: 1}},
		calc.BadBreaks:   {[]float64{1}, calc.Division{Method: calc.Thresholds, Thresholds: []float64{2, 2}}},
		calc.NotFinite:   {[]float64{math.Inf(-1)}, calc.Division{Method: calc.Jenks, K: 1}},
	} {
		if _, err := calc.Classify(c.x, c.d); !errors.As(err, &e) || e.Code != code {
			t.Errorf("%s: %v", code, err)
		}
	}
}

func TestNormalisations(t *testing.T) {
	x := []float64{2, math.NaN(), 4, 6, 4}
	for name, c := range map[string]struct {
		n    calc.Norm
		d    calc.Direction
		want []float64
	}{
		"minmax":     {calc.MinMax, calc.Positive, []float64{0, .5, 1, .5}},
		"turned":     {calc.MinMax, calc.Opposite, []float64{1, .5, 0, .5}},
		"half":       {calc.MinMaxHalf, calc.Positive, []float64{.5, .75, 1, .75}},
		"vector":     {calc.Vector, calc.Positive, []float64{2 / math.Sqrt(72), 4 / math.Sqrt(72), 6 / math.Sqrt(72), 4 / math.Sqrt(72)}},
		"percentile": {calc.Percentile, calc.Positive, []float64{0, .5, 1, .5}},
		"as it is":   {calc.AsIs, calc.Opposite, []float64{6, 4, 2, 4}},
	} {
		n, err := calc.Normalise(x, c.n, c.d)
		if err != nil || !slices.Equal(n.Missing, []int{1}) || !math.IsNaN(n.Values[1]) || n.Constant || n.N != 4 || n.Min != 2 || n.Max != 6 {
			t.Errorf("%s: %+v %v", name, n, err)
			continue
		}
		near(t, name, slices.Delete(slices.Clone(n.Values), 1, 2), c.want, 1e-15)
	}
	if n, err := calc.Normalise([]float64{3, 3}, calc.MinMax, calc.Positive); err != nil || !n.Constant {
		t.Errorf("constant: %+v %v", n, err)
	}
}

func TestConstantColumnsWeighNothing(t *testing.T) {
	e, err := calc.EntropyWeights([][]float64{{1, 7, 0}, {2, 7, 0}, {math.NaN(), 1, 1}})
	if err != nil || e.W[0] != 1 || e.W[1] != 0 || e.W[2] != 0 || !slices.Equal(e.Constant, []int{1, 2}) || !slices.Equal(e.Missing, []int{2}) || e.Rows != 2 {
		t.Errorf("%+v %v", e, err)
	}
	e, err = calc.EntropyWeights([][]float64{{1, 7}, {1, 7}})
	if err != nil || !e.Equal || e.W[0] != 0.5 {
		t.Errorf("all constant: %+v %v", e, err)
	}
	bad := new(calc.Error)
	if _, err := calc.EntropyWeights([][]float64{{1, 2}}); !errors.As(err, &bad) || bad.Code != calc.TooFew {
		t.Error(err)
	}
	if _, err := calc.EntropyWeights([][]float64{{1, 2}, {-1, 3}}); !errors.As(err, &bad) || bad.Code != calc.Negative {
		t.Error(err)
	}
}

func TestCombinations(t *testing.T) {
	near(t, "forms", []float64{
		calc.Sum([]float64{.5, 1}, []float64{.4, .6}), calc.Product([]float64{.5, .5, .5}),
		calc.PowerProduct([]float64{.25, .5}, []float64{.5, 0}), calc.WithCapability(.8, .5, .5),
	}, []float64{.8, .125, .5, .6}, 1e-15)
	if !math.IsNaN(calc.Sum([]float64{math.NaN(), 1}, []float64{.4, .6})) || !math.IsNaN(calc.Product([]float64{math.NaN(), 0})) {
		t.Error("what is missing became a number")
	}
	if x := calc.Sum([]float64{math.NaN(), 1}, []float64{0, 1}); x != 1 {
		t.Errorf("what weighs nothing is asked: %v", x)
	}
	w, err := calc.Mix([]float64{.6, .4}, []float64{.2, .8}, .25)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "θ", w, []float64{.3, .7}, 1e-15)
	if w, err = calc.MixProduct([]float64{.6, .4}, []float64{.2, .8}); err != nil {
		t.Fatal(err)
	}
	near(t, "product", w, []float64{.12 / .44, .32 / .44}, 1e-15)
	if _, err := calc.Weights([]float64{0, 0}); err == nil {
		t.Error("no weight at all")
	}
	table := [][]int{{1, 1, 2}, {2, 2, 3}}
	for _, c := range []struct{ r, c, want int }{{1, 1, 1}, {2, 3, 3}, {0, 2, 0}, {1, 0, 0}} {
		if got, err := calc.Matrix(table, c.r, c.c); err != nil || got != c.want {
			t.Errorf("%+v: %d %v", c, got, err)
		}
	}
	if _, err := calc.Matrix(table, 3, 1); err == nil {
		t.Error("outside the matrix")
	}
}

func TestHazardsAreKeptApart(t *testing.T) {
	levels := []int{3, 1, 0, 4}
	score := make([]float64, 4)
	for i, l := range levels {
		score[i] = calc.LevelScore(l, 4)
	}
	o := calc.Overlaid(levels, score, []float64{.4, .2, .3, .1}, 2)
	// One is high here, and the weighted number is small: that is why they are kept apart.
	if o.Worst != 1 || o.Count != 1 || o.Dominant != 0 || !slices.Equal(o.Missing, []int{2}) {
		t.Errorf("%+v", o)
	}
	near(t, "weighted", []float64{o.Weighted}, []float64{.4*.5 + .2*1 + .1*.25}, 1e-15)
	p := calc.Overlaid([]int{1, 2}, []float64{.1, .2}, nil, 2)
	near(t, "1-Π(1-P)", []float64{p.Any}, []float64{1 - .9*.8}, 1e-15)
	if none := calc.Overlaid([]int{0}, []float64{math.NaN()}, nil, 2); none.Worst != 0 || !math.IsNaN(none.Weighted) || none.Dominant != -1 {
		t.Errorf("%+v", none)
	}
}

// Properties, over random input with a fixed seed.

func random(r *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		switch r.IntN(4) {
		case 0:
			x[i] = float64(r.IntN(5)) // ties
		default:
			x[i] = r.ExpFloat64() * 10
		}
	}
	return x
}

func TestJenksIsTheBestThereIs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		x := random(r, 2+r.IntN(9))
		k := 1 + r.IntN(5)
		c, err := calc.Classify(x, calc.Division{Method: calc.Jenks, K: k})
		if err != nil {
			continue
		}
		sorted := slices.Clone(x)
		slices.Sort(sorted)
		best := bruteForce(sorted, k)
		if c.SSW > best+1e-9*(1+c.SST) {
			t.Fatalf("%v in %d: SSW %v, and %v is possible", sorted, k, c.SSW, best)
		}
		if len(c.Empty) > 0 {
			t.Fatalf("%v in %d: empty classes %v", sorted, k, c.Empty)
		}
	}
}

// bruteForce tries every way to cut a sorted list into k parts between different values.
func bruteForce(x []float64, k int) float64 {
	within := func(x []float64) float64 {
		m, s := 0.0, 0.0
		for _, v := range x {
			m += v / float64(len(x))
		}
		for _, v := range x {
			s += (v - m) * (v - m)
		}
		return s
	}
	if k == 1 {
		return within(x)
	}
	best := math.Inf(1)
	for i := 1; i < len(x); i++ {
		if x[i] != x[i-1] {
			best = min(best, within(x[:i])+bruteForce(x[i:], k-1))
		}
	}
	return best
}

func TestClassesKeepOrderAndTies(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		x := random(r, 2+r.IntN(40))
		d := calc.Division{Method: []calc.Method{calc.Jenks, calc.Quantile, calc.Equal, calc.Sigma}[r.IntN(4)], K: 1 + r.IntN(6), Ties: []calc.Ties{"", calc.Upper, calc.Lower}[r.IntN(3)]}
		a, err := calc.Classify(x, d)
		if err != nil {
			continue
		}
		total := 0
		for i := range x {
			total += 1
			for j := range x {
				if x[i] == x[j] && a.Class[i] != a.Class[j] || x[i] < x[j] && a.Class[i] > a.Class[j] {
					t.Fatalf("%+v of %v: %v and %v are in %d and %d", d, x, x[i], x[j], a.Class[i], a.Class[j])
				}
			}
		}
		n := 0
		for _, c := range a.Counts {
			n += c
		}
		if n != total || !slices.IsSorted(a.Breaks) || !(a.GVF >= -1e-12 && a.GVF <= 1) || len(a.Breaks) != d.K-1 {
			t.Fatalf("%+v of %v: %+v", d, x, a)
		}
		// The order of the rows does not matter, to the last bit.
		p := r.Perm(len(x))
		y := make([]float64, len(x))
		for i, j := range p {
			y[i] = x[j]
		}
		b, err := calc.Classify(y, d)
		if err != nil || !slices.Equal(a.Breaks, b.Breaks) || a.GVF != b.GVF || a.SSW != b.SSW {
			t.Fatalf("%+v: the order of %v matters: %+v %+v %v", d, x, a, b, err)
		}
	}
}

func TestWeightsDoNotDependOnOrderOrScale(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		rows, cols := 2+r.IntN(30), 1+r.IntN(6)
		m := make([][]float64, rows)
		for i := range m {
			m[i] = random(r, cols)
		}
		a, err := calc.EntropyWeights(m)
		if err != nil {
			t.Fatal(err)
		}
		if s := sum(a.W); math.Abs(s-1) > 1e-12 {
			t.Fatalf("weights sum up to %v", s)
		}
		shuffled := make([][]float64, rows)
		for i, j := range r.Perm(rows) {
			shuffled[i] = m[j]
		}
		b, err := calc.EntropyWeights(shuffled)
		if err != nil || !slices.Equal(a.W, b.W) {
			t.Fatalf("the order of rows matters: %v %v %v", a.W, b.W, err)
		}
		scaled := make([][]float64, rows)
		for i := range m {
			scaled[i] = slices.Clone(m[i])
			for j := range scaled[i] {
				scaled[i][j] *= float64(j+1) * 37
			}
		}
		if b, err = calc.EntropyWeights(scaled); err != nil {
			t.Fatal(err)
		}
		near(t, "scale", b.W, a.W, 1e-9)
		// Normalised by range, an indicator's unit does not matter.
		x := make([]float64, rows)
		y := make([]float64, rows)
		for i := range m {
			x[i], y[i] = m[i][0], 1000*m[i][0]+5
		}
		for _, n := range []calc.Norm{calc.MinMax, calc.MinMaxHalf, calc.Percentile} {
			p, _ := calc.Normalise(x, n, calc.Positive)
			q, _ := calc.Normalise(y, n, calc.Positive)
			near(t, string(n), q.Values, p.Values, 1e-12)
		}
	}
}

func TestAHPGivesBackTheWeightsItWasMadeOf(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 500 {
		n := 1 + r.IntN(9)
		w := make([]float64, n)
		for i := range w {
			w[i] = 0.05 + r.Float64()
		}
		m := make([][]float64, n)
		for i := range m {
			for j := range w {
				m[i] = append(m[i], w[i]/w[j])
			}
		}
		a, err := calc.Analyse(m)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := calc.Weights(w)
		near(t, "weights", a.Weights, want, 1e-9)
		if a.CR > 1e-9 || !a.Consistent {
			t.Fatalf("CR %v of a consistent matrix", a.CR)
		}
	}
}

func sum(x []float64) (s float64) {
	for _, v := range x {
		s += v
	}
	return s
}

// FuzzMatrix: whatever comes in, there is an answer or an error, never a panic, a NaN
// among weights, or weights that do not sum up to 1.
func FuzzMatrix(f *testing.F) {
	f.Add(uint64(1), uint64(2), 3, 3)
	f.Add(uint64(9), uint64(9), 1, 1)
	f.Fuzz(func(t *testing.T, a, b uint64, rows, cols int) {
		if rows < 0 || rows > 40 || cols < 0 || cols > 12 {
			return
		}
		r := rand.New(rand.NewPCG(a, b))
		odd := []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1), 1e308, -1e308, 5e-324, 1e99, 1e-300, math.Copysign(0, -1)}
		m := make([][]float64, rows)
		for i := range m {
			m[i] = random(r, cols)
			for j := range m[i] {
				if r.IntN(3) == 0 {
					m[i][j] = odd[r.IntN(len(odd))]
				}
			}
			if r.IntN(20) == 0 && cols > 0 {
				m[i] = m[i][1:]
			}
		}
		weights := func(what string, w []float64, err error) {
			if err != nil {
				if e := new(calc.Error); !errors.As(err, &e) || e.ZH == "" || e.EN == "" || e.Code == "" {
					t.Fatalf("%s: %v", what, err)
				}
				return
			}
			if s := sum(w); !(math.Abs(s-1) < 1e-9) || slices.Min(w) < 0 {
				t.Fatalf("%s of %v: %v", what, m, w)
			}
		}
		e, err := calc.EntropyWeights(m)
		weights("entropy", e.W, err)
		p, err := calc.Analyse(m)
		weights("ahp", p.Weights, err)
		if len(m) > 0 && len(m[0]) > 0 {
			w, err := calc.Weights(m[0])
			weights("weights", w, err)
			x := m[0]
			for _, n := range []calc.Norm{calc.MinMax, calc.MinMaxHalf, calc.Vector, calc.Percentile, calc.AsIs, "?"} {
				for _, d := range []calc.Direction{calc.Positive, calc.Opposite} {
					got, err := calc.Normalise(x, n, d)
					for i, v := range got.Values {
						if err == nil && math.IsNaN(v) != math.IsNaN(x[i]) {
							t.Fatalf("%s of %v: %v", n, x, got.Values)
						}
					}
				}
			}
			for _, method := range []calc.Method{calc.Jenks, calc.Quantile, calc.Equal, calc.Sigma, calc.Thresholds} {
				c, err := calc.Classify(x, calc.Division{Method: method, K: r.IntN(11), Thresholds: m[len(m)-1]})
				if err == nil && (math.IsNaN(c.GVF) || len(c.Class) != len(x)) {
					t.Fatalf("%s of %v: %+v", method, x, c)
				}
			}
			_, _ = calc.CapabilityGrades(x)
			if c, err := calc.Closeness(m, slices.Repeat([]float64{1}, cols), nil); err == nil {
				for i, v := range c.C {
					if !slices.Contains(c.Missing, i) && !(v >= 0 && v <= 1) {
						t.Fatalf("topsis of %v: %v", m, c.C)
					}
				}
			}
		}
	})
}
