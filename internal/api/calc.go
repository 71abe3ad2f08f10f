package api

import (
	"context"
	"errors"
	"fmt"
	"math"

	"onemap/internal/registry"
	"onemap/zoning/calc"
)

// Bounds of the bare arithmetic, so that every question is answered within a second.
const (
	limitCalc    = 1 << 20
	maxCalcCells = 100_000
	maxClassed   = 20_000
)

// calcProblem gives the arithmetic's refusals their document, nil for any other error.
func calcProblem(lang registry.Lang, err error) *Error {
	var bad *calc.Error
	if !errors.As(err, &bad) {
		return nil
	}
	e := wrap(CodeInvalid, err)
	e.Items = []Item{{Path: bad.Path, Code: bad.Code, Message: text(bad.ZH, bad.EN).In(lang)}}
	return e
}

// numbersIn reads a list in which null is a value that is not known.
func numbersIn(list []*float64) []float64 {
	out := make([]float64, len(list))
	for i, v := range list {
		if out[i] = calc.Missing(); v != nil {
			out[i] = *v
		}
	}
	return out
}

func matrixIn(req *Request, m [][]*float64) ([][]float64, *Error) {
	out, cells := make([][]float64, len(m)), 0
	for i, row := range m {
		if cells += len(row); cells > maxCalcCells {
			return nil, fault(req, "matrix", calc.TooLarge, fmt.Sprintf("至多 %d 个数", maxCalcCells), fmt.Sprintf("it has at most %d numbers", maxCalcCells))
		}
		out[i] = numbersIn(row)
	}
	return out, nil
}

// numbersOut writes what is not known as null.
func numbersOut(list []float64) []*float64 {
	out := make([]*float64, len(list))
	for i, v := range list {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			out[i] = &v
		}
	}
	return out
}

func matrixOut(m [][]float64) [][]*float64 {
	out := make([][]*float64, len(m))
	for i, row := range m {
		out[i] = numbersOut(row)
	}
	return out
}

func indices(list []int) []int { return append([]int{}, list...) }

type entropyBody struct {
	Matrix    [][]*float64 `json:"matrix"`
	Normalise string       `json:"normalise"` // by column, before: minmax, minmax_half, vector, percentile, none
}

func (s *Server) postCalcEntropy(_ context.Context, req *Request) (*Response, error) {
	var b entropyBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	m, bad := matrixIn(req, b.Matrix)
	if bad != nil {
		return nil, bad
	}
	if b.Normalise != "" {
		var err error
		if m, err = normalised(req, m, calc.Norm(b.Normalise)); err != nil {
			return nil, err
		}
	}
	w, err := calc.EntropyWeights(m)
	if err != nil {
		return nil, err
	}
	return private(map[string]any{
		"entropy": numbersOut(w.E), "redundancy": numbersOut(w.D), "weights": numbersOut(w.W), "constant": indices(w.Constant), "equal": w.Equal,
		"missing": indices(w.Missing), "rows": w.Rows,
	})
}

// normalised makes every column of a matrix comparable.
func normalised(req *Request, m [][]float64, by calc.Norm) ([][]float64, error) {
	if len(m) == 0 {
		return m, nil
	}
	width := len(m[0])
	out := make([][]float64, len(m))
	for i, row := range m {
		if len(row) != width {
			return nil, fault(req, fmt.Sprintf("matrix[%d]", i), calc.Ragged, "各行长度不同", "the rows differ in length")
		}
		out[i] = make([]float64, width)
	}
	for j := range width {
		column := make([]float64, len(m))
		for i := range m {
			column[i] = m[i][j]
		}
		n, err := calc.Normalise(column, by, calc.Positive)
		if err != nil {
			return nil, err
		}
		for i := range m {
			out[i][j] = n.Values[i]
		}
	}
	return out, nil
}

type ahpBody struct {
	Matrix [][]float64 `json:"matrix"`
}

type ahpPair struct {
	I       int     `json:"i"`
	J       int     `json:"j"`
	Given   float64 `json:"given"`
	Implied float64 `json:"implied"`
}

// postCalcAHP answers the consistency ratio of comparisons that contradict each other
// too: what to mend is what the asker wants to know.
func (s *Server) postCalcAHP(_ context.Context, req *Request) (*Response, error) {
	var b ahpBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	a, err := calc.Analyse(b.Matrix)
	if err != nil {
		return nil, err
	}
	var worst *ahpPair
	if a.Worst != nil {
		worst = &ahpPair{a.Worst.I, a.Worst.J, a.Worst.Given, a.Worst.Implied}
	}
	return private(map[string]any{"weights": a.Weights, "lambda_max": a.LambdaMax, "ci": a.CI, "ri": a.RI, "cr": a.CR, "consistent": a.Consistent, "worst": worst})
}

type jenksBody struct {
	Values []*float64 `json:"values"`
	K      int        `json:"k"`
}

func (s *Server) postCalcJenks(_ context.Context, req *Request) (*Response, error) {
	var b jenksBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	if len(b.Values) > maxClassed {
		return nil, fault(req, "values", calc.TooLarge, fmt.Sprintf("至多 %d 个数", maxClassed), fmt.Sprintf("it has at most %d numbers", maxClassed))
	}
	c, err := calc.Classify(numbersIn(b.Values), calc.Division{Method: calc.Jenks, K: b.K})
	if err != nil {
		return nil, err
	}
	return private(map[string]any{
		"breaks": numbersOut(c.Breaks), "class": indices(c.Class), "counts": indices(c.Counts), "missing": indices(c.Missing), "min": c.Min, "max": c.Max,
		"gvf": c.GVF, "ssw": c.SSW, "sst": c.SST,
	})
}

type topsisBody struct {
	Matrix  [][]*float64 `json:"matrix"`
	Weights []float64    `json:"weights"`
	Types   []string     `json:"types"` // positive, negative, by column
}

func (s *Server) postCalcTopsis(_ context.Context, req *Request) (*Response, error) {
	var b topsisBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	m, bad := matrixIn(req, b.Matrix)
	if bad != nil {
		return nil, bad
	}
	var directions []calc.Direction
	for i, t := range b.Types {
		switch d := calc.Direction(t); d {
		case calc.Positive, calc.Opposite:
			directions = append(directions, d)
		default:
			return nil, fault(req, fmt.Sprintf("types[%d]", i), calc.Unknown, "应为 positive 或 negative", "it is positive or negative")
		}
	}
	t, err := calc.Closeness(m, b.Weights, directions)
	if err != nil {
		return nil, err
	}
	return private(map[string]any{
		"closeness": numbersOut(t.C), "to_best": numbersOut(t.ToBest), "to_worst": numbersOut(t.ToWorst), "best": numbersOut(t.Best), "worst": numbersOut(t.Worst),
		"normalised": matrixOut(t.Normalised), "constant": indices(t.Constant), "missing": indices(t.Missing),
	})
}
