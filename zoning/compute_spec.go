package zoning

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/registry"
	"onemap/zoning/calc"
)

// The ways to weigh and to combine.
const (
	weighGiven    = "given"
	weighEntropy  = "entropy"
	weighAHP      = "ahp"
	weighCombined = "combined" // θ·AHP + (1-θ)·entropy
	weighProduct  = "product"  // AHP·entropy, made to sum up to 1

	combineSum        = "sum"
	combineProduct    = "product"
	combinePower      = "power"
	combineCapability = "risk_capability" // R' = R·(1-k·C)

	dissolveNone     = "none"
	dissolveTownship = "township" // a zone per township and level
	dissolveLevel    = "level"    // a zone per level
)

// What a computation may ask for; beyond, it is refused. One transaction writes the zones,
// and it holds the feed back while it does.
const (
	mostIndicators = 24
	mostUnits      = 20_000
	mostZones      = 3_000
)

// computation is a spec that was found good, with what it names.
type computation struct {
	plan    Plan
	spec    ComputeSpec
	cols    []indicator
	rules   []RuleRef
	ladder  *registry.CodeList // of the plan's levels
	k       int                // classes of the index
	risk    *registry.CodeList // of the index, where the plan's levels are made of it (prevention)
	table   *preventionTable
	dangers *indicator // 重大隐患, where they count
	given   *Plan      // the plan of risk whose zones say the risk; nil: the index does
	warn    []Warning
	named   bool // the weights are said to be given

	protection int // of the layer of zones
	snap       *registry.Snapshot
}

// hides says whether a layer is more protected than zones are: whoever reads the plan
// need not be allowed its figures.
func (c *computation) hides(l *registry.Layer) bool {
	return l != nil && db.Protection(l.Visibility) > c.protection
}

func (c *computation) warns(code, path, zh, en string) {
	c.warn = append(c.warn, Warning{code, path, zh, en})
}

// uses records a rule set, once, and says where nobody has verified it.
func (c *computation) uses(r RuleRef) {
	if r.Rule == "" || slices.Contains(c.rules, r) {
		return
	}
	c.rules = append(c.rules, r)
	if !r.Verified {
		c.warns("rule_unverified", r.Rule, fmt.Sprintf("规则 %s 第 %d 版尚未核实", r.Rule, r.Version), fmt.Sprintf("rule set %s, version %d, has not been verified", r.Rule, r.Version))
	}
}

// preventionTable is the body of the rule set prevention_matrix.
type preventionTable struct {
	RiskLadder       string  `json:"risk_ladder"`
	CapabilityLadder string  `json:"capability_ladder"`
	Ladder           string  `json:"ladder"`
	Matrix           [][]int `json:"matrix"`
	Dangers          struct {
		Min        int `json:"min"`
		AtMost     int `json:"at_most"`
		Many       int `json:"many"`
		AtMostMany int `json:"at_most_many"`
	} `json:"dangers"`
}

// lowered is the class with key dangers taken into account: enough of them, and it is no
// milder than the rule says.
func (t *preventionTable) lowered(class, dangers int) int {
	d := t.Dangers
	if class == 0 {
		return 0
	}
	if d.Many > 0 && dangers >= d.Many {
		class = min(class, max(1, d.AtMostMany))
	}
	if d.Min > 0 && dangers >= d.Min {
		class = min(class, max(1, d.AtMost))
	}
	return class
}

var indicatorID = regexp.MustCompile(`^[A-Za-z0-9_.\-:]{1,80}$`) //nolint:gochecknoglobals // compiled once

// checked is the computation a spec asks for, or everything that is wrong with it.
func (s *Service) checked(who *auth.Identity, p Plan, spec ComputeSpec) (*computation, error) {
	snap := s.catalogue.Now()
	c := &computation{plan: p, spec: spec, snap: snap, protection: db.Protection(s.visibilityOf("zones"))}
	var f faults
	one := func(path, v string, of ...string) {
		if !slices.Contains(of, v) {
			f.add(path, "unknown", "应为 "+strings.Join(of, "、")+" 之一", "it is one of "+strings.Join(of, ", "))
		}
	}
	if spec.Combine == "" {
		c.spec.Combine = combineSum
	}
	if spec.Base == "" {
		c.spec.Base = combineProduct
	}
	if spec.Dissolve == "" {
		c.spec.Dissolve = dissolveNone
	}
	c.named = spec.Weights.Method == weighGiven
	if spec.Weights.Method == "" {
		c.spec.Weights.Method = weighGiven
	}
	if c.ofRiskPlan() {
		c.spec.Classify = ClassifySpec{} // there is no index to be classified
	} else if spec.Classify.Method == "" {
		c.usualClasses(snap)
	}
	one("unit", spec.Unit, UnitVillage, UnitTownship, UnitKm, UnitSeconds)
	one("combine", c.spec.Combine, combineSum, combineProduct, combinePower, combineCapability)
	one("base", c.spec.Base, combineSum, combineProduct, combinePower)
	one("dissolve", c.spec.Dissolve, dissolveNone, dissolveTownship, dissolveLevel)
	one("weights/method", c.spec.Weights.Method, weighGiven, weighEntropy, weighAHP, weighCombined, weighProduct)
	if !c.ofRiskPlan() {
		one("classify/method", string(c.spec.Classify.Method), string(calc.Jenks), string(calc.Quantile), string(calc.Equal), string(calc.Sigma), string(calc.Thresholds))
	}
	for path, v := range map[string]*float64{"weights/theta": spec.Weights.Theta, "capability": spec.Capacity} {
		if v != nil && !(*v >= 0 && *v <= 1) {
			f.add(path, "range", "应在 0 与 1 之间", "between 0 and 1")
		}
	}
	c.indicators(snap, who, &f)
	if c.spec.Combine == combineCapability && len(c.cols) > 0 && !slices.ContainsFunc(c.cols, func(d indicator) bool { return d.Group == GroupCapability }) {
		f.add("indicators", "no_capability", "该组合形式需要减灾能力指标(C 组)", "this form needs an indicator of capability (group C)")
	}
	c.weighing(&f)
	c.levels(snap, usualLadder(p.Kind), &f)
	c.overlaid(snap, &f)
	if len(f) == 0 && c.plan.Kind == Prevention && c.spec.Prevention == nil {
		c.spec.Prevention = &PreventionSpec{}
	}
	if c.spec.Prevention != nil {
		c.prevention(snap, who, &f)
	}
	return c, f.err()
}

// ofRiskPlan says whether the risk is that of another plan's zones.
func (c *computation) ofRiskPlan() bool {
	return c.spec.Prevention != nil && c.spec.Prevention.RiskPlan != ""
}

func (c *computation) indicators(snap *registry.Snapshot, who *auth.Identity, f *faults) {
	if n := len(c.spec.Indicators); n == 0 && !c.ofRiskPlan() || n > mostIndicators {
		f.add("indicators", "count", fmt.Sprintf("须选 1 到 %d 个指标", mostIndicators), fmt.Sprintf("1 to %d indicators", mostIndicators))
		return
	}
	list, ref, err := readyIndicators(snap, who)
	if err != nil {
		f.add("indicators", "rule_broken", "指标规则 "+ruleIndicators+" 的内容有误", "the rule set "+ruleIndicators+" cannot be read")
		return
	}
	seen := map[string]bool{}
	c.spec.Indicators = slices.Clone(c.spec.Indicators)
	for i := range c.spec.Indicators {
		in := &c.spec.Indicators[i]
		path := fmt.Sprintf("indicators/%d", i)
		d, ok := find(snap, who, list, *in)
		if !ok {
			f.add(path+"/source", "unknown", "没有这个指标，或其图层不可见", "there is no such indicator, or its layer is not seen")
			continue
		}
		if slices.ContainsFunc(list, func(r indicator) bool { return r.ID == in.Source }) {
			c.uses(ref)
		}
		if in.Group != "" {
			d.Group = in.Group
		}
		if !slices.Contains([]string{GroupHazard, GroupSensitivity, GroupExposure, GroupVulnerable, GroupCapability}, d.Group) {
			f.add(path+"/group", "unknown", "分组只有 H、S、E、V、C", "the group is H, S, E, V or C")
		}
		if c.ofRiskPlan() && d.Group != GroupCapability {
			f.add(path+"/group", "risk_given", "风险已由风险区划给出，只需减灾能力指标(C 组)", "the risk is that of the plan: only capability (group C) is measured")
		}
		if in.Direction == "" {
			in.Direction = d.Direction
		}
		if in.Direction != calc.Positive && in.Direction != calc.Opposite {
			f.add(path+"/direction", "unknown", "方向只有 positive、negative", "the direction is positive or negative")
		}
		if in.Normalise == "" {
			in.Normalise = calc.MinMax
		}
		if !slices.Contains([]calc.Norm{calc.MinMax, calc.MinMaxHalf, calc.Vector, calc.Percentile, calc.AsIs}, in.Normalise) {
			f.add(path+"/normalise", "unknown", "没有这种归一化方法", "there is no such normalisation")
		}
		if in.ID == "" {
			in.ID = strings.Trim(in.Source+"."+in.Measure+"."+in.Field, ".")
		}
		switch {
		case !indicatorID.MatchString(in.ID):
			f.add(path+"/id", "bad_id", "指标标识无效", "not an id of an indicator")
		case seen[in.ID]:
			f.add(path+"/id", "repeated", "指标重复", "the indicator is there twice")
		}
		seen[in.ID] = true
		in.Group, d.ID, d.Direction = d.Group, in.ID, in.Direction
		c.cols = append(c.cols, d)
	}
}

// find is the indicator of the rule set, or the measure of a layer, that a spec names.
func find(snap *registry.Snapshot, who *auth.Identity, list []indicator, in IndicatorSpec) (indicator, bool) {
	for _, d := range list {
		if d.ID == in.Source && (in.Measure == "" || in.Measure == d.Measure) && in.Field == "" {
			return d, true
		}
	}
	l, ok := measurable(snap, who, in.Source)
	if !ok {
		return indicator{}, false
	}
	for _, d := range ofLayer(l) {
		if d.Measure == in.Measure && d.Field == in.Field {
			return d, true
		}
	}
	return indicator{}, false
}

func (c *computation) weighing(f *faults) {
	w := c.spec.Weights
	if w.Method == weighGiven {
		given := make([]float64, 0, len(c.spec.Indicators))
		for _, in := range c.spec.Indicators {
			if in.Weight != nil {
				given = append(given, *in.Weight)
			}
		}
		switch {
		case len(given) == 0 && c.named:
			f.add("weights", "required", "请给出每个指标的权重", "the weights are to be given: say them")
		case len(given) == 0: // equal
		case len(given) != len(c.spec.Indicators):
			f.add("weights", "bad_weights", "要么每个指标都给权重，要么都不给(等权)", "every indicator has a weight, or none (equal weights)")
		default:
			if _, err := calc.Weights(given); err != nil {
				f.calc("weights", err)
			}
		}
		return
	}
	if w.Method == weighEntropy {
		return
	}
	if w.AHP == nil {
		f.add("weights/ahp", "required", "需要判断矩阵", "a matrix of comparisons is needed")
		return
	}
	if n := len(w.AHP.Matrix); n != len(c.spec.Indicators) {
		f.add("weights/ahp/matrix", "size", fmt.Sprintf("判断矩阵有 %d 行，指标有 %d 个", n, len(c.spec.Indicators)), fmt.Sprintf("the matrix has %d rows, and there are %d indicators", n, len(c.spec.Indicators)))
		return
	}
	a, err := calc.Analyse(w.AHP.Matrix)
	if err == nil {
		err = a.Err()
	}
	if err != nil {
		f.calc("weights/ahp", err)
	}
}

// usualClasses takes the classification of the rule set where the spec names none: that
// of the plan's hazard where it is for the plan's ladder, else the default.
func (c *computation) usualClasses(snap *registry.Snapshot) {
	type usual struct {
		ClassifySpec

		Ladder string `json:"ladder"`
	}
	var body struct {
		Default  ClassifySpec     `json:"default"`
		ByHazard map[string]usual `json:"by_hazard"`
	}
	c.spec.Classify.Method = calc.Jenks
	rule, ok := snap.Rules[ruleClasses]
	if !ok || json.Unmarshal(rule.Body, &body) != nil {
		return
	}
	k := c.spec.Classify.K
	if u, ok := body.ByHazard[c.plan.Hazard]; ok && u.Ladder != "" && u.Ladder == c.plan.Ladder && u.Method != "" {
		c.spec.Classify = u.ClassifySpec
	} else if body.Default.Method != "" {
		c.spec.Classify = body.Default
	}
	c.spec.Classify.K = k
	c.uses(RuleRef{rule.Rule, rule.Version, rule.Verified})
}

// levels finds the ladder and how many classes it wants.
func (c *computation) levels(snap *registry.Snapshot, usual string, f *faults) {
	id := c.plan.Ladder
	if id == "" {
		id = usual
	}
	ladder, ok := snap.CodeLists[id]
	if !ok || !ladder.Ladder {
		f.add("ladder", "unknown", "方案的等级方案不存在", "the plan's ladder does not exist")
		return
	}
	c.ladder, c.k = ladder, len(ladder.Items)
	if c.plan.Kind != Prevention && c.spec.Prevention == nil {
		c.classes("classify", c.spec.Classify, c.k, f)
	}
}

// classes says whether a classification makes as many classes as the ladder has.
func (c *computation) classes(path string, d ClassifySpec, k int, f *faults) {
	if d.K != 0 && d.K != k {
		f.add(path+"/k", "bad_k", fmt.Sprintf("等级方案有 %d 级，分级数须相同", k), fmt.Sprintf("the ladder has %d levels, and so many classes are needed", k))
		return
	}
	if d.Method == calc.Thresholds {
		// Any value will do: only the thresholds are looked at.
		if _, err := calc.Classify([]float64{0}, calc.Division{Method: d.Method, K: k, Thresholds: d.Thresholds, Ties: d.Ties}); err != nil {
			f.calc(path, err)
		}
	}
	if d.Ties != "" && d.Ties != calc.Upper && d.Ties != calc.Lower {
		f.add(path+"/ties", "unknown", "ties 只有 upper、lower", "ties are upper or lower")
	}
	if d.Step < 0 || d.Step > 10 {
		f.add(path+"/step", "range", "步长应在 0 与 10 之间", "the step lies between 0 and 10")
	}
}

func (c *computation) overlaid(snap *registry.Snapshot, f *faults) {
	o := c.spec.Overlay
	if o == nil {
		return
	}
	copied := *o
	o = &copied
	c.spec.Overlay = o
	if o.Source == "" {
		o.Source = "hazard_areas"
	}
	if o.Source != "hazard_areas" && o.Source != "zones" {
		f.add("overlay/source", "unknown", "来源只有 hazard_areas、zones", "the source is hazard_areas or zones")
	}
	if o.AtLeast == 0 {
		o.AtLeast = 2
	}
	if o.AtLeast < 1 || o.AtLeast > 5 {
		f.add("overlay/at_least", "range", "等级应在 1 到 5 之间", "a level from 1 to 5")
	}
	if !(o.MinShare >= 0 && o.MinShare <= 1) {
		f.add("overlay/min_share", "range", "应在 0 与 1 之间", "between 0 and 1")
	}
	if len(o.Hazards) == 0 || len(o.Hazards) > 24 {
		f.add("overlay/hazards", "count", "须选 1 到 24 个灾种", "1 to 24 hazards")
	}
	seen := map[string]bool{}
	for i, h := range o.Hazards {
		if _, ok := snap.CodeLists["hazard"].Item(h.Hazard); !ok || seen[h.Hazard] {
			f.add(fmt.Sprintf("overlay/hazards/%d", i), "unknown", "没有这种灾种，或重复", "there is no such hazard, or it is there twice")
		}
		seen[h.Hazard] = true
		if h.Weight != nil && !(*h.Weight >= 0 && *h.Weight <= 1e6) {
			f.add(fmt.Sprintf("overlay/hazards/%d/weight", i), "bad_weights", "权重不能为负", "a weight is 0 or more")
		}
	}
}

func (c *computation) prevention(snap *registry.Snapshot, who *auth.Identity, f *faults) {
	pre := *c.spec.Prevention
	c.spec.Prevention = &pre
	if c.plan.Kind != Prevention {
		f.add("prevention", "kind", "防治分区只用于防治区划方案", "prevention classes are for prevention plans")
		return
	}
	if pre.Rule == "" {
		pre.Rule = rulePrevention
	}
	rule, ok := snap.Rules[pre.Rule]
	t := &preventionTable{}
	if !ok || json.Unmarshal(rule.Body, t) != nil || len(t.Matrix) == 0 {
		f.add("prevention/rule", "unknown", "没有这个判定矩阵规则", "there is no such rule set with a matrix")
		return
	}
	risk, ok := snap.CodeLists[t.RiskLadder]
	if !ok || len(risk.Items) != len(t.Matrix) {
		f.add("prevention/rule", "rule_broken", "判定矩阵与其风险等级方案不符", "the matrix does not fit its ladder of risk")
		return
	}
	for _, row := range t.Matrix {
		for _, v := range row {
			if v < 1 || c.ladder != nil && v > len(c.ladder.Items) || len(row) != len(t.Matrix[0]) {
				f.add("prevention/rule", "rule_broken", "判定矩阵的取值超出防治分区等级", "the matrix answers classes the ladder has not")
				return
			}
		}
	}
	c.table, c.risk, c.k = t, risk, len(risk.Items)
	c.uses(RuleRef{rule.Rule, rule.Version, rule.Verified})
	if !c.ofRiskPlan() {
		c.classes("classify", c.spec.Classify, c.k, f)
	}
	if m := pre.Capability.Method; m != "" && m != "topsis" {
		if !slices.Contains([]calc.Method{calc.Jenks, calc.Quantile, calc.Equal, calc.Sigma, calc.Thresholds}, m) {
			f.add("prevention/capability/method", "unknown", "没有这种分级方法", "there is no such classification")
		} else {
			c.classes("prevention/capability", pre.Capability, len(t.Matrix[0]), f)
		}
	}
	if pre.Dangers == nil || *pre.Dangers {
		list, ref, err := readyIndicators(snap, who)
		for i := range list {
			if err == nil && list[i].ID == "serious_dangers" {
				c.dangers = &list[i]
				c.uses(ref)
			}
		}
		if c.dangers == nil {
			c.warns("dangers_unknown", "prevention/dangers", "看不到隐患台账，重大隐患未计入", "hidden dangers are not seen: they were not taken into account")
		}
	}
	if !slices.ContainsFunc(c.cols, func(d indicator) bool { return d.Group == GroupCapability }) {
		c.warns("capability_unknown", "indicators", "没有减灾能力指标(C 组)，能力按中等计", "no indicator of capability (group C): taken as medium")
	}
	if !c.ofRiskPlan() && len(c.cols) > 0 && !slices.ContainsFunc(c.cols, func(d indicator) bool { return d.Group != GroupCapability }) {
		f.add("indicators", "no_risk", "须有减灾能力之外的指标", "an indicator beside capability is needed")
	}
}

// calc adds an error of the arithmetic under a path.
func (f *faults) calc(path string, err error) {
	if e := new(calc.Error); errors.As(err, &e) {
		if e.Path != "" {
			path += "/" + e.Path
		}
		f.add(path, e.Code, e.ZH, e.EN)
		return
	}
	f.add(path, "invalid", "数值无效", err.Error())
}

// badCalc is an error of the arithmetic as input that does not hold.
func badCalc(path string, err error) error {
	var f faults
	f.calc(path, err)
	return f.err()
}
