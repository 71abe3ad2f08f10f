package zoning

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/registry"
	"onemap/zoning/calc"
	"onemap/zoning/coverage"
)

// CheckCompute says what is wrong with a computation that can be told before any number
// is read: [auth.Invalid], [auth.ErrForbidden], [StateError]. Compute asks it first.
func (s *Service) CheckCompute(ctx context.Context, by auth.By, plan string, spec ComputeSpec) error {
	_, _, err := s.computation(ctx, by, plan, spec)
	return err
}

func (s *Service) computation(ctx context.Context, by auth.By, plan string, spec ComputeSpec) (*computation, auth.Grant, error) {
	id, ok := canonical(plan)
	if !ok {
		return nil, auth.Grant{}, auth.ErrNotFound
	}
	p, err := s.known(ctx, by, id)
	if err != nil {
		return nil, auth.Grant{}, err
	}
	g, err := s.drafter(by, p)
	if err != nil {
		return nil, auth.Grant{}, err
	}
	c, err := s.checked(by.Identity, p, spec)
	if err == nil && c.ofRiskPlan() {
		err = s.riskPlan(ctx, by, c)
	}
	if err == nil {
		err = s.roomFor(ctx, by, c)
	}
	return c, g, err
}

// Compute replaces the zones of a draft by those of a computation, in one transaction at
// the end: until then, and where it fails or is cancelled, the draft is what it was. The
// numbers are read under the asker's rights, all at one moment.
func (s *Service) Compute(ctx context.Context, by auth.By, plan string, spec ComputeSpec, step func(done, total int, what string)) (ComputeResult, error) {
	if step == nil {
		step = func(int, int, string) {}
	}
	c, g, err := s.computation(ctx, by, plan, spec)
	if err != nil {
		return ComputeResult{}, wrap("compute", err)
	}
	total := len(c.cols) + 4
	step(0, total, "划分单元")
	d, err := s.read(ctx, by.Identity, c, func(done int, what string) { step(done, total, what) })
	if err != nil {
		return ComputeResult{}, wrap("compute", err)
	}
	step(total-2, total, "加权、分级")
	score, err := c.score(d.raw, d.dangers, d.risk)
	if err != nil {
		return ComputeResult{}, wrap("compute", err)
	}
	zones, err := c.zones(d, score)
	if err != nil {
		return ComputeResult{}, wrap("compute", err)
	}
	r := c.result(d, score, s.now())
	r.Zones = len(zones)
	if err := ctx.Err(); err != nil {
		return ComputeResult{}, wrap("compute", err)
	}
	step(total-1, total, "写入草案")
	if err := s.replace(ctx, by, g, c, d, zones, r); err != nil {
		return ComputeResult{}, wrap("compute", err)
	}
	step(total, total, "完成")
	return r, nil
}

// readings are the units of a computation and what was read of them.
type readings struct {
	units    []Zone
	rest     []Zone // ground no unit has
	area     coverage.Shape
	mended   int
	m        *measured
	raw      [][]float64
	dangers  []float64
	risk     []int // levels of a plan of risk, 0 not known; nil: the index says
	overlay  []map[string]any
	towns    []string // township of each unit, where it is asked for
	names    []string // of the townships
	inputs   []ComputeInput
	position string
	lastEdit int64
}

func (s *Service) readUnits(ctx context.Context, g *gauge, c *computation, d *readings, step func(done int, what string)) (err error) {
	if len(d.units) < 2 {
		return newFault("unit", "one_unit", "区域内只有一个单元，无从比较和分级", "there is one unit only: nothing to compare or to classify")
	}
	d.m = measuredOf(d.units)
	g.m = d.m
	people, population, err := g.residents(ctx)
	if err != nil {
		return err
	}
	d.m.people = people
	for j := range c.cols {
		col := &c.cols[j]
		step(j+1, col.TitleZH)
		x, in, err := g.measure(ctx, col)
		if err != nil {
			return err
		}
		if !anyKnown(x) {
			path, zh, en := fmt.Sprintf("indicators/%d", j), "指标“"+col.TitleZH+"”在该区域没有数据", col.TitleEN+" has no data in the area"
			if col.Measure == measurePerHead && !anyKnown(people) {
				zh, en = zh+"(缺人口数据)", en+" (population is not known)"
			}
			return newFault(path, "indicator_missing", zh, en)
		}
		if in.WithoutValue > 0 {
			c.warns("rows_without_value", fmt.Sprintf("indicators/%d", j), fmt.Sprintf("指标“%s”有 %d 条记录没有数值，未计入", col.TitleZH, in.WithoutValue),
				fmt.Sprintf("%s: %d rows have no value and were not counted", col.TitleEN, in.WithoutValue))
		}
		if c.hides(col.layer) {
			c.warns("indicator_withheld", fmt.Sprintf("indicators/%d", j), "指标“"+col.TitleZH+"”的图层保护级别高于区划，数值不随方案保存，只参与计算", "the layer of "+col.TitleEN+" is more protected than zones are: its figures are used and not kept with the plan")
		}
		in.Position = d.position
		d.raw, d.inputs = append(d.raw, x), append(d.inputs, in)
	}
	if population != nil {
		population.Position = d.position
		d.inputs = append(d.inputs, *population)
	}
	if c.given != nil {
		if d.risk, err = g.riskLevels(ctx, c, d); err != nil {
			return err
		}
	}
	if c.dangers != nil {
		if d.dangers, err = g.keyDangers(ctx, c, d); err != nil {
			return err
		}
	}
	if c.spec.Overlay != nil {
		step(len(c.cols)+1, "多灾种叠加")
		if d.overlay, err = g.overlay(ctx, c); err != nil {
			return err
		}
	}
	if c.spec.Dissolve == dissolveTownship {
		if d.towns, d.names, err = s.townshipsOf(ctx, g.tx, g.who, d.m.shapes); err != nil {
			return err
		}
	}
	// Cells are cut at the border: what fitting them mends is less than a step of the grid.
	if d.mended > 0 && (c.spec.Unit == UnitVillage || c.spec.Unit == UnitTownship) {
		c.warns("units_mended", "unit", fmt.Sprintf("单元边界有 %d 处缝隙或重叠，已归整", d.mended), fmt.Sprintf("%d gaps or overlaps between the units were closed", d.mended))
	}
	if len(d.rest) > 0 {
		m2 := 0.0
		for i := range d.rest {
			m2 += coverage.AreaM2(d.rest[i].Shape)
		}
		c.warns("no_unit", "unit", fmt.Sprintf("有 %d 处共 %.3f km² 不属于任何单元，单列且不评级", len(d.rest), m2/1e6), fmt.Sprintf("%d places, %.3f km² together, belong to no unit: zones of their own, not graded", len(d.rest), m2/1e6))
	}
	return nil
}

func measuredOf(units []Zone) *measured {
	m := &measured{bound: orb.Bound{Min: orb.Point{math.Inf(1), math.Inf(1)}, Max: orb.Point{math.Inf(-1), math.Inf(-1)}}}
	for i := range units {
		g := units[i].Shape.Geometry()
		m.shapes = append(m.shapes, geo.Shape{Geometry: g})
		m.km2 = append(m.km2, coverage.AreaM2(units[i].Shape)/1e6)
		m.bound = m.bound.Union(g.Bound())
	}
	return m
}

func anyKnown(x []float64) bool {
	for _, v := range x {
		if !math.IsNaN(v) {
			return true
		}
	}
	return false
}

// residents are the people of each unit, shared out by area; missing where no population
// is known, and everywhere where the asker does not see it.
func (s *gauge) residents(ctx context.Context) ([]float64, *ComputeInput, error) {
	l, ok := measurable(s.snap, s.who, "population")
	d := &indicator{ID: "population", Measure: measureSum, Field: "population", TitleZH: "人口", TitleEN: "Population", layer: l}
	if !ok || !d.fits(l) {
		out := make([]float64, len(s.m.shapes))
		for i := range out {
			out[i] = calc.Missing()
		}
		return out, nil, nil
	}
	people, in, err := s.measure(ctx, d)
	return people, &in, err
}

// keyDangers are the 重大隐患 of each unit.
func (s *gauge) keyDangers(ctx context.Context, c *computation, d *readings) ([]float64, error) {
	x, in, err := s.measure(ctx, c.dangers)
	if err != nil {
		return nil, err
	}
	in.Position = d.position
	d.inputs = append(d.inputs, in)
	return x, nil
}

// overlay is what the hazards come to in each unit: the worst, how many are bad, their
// weighted sum, which of them dominates, kept apart.
func (s *gauge) overlay(ctx context.Context, c *computation) ([]map[string]any, error) {
	o := c.spec.Overlay
	l, ok := s.snap.Layer(o.Source)
	if !ok || !l.SeenBy(s.who.Reach) {
		return nil, newFault("overlay/source", "unknown", "图层不可见", "the layer is not seen")
	}
	cover, err := s.hazardCover(ctx, l, o)
	if err != nil {
		return nil, err
	}
	k := 4
	if o.Source == "zones" {
		k = 5
	}
	w := make([]float64, len(o.Hazards))
	anywhere := make([]bool, len(o.Hazards))
	for j, h := range o.Hazards {
		w[j] = 1
		if h.Weight != nil {
			w[j] = *h.Weight
		}
		for _, u := range cover {
			anywhere[j] = anywhere[j] || u[h.Hazard] != nil
		}
		if !anywhere[j] {
			c.warns("hazard_unmapped", fmt.Sprintf("overlay/hazards/%d", j), "区域内没有灾种“"+h.Hazard+"”的范围数据，未计入", "there is no area of "+h.Hazard+": it was not taken into account")
		}
	}
	if w, err = calc.Weights(w); err != nil {
		return nil, badCalc("overlay", err)
	}
	out := make([]map[string]any, len(cover))
	levels, score := make([]int, len(w)), make([]float64, len(w))
	for i, u := range cover {
		by := map[string]int{}
		for j, h := range o.Hazards {
			// Where the hazard is mapped, a unit outside its areas has none of it.
			levels[j], score[j] = 0, calc.Missing()
			if anywhere[j] {
				levels[j], score[j] = k+1, 0
			}
			for level := k; level >= 1; level-- {
				if share, ok := u[h.Hazard][level]; ok && share > 0 && share >= o.MinShare {
					levels[j], score[j] = level, calc.LevelScore(level, k)
				}
			}
			if levels[j] >= 1 && levels[j] <= k {
				by[h.Hazard] = levels[j]
			}
		}
		v := calc.Overlaid(levels, score, w, o.AtLeast)
		m := map[string]any{"levels": by, "count": v.Count, "at_least": o.AtLeast}
		if v.Worst >= 1 && v.Worst <= k {
			m["max"] = v.Worst
			m["dominant"] = o.Hazards[v.Dominant].Hazard
		}
		if !math.IsNaN(v.Weighted) {
			m["weighted"] = rounded(v.Weighted)
		}
		out[i] = m
	}
	return out, nil
}

// rounded keeps twelve digits: what is shown and compared, without the noise of the last.
func rounded(x float64) float64 {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return x
	}
	f := math.Pow(10, 11-math.Floor(math.Log10(math.Abs(x))))
	if r := math.Round(x*f) / f; !math.IsNaN(r) && !math.IsInf(r, 0) {
		return r
	}
	return x
}

// method is what the plan keeps of how it came to be.
type method struct {
	Spec ComputeSpec `json:"spec"`
	By   string      `json:"by"`
	Name string      `json:"name"`
	Unit string      `json:"unit"`
	ComputeResult
}

func (c *computation) method(by auth.By, r ComputeResult) method {
	if len(r.Missing) > 50 {
		r.Missing = r.Missing[:50]
	}
	r.Weights = slices.Clone(r.Weights)
	for i := range r.Weights {
		if w := &r.Weights[i]; w.Withheld {
			w.Min, w.Max, w.Mean = nil, nil, nil
		}
	}
	r.Inputs = slices.Clone(r.Inputs)
	for i := range r.Inputs {
		if l, _ := c.snap.Layer(r.Inputs[i].Layer); c.hides(l) {
			r.Inputs[i].Rows, r.Inputs[i].WithoutValue, r.Inputs[i].Datasets, r.Inputs[i].Date = 0, 0, "", ""
		}
	}
	return method{Spec: c.spec, By: by.Actor(), Name: by.Name, Unit: c.spec.Unit, ComputeResult: r}
}

// result is what the asker is told.
func (c *computation) result(d *readings, sc *scored, at time.Time) ComputeResult {
	r := ComputeResult{Plan: c.plan.ID, Units: len(d.units), Missing: []MissingUnit{}, Weights: []WeightResult{}, Breaks: append([]float64{}, sc.classes.Breaks...), GVF: sc.classes.GVF, SSW: sc.classes.SSW, SST: sc.classes.SST,
		Counts: make([]int, len(c.ladder.Items)), Inputs: d.inputs, Rules: c.rules, Warnings: c.warn, ComputedAt: at.UTC().Truncate(time.Second)}
	for i, l := range sc.levels {
		if l > 0 && l <= len(r.Counts) {
			r.Counts[l-1]++
			continue
		}
		u := MissingUnit{Code: d.units[i].Code, Name: d.units[i].Name, Indicators: []string{}}
		for j := range d.raw {
			if math.IsNaN(d.raw[j][i]) {
				u.Indicators = append(u.Indicators, c.cols[j].ID)
			}
		}
		if d.risk != nil && d.risk[i] == 0 {
			u.Indicators = append(u.Indicators, riskPlanInput)
		}
		if r.MissingN++; r.MissingN <= 200 {
			r.Missing = append(r.Missing, u)
		}
	}
	for j := range c.cols {
		n := sc.norm[j]
		w := WeightResult{ID: c.cols[j].ID, Title: c.cols[j].TitleZH, Group: c.cols[j].Group, Weight: rounded(sc.weights[j]), Constant: n.Constant, Missing: len(n.Missing), Min: &n.Min, Max: &n.Max, Mean: shown(calc.Mean(d.raw[j])), Withheld: c.hides(c.cols[j].layer)}
		if sc.entropy != nil {
			v := rounded(sc.entropy[j])
			w.Entropy = &v
		}
		if sc.ahp != nil {
			v := rounded(sc.ahp.Weights[j])
			w.AHP = &v
		}
		r.Weights = append(r.Weights, w)
	}
	if sc.ahp != nil {
		r.CR, r.LambdaMax = &sc.ahp.CR, &sc.ahp.LambdaMax
	}
	if r.Rules == nil {
		r.Rules = []RuleRef{}
	}
	if r.Warnings == nil {
		r.Warnings = []Warning{}
	}
	return r
}

// title is a level's name.
func levelTitle(l *registry.CodeList, level int) string {
	for _, it := range l.Items {
		if it.Level == level {
			return it.Title.ZH
		}
	}
	return "未评级"
}
