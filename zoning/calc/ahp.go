package calc

import (
	"fmt"
	"math"
)

// maxAHP is the largest matrix a random index is known for here.
const maxAHP = 9

// randomIndex is RI by order (Saaty 1980; the table of domain practice for n = 1..9).
func randomIndex(n int) float64 {
	return [maxAHP + 1]float64{0, 0, 0, 0.58, 0.90, 1.12, 1.24, 1.32, 1.41, 1.45}[n]
}

// Pair is one comparison.
type Pair struct {
	I, J    int     // i compared with j
	Given   float64 // as the matrix has it
	Implied float64 // as the weights have it: w[i]/w[j]
}

// AHP is what pairwise comparisons come to.
type AHP struct {
	Weights    []float64
	LambdaMax  float64
	CI, RI, CR float64
	Consistent bool
	// Worst is the comparison that contradicts the others most; set where the matrix is
	// not wholly consistent.
	Worst *Pair
}

// Analyse weighs by pairwise comparison (层次分析法, Saaty 1980; DB63/T 2186-2023 annex C):
// the weights are the principal eigenvector, λmax its value,
//
//	CI = (λmax-n)/(n-1),  CR = CI/RI
//
// and comparisons hold together where CR < 0.1 (for n ≤ 2 always). The matrix is positive
// and reciprocal; where a[i][j]·a[j][i] differs from 1 by rounding (up to 1 %), the number
// of the two that is 1 or more is taken as what was meant.
func Analyse(m [][]float64) (AHP, error) {
	a, err := comparisons(m)
	if err != nil {
		return AHP{}, err
	}
	n := len(a)
	w := make([]float64, n)
	for i := range w {
		w[i] = 1 / float64(n)
	}
	next := make([]float64, n)
	for range 10_000 {
		for i := range a {
			next[i] = dot(a[i], w)
		}
		total := sumOf(next)
		moved := 0.0
		for i := range next {
			next[i] /= total
			moved = max(moved, math.Abs(next[i]-w[i])/next[i])
		}
		w, next = next, w
		if moved < 1e-15 {
			break
		}
	}
	ratios := make([]float64, n)
	for i := range a {
		ratios[i] = dot(a[i], w) / w[i]
	}
	out := AHP{Weights: w, LambdaMax: sumOf(ratios) / float64(n), RI: randomIndex(n)}
	if n > 2 {
		out.CI = max(0, (out.LambdaMax-float64(n))/float64(n-1))
		out.CR = out.CI / out.RI
	}
	out.Consistent = out.CR < 0.1
	worst := 1e-9
	for i := range a {
		for j := i + 1; j < n; j++ {
			implied := w[i] / w[j]
			if off := math.Abs(math.Log(a[i][j] / implied)); off > worst {
				worst = off
				out.Worst = &Pair{I: i, J: j, Given: a[i][j], Implied: implied}
			}
		}
	}
	return out, nil
}

// Err is an [*Error] naming the comparison that contradicts most, where the matrix does not
// hold together.
func (a AHP) Err() error {
	if a.Consistent {
		return nil
	}
	p := a.Worst
	return &Error{fmt.Sprintf("matrix/%d/%d", p.I, p.J), Inconsistent,
		fmt.Sprintf("判断矩阵前后矛盾：一致性比率 CR=%.4f,须小于 0.1；矛盾最大的是第 %d 项与第 %d 项的比较，填的是 %.4g,按其余判断应约为 %.4g", a.CR, p.I+1, p.J+1, p.Given, p.Implied),
		fmt.Sprintf("the comparisons contradict each other: CR=%.4f, and below 0.1 is needed; most of all item %d with item %d, given as %.4g where the others make it about %.4g", a.CR, p.I+1, p.J+1, p.Given, p.Implied)}
}

func comparisons(m [][]float64) ([][]float64, error) {
	n, err := shape(m, "matrix")
	if err != nil {
		return nil, err
	}
	if n != len(m) {
		return nil, &Error{"matrix", NotSquare, "判断矩阵须是方阵", "the matrix of comparisons is square"}
	}
	if n > maxAHP {
		return nil, &Error{"matrix", TooLarge, "判断矩阵最多 9 阶：请分组比较", "comparisons of more than 9 have no random index here: compare by groups"}
	}
	a := make([][]float64, n)
	for i := range a {
		a[i] = make([]float64, n)
		a[i][i] = 1
	}
	for i := range m {
		for j := i; j < n; j++ {
			x, y := m[i][j], m[j][i]
			path := fmt.Sprintf("matrix/%d/%d", i, j)
			if !(x >= 1e-6 && x <= 1e6 && y >= 1e-6 && y <= 1e6) {
				return nil, &Error{path, NotPositive, "判断矩阵的每个数须大于 0", "every comparison is above 0"}
			}
			if p := x * y; p < 0.99 || p > 1.01 || (i == j && x != 1) {
				return nil, &Error{path, NotRecip, fmt.Sprintf("第 %d 行第 %d 列与对称位置不互为倒数", i+1, j+1), fmt.Sprintf("row %d column %d and its mirror are not reciprocal", i+1, j+1)}
			}
			if i == j {
				continue
			}
			if x >= y {
				a[i][j], a[j][i] = x, 1/x
			} else {
				a[i][j], a[j][i] = 1/y, y
			}
		}
	}
	return a, nil
}

func dot(a, b []float64) float64 {
	p := make([]float64, len(a))
	for i := range a {
		p[i] = a[i] * b[i]
	}
	return sumOf(p)
}
