package zoning

import (
	"fmt"
	"math"
	"slices"

	"onemap/internal/auth"
	"onemap/zoning/calc"
)

// scored is the arithmetic of a computation: rows are units, columns indicators.
type scored struct {
	raw     [][]float64 // by indicator
	norm    []calc.Normalised
	weights []float64
	entropy []float64
	ahp     *calc.AHP
	groups  map[string][]float64 // score of each group by unit
	index   []float64
	classes calc.Classes
	levels  []int // of the plan's ladder, 0 missing
	risk    []int // prevention: level of risk
	ability []int // prevention: level of capability
}

func newFault(path, code, zh, en string) error {
	return &auth.Invalid{Items: []auth.Fault{{Path: path, Code: code, ZH: zh, EN: en}}}
}

// score normalises, weighs, combines and classifies. dangers are 重大隐患 by unit, nil where
// they do not count; risk are levels of risk by unit, nil where the index makes them.
func (c *computation) score(raw [][]float64, dangers []float64, risk []int) (*scored, error) {
	s := &scored{raw: raw, groups: map[string][]float64{}}
	flipped := c.spec.Combine != combineCapability && c.spec.Prevention == nil
	var constant []string
	for j, x := range raw {
		in := c.spec.Indicators[j]
		d := in.Direction
		if flipped && in.Group == GroupCapability {
			d = d.Turned() // as a factor of risk it is the want of capability
		}
		n, err := calc.Normalise(x, in.Normalise, d)
		if err != nil {
			return nil, badCalc(fmt.Sprintf("indicators/%d", j), err)
		}
		if n.Constant {
			constant = append(constant, c.cols[j].TitleZH)
			c.warns("indicator_constant", fmt.Sprintf("indicators/%d", j), "指标“"+c.cols[j].TitleZH+"”各单元相同，权重记为 0", c.cols[j].TitleEN+" is the same everywhere: its weight is 0")
		}
		if len(n.Missing) > 0 {
			c.warns("indicator_missing_units", fmt.Sprintf("indicators/%d", j), fmt.Sprintf("指标“%s”有 %d 个单元缺值，不按 0 计，这些单元不评级", c.cols[j].TitleZH, len(n.Missing)),
				fmt.Sprintf("%s is missing in %d units: they are not graded", c.cols[j].TitleEN, len(n.Missing)))
		}
		s.norm = append(s.norm, n)
	}
	if risk != nil {
		return s, c.scoreGiven(s, len(constant), dangers, risk)
	}
	if len(constant) == len(raw) {
		return nil, newFault("indicators", "indicator_constant", "所有指标在各单元都相同，无从分级", "every indicator is the same everywhere: nothing to classify")
	}
	if err := c.weigh(s); err != nil {
		return nil, err
	}
	if err := c.combine(s); err != nil {
		return nil, err
	}
	known := 0
	for _, v := range s.index {
		if !math.IsNaN(v) {
			known++
		}
	}
	if known < 2 {
		return nil, newFault("indicators", "indicator_missing", "指标齐全的单元不足两个，无从分级", "fewer than two units have every indicator")
	}
	var err error
	if s.classes, err = calc.Classify(s.index, c.spec.Classify.division(c.k)); err != nil {
		return nil, badCalc("classify", err)
	}
	for _, e := range s.classes.Empty {
		c.warns("empty_class", "classify", fmt.Sprintf("第 %d 级没有单元", calc.LevelOf(e, c.k, calc.Positive)), fmt.Sprintf("no unit is of level %d", calc.LevelOf(e, c.k, calc.Positive)))
	}
	s.levels = make([]int, len(s.index))
	for i, class := range s.classes.Class {
		s.levels[i] = calc.LevelOf(class, c.k, calc.Positive)
	}
	if c.table != nil {
		return s, c.prevent(s, dangers)
	}
	return s, nil
}

// scoreGiven takes the levels of risk as they are: what is measured is capability alone.
func (c *computation) scoreGiven(s *scored, constant int, dangers []float64, risk []int) error {
	if !slices.ContainsFunc(risk, func(l int) bool { return l > 0 }) {
		return newFault("prevention/risk_plan", "no_levels", "该风险区划在本区域没有已定级的单元", "the plan of risk has no graded zone in this area")
	}
	if constant < len(s.raw) {
		if err := c.weigh(s); err != nil {
			return err
		}
		c.scoreGroups(s)
	}
	s.weights = append(s.weights, make([]float64, len(s.raw)-len(s.weights))...)
	s.levels, s.index = risk, make([]float64, len(risk))
	for i := range s.index {
		s.index[i] = calc.Missing()
	}
	return c.prevent(s, dangers)
}

func (d ClassifySpec) division(k int) calc.Division {
	return calc.Division{Method: d.Method, K: k, Thresholds: d.Thresholds, Ties: d.Ties, Step: d.Step}
}

// weigh gives every indicator its weight; one that is constant has none.
func (c *computation) weigh(s *scored) error {
	n := len(s.norm)
	var err error
	method := c.spec.Weights.Method
	equal := slices.Repeat([]float64{1}, n)
	for j, in := range c.spec.Indicators {
		if method == weighGiven && in.Weight != nil {
			equal[j] = *in.Weight
		}
	}
	s.weights = equal
	if method == weighEntropy || method == weighCombined || method == weighProduct {
		m := make([][]float64, len(s.index0()))
		for i := range m {
			m[i] = make([]float64, n)
			for j := range s.norm {
				m[i][j] = s.norm[j].Values[i]
			}
		}
		e, err := calc.EntropyWeights(m)
		if err != nil {
			return badCalc("weights", err)
		}
		s.entropy, s.weights = e.W, slices.Clone(e.W)
	}
	if method == weighAHP || method == weighCombined || method == weighProduct {
		a, err := calc.Analyse(c.spec.Weights.AHP.Matrix)
		if err == nil {
			err = a.Err()
		}
		if err != nil {
			return badCalc("weights/ahp", err)
		}
		s.ahp, s.weights = &a, slices.Clone(a.Weights)
	}
	switch method {
	case weighCombined:
		theta := 0.5
		if t := c.spec.Weights.Theta; t != nil {
			theta = *t
		}
		s.weights, err = calc.Mix(s.ahp.Weights, s.entropy, theta)
	case weighProduct:
		s.weights, err = calc.MixProduct(s.ahp.Weights, s.entropy)
	}
	if err != nil {
		return badCalc("weights", err)
	}
	for j := range s.norm {
		if s.norm[j].Constant {
			s.weights[j] = 0
		}
	}
	if s.weights, err = calc.Weights(s.weights); err != nil {
		return badCalc("weights", err)
	}
	return nil
}

// index0 is a column, for its length: as many as there are units.
func (s *scored) index0() []float64 { return s.norm[0].Values }

// scoreGroups makes the scores of the groups: within a group the indicators are added by
// weight. It answers the groups there are, and what each weighs.
func (c *computation) scoreGroups(s *scored) (order []string, share map[string]float64) {
	units := len(s.index0())
	share = map[string]float64{}
	for j, in := range c.spec.Indicators {
		if s.weights[j] == 0 {
			continue
		}
		if share[in.Group] == 0 {
			order = append(order, in.Group)
		}
		share[in.Group] += s.weights[j]
	}
	slices.Sort(order)
	for _, g := range order {
		score := make([]float64, units)
		w := make([]float64, len(s.weights))
		for j, in := range c.spec.Indicators {
			if in.Group == g {
				w[j] = s.weights[j] / share[g]
			}
		}
		x := make([]float64, len(w))
		for i := range score {
			for j := range x {
				x[j] = s.norm[j].Values[i]
			}
			score[i] = calc.Sum(x, w)
		}
		s.groups[g] = score
	}
	return order, share
}

// combine makes the index of the groups. In the products they are the factors.
func (c *computation) combine(s *scored) error {
	units := len(s.index0())
	order, share := c.scoreGroups(s)
	form := c.spec.Combine
	apart := form == combineCapability || c.table != nil // capability is no factor of risk here
	if form == combineCapability {
		form = c.spec.Base
		if s.groups[GroupCapability] == nil {
			return newFault("indicators", "no_capability", "该组合形式需要有区分度的减灾能力指标(C 组)", "this form needs an indicator of capability (group C) that differs")
		}
	}
	if apart {
		order = slices.DeleteFunc(order, func(g string) bool { return g == GroupCapability })
	}
	if len(order) == 0 {
		return newFault("indicators", "no_risk", "减灾能力之外没有有区分度的指标", "no indicator beside capability tells the units apart")
	}
	w := make([]float64, len(order))
	for k, g := range order {
		w[k] = share[g]
	}
	w, err := calc.Weights(w)
	if err != nil {
		return badCalc("weights", err)
	}
	s.index = make([]float64, units)
	x := make([]float64, len(order))
	for i := range s.index {
		for k, g := range order {
			x[k] = s.groups[g][i]
		}
		switch form {
		case combineProduct:
			s.index[i] = calc.Product(x)
		case combinePower:
			s.index[i] = calc.PowerProduct(x, w)
		default:
			s.index[i] = calc.Sum(x, w)
		}
		if c.spec.Combine == combineCapability && c.table == nil {
			k := 0.5
			if c.spec.Capacity != nil {
				k = *c.spec.Capacity
			}
			s.index[i] = calc.WithCapability(s.index[i], s.groups[GroupCapability][i], k)
		}
	}
	return nil
}

// prevent turns levels of risk into classes of prevention.
func (c *computation) prevent(s *scored, dangers []float64) error {
	s.risk = s.levels
	s.levels, s.ability = make([]int, len(s.risk)), make([]int, len(s.risk))
	medium := (len(c.table.Matrix[0]) + 1) / 2
	for i := range s.ability {
		s.ability[i] = medium
	}
	if s.groups[GroupCapability] != nil {
		if err := c.capability(s); err != nil {
			return err
		}
	}
	for i := range s.levels {
		class, err := calc.Matrix(c.table.Matrix, s.risk[i], s.ability[i])
		if err != nil {
			return badCalc("prevention", err)
		}
		if dangers != nil && !math.IsNaN(dangers[i]) {
			class = c.table.lowered(class, int(math.Round(dangers[i])))
		}
		s.levels[i] = class
	}
	return nil
}

// capability grades the units by the model of the census (TOPSIS of the raw values, grades
// by mean and spread), or by a classification where one is asked for.
func (c *computation) capability(s *scored) error {
	want := c.spec.Prevention.Capability
	if want.Method != "" && want.Method != "topsis" {
		k := len(c.table.Matrix[0])
		cl, err := calc.Classify(s.groups[GroupCapability], want.division(k))
		if err != nil {
			return badCalc("prevention/capability", err)
		}
		for i, class := range cl.Class {
			s.ability[i] = calc.LevelOf(class, k, calc.Positive)
		}
		return nil
	}
	var m [][]float64
	var w []float64
	var dir []calc.Direction
	for range s.index {
		m = append(m, nil)
	}
	for j, in := range c.spec.Indicators {
		if in.Group != GroupCapability || s.weights[j] == 0 {
			continue
		}
		w, dir = append(w, s.weights[j]), append(dir, in.Direction)
		for i := range m {
			m[i] = append(m[i], s.raw[j][i])
		}
	}
	t, err := calc.Closeness(m, w, dir)
	if err != nil {
		return badCalc("prevention/capability", err)
	}
	g, err := calc.CapabilityGrades(t.C)
	if err != nil {
		return badCalc("prevention/capability", err)
	}
	s.ability = g.Grades
	s.groups[GroupCapability] = t.C
	if g.Merged > 0 {
		c.warns("grades_merged", "prevention/capability", "减灾能力均值相对离散程度偏小，低等级已按规则合并", "the mean of capability is small against its spread: the lower grades were joined by the rule")
	}
	return nil
}
