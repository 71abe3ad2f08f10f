package zoning

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"onemap/zoning/calc"
	"onemap/zoning/coverage"
)

// unitAttrs is what a zone keeps of how it was computed.
type unitAttrs struct {
	Indicators map[string]*float64 `json:"indicators"` // null: missing
	Index      *float64            `json:"index"`
	Groups     map[string]*float64 `json:"groups,omitempty"`
	// Level is what was computed; a zone of another level was graded by hand, with a reason.
	Level      int            `json:"computed_level,omitempty"`
	Risk       int            `json:"risk_level,omitempty"`
	Capability int            `json:"capability_level,omitempty"`
	Dangers    *int           `json:"serious_dangers,omitempty"`
	Overlay    map[string]any `json:"overlay,omitempty"`
	Units      int            `json:"units,omitempty"` // units dissolved into it: figures are their means by area
}

func shown(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	x = rounded(x)
	return &x
}

// zones are the rows the draft will have.
func (c *computation) zones(d *readings, s *scored) ([]Zone, error) {
	groups := c.grouped(d, s)
	if n := len(groups) + len(d.rest); n > mostZones {
		return nil, tooMany("dissolve", n, mostZones)
	}
	out := make([]Zone, 0, len(groups)+len(d.rest))
	for _, g := range groups {
		z, err := c.zone(d, s, g)
		if err != nil {
			return nil, err
		}
		out = append(out, z)
	}
	return append(out, d.rest...), nil
}

// dissolved are units that become one zone.
type dissolved struct {
	units      []int
	code, name string
}

// grouped joins units: of a township and a level, or of a level alone. Those that were
// not graded stay as they are, each for itself: nothing is known that would join them.
func (c *computation) grouped(d *readings, s *scored) []dissolved {
	var out []dissolved
	at := map[string]int{}
	for i := range d.units {
		u := &d.units[i]
		key := ""
		g := dissolved{code: u.Code, name: u.Name}
		level := s.levels[i]
		switch {
		case c.spec.Dissolve == dissolveNone || level == 0:
		case c.spec.Dissolve == dissolveTownship && d.towns[i] != "":
			key = d.towns[i] + "/" + strconv.Itoa(level)
			g.code, g.name = d.towns[i]+"-"+strconv.Itoa(level), d.names[i]+" "+levelTitle(c.ladder, level)
		case c.spec.Dissolve == dissolveLevel:
			key = strconv.Itoa(level)
			g.code, g.name = key, levelTitle(c.ladder, level)
		}
		if key != "" {
			if k, ok := at[key]; ok {
				out[k].units = append(out[k].units, i)
				continue
			}
			at[key] = len(out)
		}
		g.units = []int{i}
		out = append(out, g)
	}
	return out
}

// zone makes a row of units of one level.
func (c *computation) zone(d *readings, s *scored, g dissolved) (Zone, error) {
	first := g.units[0]
	z := Zone{Zone: d.units[first].Zone, Code: g.code, Name: g.name, Level: s.levels[first], Shape: d.units[first].Shape}
	if len(g.units) > 1 {
		shape, err := merged(d.units, g.units)
		if err != nil {
			return Zone{}, fmt.Errorf("dissolve %s: %w", g.name, err)
		}
		z.Shape = shape
	}
	people, known := 0.0, true
	for _, i := range g.units {
		known = known && !math.IsNaN(d.m.people[i])
		people += d.m.people[i]
	}
	if l, _ := c.snap.Layer("population"); known && people < math.MaxInt32 && !c.hides(l) {
		n := int(math.Round(people))
		z.Population = &n
	}
	a := unitAttrs{Indicators: map[string]*float64{}, Groups: map[string]*float64{}, Index: shown(d.mean(s.index, g.units)), Level: z.Level}
	hidden := map[string]bool{}
	for j := range c.cols {
		if c.hides(c.cols[j].layer) {
			hidden[c.cols[j].Group] = true // the score of a group may be one indicator's
			continue
		}
		a.Indicators[c.cols[j].ID] = shown(d.mean(d.raw[j], g.units))
	}
	for name, x := range s.groups {
		if !hidden[name] {
			a.Groups[name] = shown(d.mean(x, g.units))
		}
	}
	if len(g.units) > 1 {
		a.Units = len(g.units)
	}
	if s.risk != nil {
		a.Risk, a.Capability = worst(s.risk, g.units, true), worst(s.ability, g.units, false)
	}
	if d.dangers != nil && !c.hides(c.dangers.layer) {
		n := 0
		for _, i := range g.units {
			n += int(math.Round(d.dangers[i]))
		}
		a.Dangers = &n
	}
	if c.spec.Overlay != nil {
		if l, _ := c.snap.Layer(c.spec.Overlay.Source); c.hides(l) {
			d.overlay = nil
		}
	}
	if d.overlay != nil && len(g.units) == 1 {
		a.Overlay = d.overlay[first]
	} else if d.overlay != nil {
		a.Overlay = joined(d.overlay, g.units)
	}
	raw, err := json.Marshal(a)
	if err != nil {
		return Zone{}, err
	}
	z.Attrs = raw
	return z, nil
}

// mean of units by area; missing where one is.
func (d *readings) mean(x []float64, units []int) float64 {
	if len(units) == 1 {
		return x[units[0]]
	}
	v, w := make([]float64, len(units)), make([]float64, len(units))
	for k, i := range units {
		v[k], w[k] = x[i], d.m.km2[i]
	}
	w, err := calc.Weights(w)
	if err != nil {
		return calc.Missing()
	}
	return calc.Sum(v, w)
}

// worst is the gravest of levels: the least of risk, the greatest of capability.
func worst(levels, units []int, least bool) int {
	out := 0
	for _, i := range units {
		if l := levels[i]; l > 0 && (out == 0 || least && l < out || !least && l > out) {
			out = l
		}
	}
	return out
}

// joined keeps the three numbers of an overlay apart for a dissolved zone too: the worst
// and the most of its units. A weighted sum is of one unit.
func joined(all []map[string]any, units []int) map[string]any {
	out := map[string]any{}
	most := 0
	for _, i := range units {
		m := all[i]
		if v, ok := m["max"].(int); ok {
			if had, ok := out["max"].(int); !ok || v < had {
				out["max"], out["dominant"] = v, m["dominant"]
			}
		}
		if v, ok := m["count"].(int); ok {
			most = max(most, v)
		}
		out["at_least"] = m["at_least"]
	}
	out["count"] = most
	return out
}

// merged joins the shapes of units: the borders between them go, every other stays to the
// last bit.
func merged(units []Zone, which []int) (coverage.Shape, error) {
	cov := &coverage.Coverage{Zones: map[coverage.ID]coverage.Shape{}}
	ids := make([]coverage.ID, 0, len(which))
	for _, i := range which {
		id := coverage.ID(units[i].Zone)
		cov.Zones[id] = units[i].Shape
		ids = append(ids, id)
	}
	if _, err := cov.Apply(coverage.Op{Kind: coverage.Merge, Zones: ids}, nil, nil); err != nil {
		if bad := new(coverage.Error); errors.As(err, &bad) {
			return nil, &ViolationsError{Violations: bad.Violations}
		}
		return nil, err
	}
	return slices.Clone(cov.Zones[ids[0]]), nil
}
